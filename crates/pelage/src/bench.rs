//! How fast this machine is: kernels against its multiply-add peak, training, inference. What `pelage bench` prints.

pub mod inference;
pub mod kernels;
pub mod training;

use std::time::Instant;

use pelage_kernels::isa::Isa;
use pelage_kernels::peak;
use serde::Serialize;

/// What is measured on.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// As the operating system calls it; empty where it does not say.
    pub processor: String,
    /// CPU threads that are used.
    pub threads: usize,
    /// The instruction set that the kernels run on, see `PELAGE_ISA`.
    pub isa: &'static str,
    /// Multiply-adds of f32 between registers on all threads at once, in 10^9 operations (two each) a second.
    pub peak_gflops: f64,
}

/// Measures the peak; takes a fraction of a second.
pub fn machine() -> Machine {
    let isa = Isa::best();
    let processor = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split(':').nth(1)?.trim().to_string())
    });
    Machine {
        processor: processor.unwrap_or_default(),
        threads: rayon::current_num_threads(),
        isa: isa.name(),
        peak_gflops: rayon::broadcast(|_| peak::flops(isa)).iter().sum::<f64>() / 1e9,
    }
}

/// The median of the seconds that `work` takes: at least 5 runs, and more until they have taken `enough` seconds; one run
/// before them is not counted.
fn median_seconds(enough: f64, mut work: impl FnMut()) -> f64 {
    work();
    let (begin, mut seconds) = (Instant::now(), Vec::new());
    while seconds.len() < 5 || begin.elapsed().as_secs_f64() < enough {
        let start = Instant::now();
        work();
        seconds.push(start.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

/// Numbers from -0.5 to 0.5, the same each time.
fn noise(seed: u64, len: usize) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    (0..len).map(|_| next()).collect()
}
