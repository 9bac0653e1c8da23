//! `pelage completions` and `pelage man`: what a shell and `man` read, made from the command line's own description.

use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory};
use clap_complete::Shell;
use pelage::data::shown;
use serde::Serialize;

use super::Cli;
use super::written::exactly;
use crate::failure::{Failure, Outcome};
use crate::terminal::answer;

/// Print the completions of a shell, to be saved where it looks for them
#[derive(Args)]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

/// Write the manual pages, one for each verb
#[derive(Args)]
pub(super) struct Manual {
    /// The folder to write
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// What was written.
#[derive(Serialize)]
struct Pages<'a> {
    folder: &'a Path,
}

pub(super) fn completions(arguments: &Completions) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "pelage", &mut script);
    exactly(&String::from_utf8_lossy(&script))
}

pub(super) fn manual(arguments: &Manual) -> Outcome {
    let out = &arguments.out;
    let written = std::fs::create_dir_all(out).and_then(|()| clap_mangen::generate_to(Cli::command(), out));
    written.map_err(|failure| Failure::failed(format!("{}: {failure}", shown::path(out))))?;
    let pages = Pages { folder: out };
    Ok(answer(&pages, |Pages { folder }| {
        let folder = shown::path(folder);
        format!("{folder}: try `man {folder}/pelage.1`\n")
    })?)
}
