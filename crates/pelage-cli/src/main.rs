//! The binary: the command line, with an allocator that suits it.
#![forbid(unsafe_code)]

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    pelage_kernels::allocator::keep();
    pelage_cli::run(std::env::args_os().collect()).into()
}
