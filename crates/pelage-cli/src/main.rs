//! The command line of pelage: one file per verb; each turns flags into options, calls the library once, and prints the
//! result. Results go to stdout, progress and messages to stderr. Exit codes: 0 done, 1 failed, 2 wrong usage.
#![forbid(unsafe_code)]

mod commands;
mod failure;
mod options;
mod progress;
mod table;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let document = match commands::Cli::parse().run() {
        Ok(document) => document,
        Err(failure) => {
            eprintln!("error: {failure}");
            return failure.exit_code();
        }
    };
    match std::io::stdout().write_all(document.as_bytes()) {
        // The reader has closed the pipe: `pelage predict ... | head`.
        Err(closed) if closed.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: standard output: {failure}");
            ExitCode::FAILURE
        }
        Ok(()) => ExitCode::SUCCESS,
    }
}
