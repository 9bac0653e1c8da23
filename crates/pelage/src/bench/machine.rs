//! The machine that is measured.

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
