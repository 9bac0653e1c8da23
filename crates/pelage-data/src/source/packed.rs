//! Archives as sources, and those within others.

use std::fs::File;
use std::path::Path;

use super::archive_kind::{Inner, Kind};
use super::entry::{Entry, Found, Location};
#[cfg(feature = "parquet")]
use super::parquet_rows;
use super::shared_file::SharedFile;
use super::{tarred, zipped};
use crate::{Error, Result};

/// Adds all in the archive at `path`, and in archives within.
pub(super) fn list(path: &Path, kind: Kind, found: &mut Found) -> Result<()> {
    let file = File::open(path).and_then(SharedFile::new).map_err(Error::io(path))?;
    let mut within = Vec::new();
    // What lies in an archive is not called by that; rows may need it.
    let stem = match kind {
        Kind::Parquet => path.file_stem().unwrap_or_default().to_string_lossy(),
        _ => "".into(),
    };
    add(kind, file, path.display().to_string(), &stem, found, Some(&mut within))?;
    for inner in within {
        let stem = &inner.name[..inner.name.rfind('.').unwrap_or(inner.name.len())];
        let location = inner.location.clone();
        let added = inner
            .file
            .and_then(|file| add(inner.kind, file, inner.location, stem, found, None));
        // What is in other archives is as good as it was.
        if let Err(failure) = added {
            found.entries.push(closed(inner.name, location, failure.reason()));
        }
    }
    Ok(())
}

fn add(
    kind: Kind,
    file: SharedFile,
    name: String,
    stem: &str,
    found: &mut Found,
    within: Option<&mut Vec<Inner>>,
) -> Result<()> {
    match kind {
        Kind::Zip => zipped::list(file, name, stem, found, within),
        Kind::Tar => tarred::list(file, name, stem, found, within),
        #[cfg(feature = "parquet")]
        Kind::Parquet => parquet_rows::list(file, name, stem, found),
        #[cfg(not(feature = "parquet"))]
        Kind::Parquet => Err(not_built(name)),
    }
}

/// What this build does not read.
#[cfg(not(feature = "parquet"))]
pub(super) fn not_built(path: impl Into<std::path::PathBuf>) -> Error {
    let reason = "a Parquet file, which this build of pelage does not read; build it with the feature `parquet`";
    Error::data(path, reason)
}

/// What cannot be opened, and why.
pub(super) fn closed(name: String, location: String, reason: String) -> Entry {
    Entry::new(name, Location::Closed { name: location, reason })
}
