//! `pelage merge`.

use std::path::{Path, PathBuf};

use clap::Args;
use pelage::data::growing::{self, Merged};
use pelage::data::output::Format;
use pelage::features::merged;

use super::predict;
use super::written::output;
use crate::failure::{Failure, Outcome};
use crate::table::{count, thousands};
use crate::terminal::{answer, quoted};

/// Put the parts of `predict --shard`, `features --shard` or `inspect --shard` together
///
/// Writes what one call would have written, byte for byte. Refuses parts that are missing, there twice, unfinished,
/// changed since, or made by another model, with other settings or of other pictures: each part's record,
/// FILE.shard.json beside it, says what it is.
#[derive(Args)]
pub(super) struct Arguments {
    /// The parts, in any order: tables, or folders of features
    #[arg(required = true)]
    parts: Vec<PathBuf>,
    /// The table to write, or - for standard output; of features, the folder
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    /// Let --out replace a file that is no table of predictions
    #[arg(long)]
    force: bool,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    if arguments.parts.iter().any(|part| part.is_dir()) {
        if !arguments.parts.iter().all(|part| part.is_dir()) {
            return Err(Failure::usage("some of the parts are folders, and some are not"));
        }
        if arguments.out == Path::new("-") {
            return Err(
                Failure::usage("of features a folder is written, and - is standard output")
                    .help("give --out the name of a folder"),
            );
        }
        let merged = merged::merge(&arguments.parts, &arguments.out)?;
        return Ok(answer(&merged, |merged| merged.iter().map(described).collect())?);
    }
    let out = output(&arguments.out, Format::Table(predict::HEADING), arguments.force)?;
    let merged = growing::merge(&arguments.parts, &out)?;
    match out.is_standard() {
        true => Ok(String::new()),
        false => Ok(answer(&[merged], |merged| merged.iter().map(described).collect())?),
    }
}

fn described(merged: &Merged) -> String {
    let (file, parts, files) = (quoted(&merged.file), merged.parts, merged.files);
    format!(
        "{file}: {} of {}\n",
        thousands(files as u64) + " files",
        count(parts, "part")
    )
}
