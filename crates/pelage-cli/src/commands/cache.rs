//! `pelage cache`.

use clap::{Args, Subcommand};
use pelage::data::cache;

use crate::failure::Outcome;
use crate::table::megabytes;

/// Where decoded pictures are cached, and how to remove them
///
/// The environment variable PELAGE_CACHE names the folder; without it, it is `pelage` in the user's folder for caches.
#[derive(Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Print the cache folder
    Show,
    /// Remove cached pictures and features; pretrained weights stay
    Clear,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let folder = cache::default_dir();
    match arguments.verb {
        Verb::Show => Ok(format!("{}\n", folder.display())),
        Verb::Clear => Ok(format!(
            "{}: {} freed\n",
            folder.display(),
            megabytes(cache::clear(&folder)?)
        )),
    }
}
