//! The command line of pelage: one file per verb; each turns flags into options, calls the library once, and prints the
//! result. Results go to stdout, progress and messages to stderr. Exit codes: 0 done, 1 failed, 2 wrong usage, 130 or
//! 143 stopped by Ctrl-C or SIGTERM.
#![forbid(unsafe_code)]

mod commands;
mod decisions;
mod failure;
mod options;
mod progress;
mod signals;
mod table;
mod terminal;
mod usage;

use std::process::ExitCode;

use failure::Failure;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    terminal::begin(std::env::args_os());
    let failed = match usage::parse::<commands::Cli>() {
        Ok(command) => match command.run() {
            Ok(document) => match terminal::print(&document) {
                Ok(()) => return ExitCode::SUCCESS,
                Err(failure) => Failure::failed(format!("standard output: {failure}")),
            },
            Err(failure) => failure,
        },
        Err(Ok(said)) => return said,
        Err(Err(failure)) => failure,
    };
    terminal::warn(&failed);
    failed.exit_code()
}
