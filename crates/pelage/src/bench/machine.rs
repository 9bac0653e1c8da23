//! The machine under test.

use pelage_kernels::isa::Isa;
use pelage_kernels::peak;
use serde::Serialize;

/// The machine under test.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// The processor's name; empty if the operating system does not tell.
    pub processor: String,
    /// CPU threads in use.
    pub threads: usize,
    /// The instruction set of the kernels, see `PELAGE_ISA`.
    pub isa: &'static str,
    /// Register-only f32 multiply-adds on all threads, in 10^9 operations (two each) per second.
    pub peak_gflops: f64,
}

/// Measures the peak; takes a fraction of a second.
pub fn machine() -> Machine {
    let isa = Isa::best();
    Machine {
        processor: processor().unwrap_or_default(),
        threads: rayon::current_num_threads(),
        isa: isa.name(),
        peak_gflops: rayon::broadcast(|_| peak::flops(isa)).iter().sum::<f64>() / 1e9,
    }
}

/// The processor's name, as Linux tells it.
pub fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let (_, name) = text
        .lines()
        .find(|line| line.starts_with("model name"))?
        .split_once(':')?;
    Some(name.trim().to_string())
}
