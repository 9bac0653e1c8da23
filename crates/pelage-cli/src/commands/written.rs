//! A file that a verb writes for the user.

use std::path::{Path, PathBuf};

use pelage::data::growing::Earlier;
use pelage::data::output::{Format, Output};
use serde::Serialize;

use crate::failure::{Failure, Outcome};
use crate::table::some;
use crate::terminal::{is_json, print, print_exactly};

/// The file at `path`, looked at before the work; `-` is standard output, which one document at a time goes to.
pub(super) fn output(path: &Path, format: Format<'_>, force: bool) -> Result<Output, Failure> {
    let output = Output::new(path, format, force)?;
    match output.is_standard() && is_json() {
        true => Err(Failure::usage(format!(
            "both the {} and the JSON document would go to standard output",
            format.name()
        ))
        .help("name a file for the one, or leave --json out")),
        false => Ok(output),
    }
}

/// What `--resume` and `--force` say of an unfinished table.
pub(super) fn earlier(resume: bool, force: bool) -> Earlier {
    match (resume, force) {
        (true, _) => Earlier::Continued,
        (_, true) => Earlier::Replaced,
        _ => Earlier::Refused,
    }
}

/// Writes a text that a program will read to stdout, as it is.
pub(super) fn exactly(text: &str) -> Outcome {
    match print_exactly(text) {
        Ok(()) => Ok(String::new()),
        Err(failure) => Err(Failure::failed(format!("standard output: {failure}"))),
    }
}

/// The document where nothing that was named is missing; else the same, printed, and a failure, as of `cat`: what a
/// script named and did not get must not look like success.
pub(super) fn all_there(document: String, missing: Vec<String>) -> Outcome {
    if missing.is_empty() {
        return Ok(document);
    }
    print(&document).map_err(|failure| Failure::failed(format!("standard output: {failure}")))?;
    let told = match &missing[..] {
        [one] => format!("{one} is not there, or cannot be opened"),
        several => {
            let listed = some(missing.iter().cloned(), MISSING);
            format!(
                "{} named paths are not there, or cannot be opened\n{listed}",
                several.len()
            )
        }
    };
    Err(Failure::failed(told))
}

/// Names of what is missing that are listed.
const MISSING: usize = 5;

/// What was written.
#[derive(Serialize)]
pub(super) struct Written {
    pub(super) file: PathBuf,
    pub(super) bytes: usize,
}
