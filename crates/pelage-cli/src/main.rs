//! The command line of pelage: one file per verb; each turns flags into options, calls the library once, and prints the
//! result. Results go to stdout, progress and messages to stderr. Exit codes: 0 done, 1 failed, 2 wrong usage, 130 or
//! 143 stopped by Ctrl-C or SIGTERM.
#![forbid(unsafe_code)]

mod commands;
mod failure;
mod options;
mod progress;
mod signals;
mod table;
mod terminal;

use std::process::ExitCode;

use clap::Parser;
use failure::Failure;
use terminal::tell;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let document = match commands::Cli::parse().run() {
        Ok(document) => document,
        Err(failure) => {
            match failure {
                Failure::Interrupted { .. } => tell(&failure),
                _ => tell(format_args!("error: {failure}\n")),
            }
            return failure.exit_code();
        }
    };
    match terminal::print(&document) {
        Err(failure) => {
            tell(format_args!("error: standard output: {failure}\n"));
            ExitCode::FAILURE
        }
        Ok(()) => ExitCode::SUCCESS,
    }
}
