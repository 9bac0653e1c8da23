//! `pelage cache`.

use clap::{Args, Subcommand};
use pelage::data::cache;

use crate::failure::Outcome;

/// Where decoded pictures are kept, and how to remove them
#[derive(Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Print the cache folder
    Show,
    /// Remove what pelage has put there
    Clear,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let folder = cache::default_dir();
    let megabytes = |bytes: u64| format!("{:.1} MB", bytes as f64 / 1e6);
    match arguments.verb {
        Verb::Show => Ok(format!("{}\n", folder.display())),
        Verb::Clear => Ok(format!(
            "{}: {} freed\n",
            folder.display(),
            megabytes(cache::clear(&folder)?)
        )),
    }
}
