//! `pelage cache`.

use std::path::Path;
use std::time::Duration;

use clap::{Args, Subcommand};
use pelage::data::cache::{self, Kept, Kind};
use serde::Serialize;

use crate::failure::Outcome;
use crate::table::{megabytes, table};
use crate::terminal::{answer, quoted};

/// What was kept of pictures that were decoded before, and how to remove it
///
/// The cache lies in the folder that the environment variable PELAGE_CACHE names, else in the user's folder for caches.
/// Past PELAGE_CACHE_LIMIT gigabytes (20) what was not used for longest is removed.
#[derive(Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// List what is kept: kind, size, last use
    Show,
    /// Remove cached pictures and features; pretrained weights stay
    Clear {
        /// Only what was not used for so many days
        #[arg(long, value_name = "DAYS")]
        older_than: Option<f64>,
    },
}

/// What `cache show` prints as JSON.
#[derive(Serialize)]
struct Shown<'a> {
    folder: &'a Path,
    most_bytes: u64,
    kept: &'a [Kept],
}

/// What `cache clear` prints as JSON.
#[derive(Serialize)]
struct Cleared<'a> {
    folder: &'a Path,
    freed_bytes: u64,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let folder = cache::default_dir();
    match arguments.verb {
        Verb::Show => {
            let kept = cache::kept(&folder)?;
            let shown = Shown {
                folder: &folder,
                most_bytes: cache::most_bytes(),
                kept: &kept,
            };
            Ok(answer(&shown, |shown| described(shown.folder, shown.kept))?)
        }
        Verb::Clear { older_than } => {
            let days = older_than.unwrap_or(0.0);
            let age = Duration::try_from_secs_f64(days * 24.0 * 3600.0);
            let age = age.map_err(|_| pelage::Error::setting("older_than", days, "a number of days, 0 or more"))?;
            let freed_bytes = cache::clear(&folder, age)?;
            let cleared = Cleared {
                folder: &folder,
                freed_bytes,
            };
            let described = |_: &Cleared| format!("{}: {} freed\n", quoted(&folder), megabytes(freed_bytes));
            Ok(answer(&cleared, described)?)
        }
    }
}

fn described(folder: &Path, kept: &[Kept]) -> String {
    let total: u64 = kept.iter().map(|one| one.bytes).sum();
    let rows = kept.iter().map(|one| {
        let name = one.path.file_stem().unwrap_or_default().to_string_lossy();
        let kind = match one.kind {
            Kind::Pictures => "decoded pictures",
            Kind::Features => "features",
        };
        let used = format!("{} ago", age(cache::unused(one)));
        vec![name.chars().take(8).collect(), kind.into(), megabytes(one.bytes), used]
    });
    let list = match kept.is_empty() {
        true => String::new(),
        false => table(&["key", "kind", "size", "last used"], 2..4, rows),
    };
    let (total, most) = (megabytes(total), megabytes(cache::most_bytes()));
    format!("{list}{}: {total} of at most {most}\n", quoted(folder))
}

/// A time in the unit that suits it.
fn age(time: Duration) -> String {
    match time.as_secs() {
        0..3600 => format!("{} min", time.as_secs() / 60),
        3600..172_800 => format!("{} h", time.as_secs() / 3600),
        seconds => format!("{} days", seconds / 86_400),
    }
}
