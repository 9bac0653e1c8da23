//! The command line of pelage: one file per verb; each turns flags into options, calls the library once, and prints the
//! result. Results go to stdout, progress and messages to stderr. Exit codes: 0 done, 1 failed
//! or not all that was named is there, 2 wrong usage, 130 or 143 stopped by Ctrl-C or SIGTERM.
//!
//! It is a library for the sake of what wraps it: the binary, and the Python package, whose settings are its flags.
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

use std::ffi::OsString;

pub use commands::{Training, training};
pub use failure::Failure;

/// Runs the command line `arguments`, of which the first is the program's name, and returns its exit code.
pub fn run(arguments: Vec<OsString>) -> u8 {
    terminal::begin(arguments.iter());
    let failed = match usage::parse::<commands::Cli>(arguments) {
        Ok(command) => match command.run() {
            Ok(document) => match terminal::print(&document) {
                Ok(()) => return 0,
                Err(failure) => Failure::failed(format!("standard output: {failure}")),
            },
            Err(failure) => failure,
        },
        Err(Ok(code)) => return code,
        Err(Err(failure)) => failure,
    };
    terminal::warn(&failed);
    failed.exit_code()
}
