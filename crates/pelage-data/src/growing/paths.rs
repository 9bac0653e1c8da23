//! Where a table's rows and its record are.

use std::path::{Path, PathBuf};

/// Where the rows of an unfinished table at `path` are.
pub fn part(path: &Path) -> PathBuf {
    with(path, ".part")
}

/// Where the record of an unfinished table is.
pub(super) fn of_part(path: &Path) -> PathBuf {
    with(path, ".part.json")
}

/// Where that of a whole one is.
pub(super) fn of_table(path: &Path) -> PathBuf {
    with(path, ".shard.json")
}

/// A path with an ending behind its own.
fn with(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(ending);
    name.into()
}
