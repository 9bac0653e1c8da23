//! Where images come from: a folder, a zip, a tar, archives inside of these, shards of a data set, a Parquet file, or
//! one file. Nothing here is ever written to.

mod archive;
mod archive_kind;
mod archives;
mod class_keys;
mod class_names;
mod entry;
mod leftovers;
mod legible;
mod mark;
mod member_names;
mod members;
mod order;
mod packed;
#[cfg(feature = "parquet")]
mod parquet_columns;
#[cfg(feature = "parquet")]
mod parquet_file;
#[cfg(feature = "parquet")]
mod parquet_rows;
mod samples;
mod shard_names;
mod shards;
mod shared_file;
mod tar_archive;
mod tar_headers;
mod tarred;
mod zipped;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

pub use archive::Archive;
pub(crate) use archive_kind::Kind;
pub use entry::{Entry, Found, LeftOut, Location};
pub(crate) use leftovers::is_leftover;
pub use mark::{MARK, is_ours, mark, mark_png, mark_svg, note_written, remove_written, written};
pub(crate) use mark::{ORIGINS, ORIGINS_HEADING, PLAN, is_cache_file, is_marked_png, is_marked_svg};
pub use order::natural_order;
#[cfg(feature = "parquet")]
pub use parquet_file::ParquetFile;
pub(crate) use shared_file::read_at;
pub use tar_archive::TarArchive;

/// The files that [`find`] finds.
///
/// # Errors
/// As there.
pub fn list(path: &Path) -> Result<Vec<Entry>> {
    Ok(find(path)?.entries)
}

/// What of `path` is on the disk: itself, or the first of the archives that a pattern names.
pub fn on_disk(path: &Path) -> PathBuf {
    let named = (!path.exists()).then(|| shards::named(path)).flatten();
    let first = named.and_then(|paths| paths.into_iter().next());
    first.unwrap_or_else(|| path.to_path_buf())
}

/// Every file of `path` (a folder with all below it, a zip, a tar, or one file) in natural order (2 before 10), and
/// what was passed over. A folder below, or an archive within, that cannot be opened is one of the entries. Shards of a
/// data set may be given by a pattern, `train-{000..009}.tar`, or as a folder that holds tars or Parquet files and no
/// pictures beside them.
///
/// # Errors
/// A path that does not exist or cannot be read, a damaged archive.
pub fn find(path: &Path) -> Result<Found> {
    let mut found = Found::default();
    let kind = match std::fs::metadata(path) {
        Err(failure) => match shards::named(path) {
            Some(paths) => {
                shards::list(&paths, &mut found)?;
                return Ok(finished(found));
            }
            None => return Err(Error::io(path)(failure)),
        },
        Ok(kind) => kind,
    };
    if kind.is_dir() {
        list_folder(path, "", &mut Vec::new(), &mut found).map_err(Error::io(path))?;
        shards::open(&mut found)?;
    } else if let Some(kind) = Kind::of_file(path) {
        packed::list(path, kind, &mut found)?;
    } else {
        let name = legible::legible(path.file_name().unwrap_or(path.as_os_str()));
        let location = Location::File(path.to_path_buf());
        // A file that cannot be read is told with the others.
        if location.length().is_ok_and(|length| length.is_some()) {
            archives::check_not_packed(path, &location.head().unwrap_or_default())?;
        }
        found.entries.push(Entry::new(name, location));
    }
    Ok(finished(found))
}

/// In order, and with names of classes where there are numbers of them.
fn finished(mut found: Found) -> Found {
    class_names::give(&mut found.entries);
    found.entries.sort_by(|a, b| natural_order(&a.name, &b.name));
    found.left_out.sort_by(|a, b| natural_order(&a.path, &b.path));
    found
}

/// Adds all below `folder`. Follows symbolic links, to files as organizing may make them and to class
/// folders on another disk, but not to one of the folders `above`: no cycles.
fn list_folder(folder: &Path, prefix: &str, above: &mut Vec<PathBuf>, found: &mut Found) -> std::io::Result<()> {
    let real = folder.canonicalize()?;
    if above.contains(&real) {
        found.leave_out(folder.display(), "a link to a folder above it");
        return Ok(());
    }
    // Looked through twice, since the names of a million files would be as much as is kept of them.
    let (mut is_empty, mut is_cache, mut telling) = (true, true, HashSet::new());
    for child in std::fs::read_dir(folder)? {
        let name = child?.file_name();
        let name = name.to_string_lossy();
        (is_empty, is_cache) = (false, is_cache && mark::is_cache_file(&name));
        if mark::tells(&name) {
            telling.insert(name.into_owned());
        }
    }
    if is_empty {
        found.empty.push(prefix.to_string());
    }
    // What is asked for by its own name is wanted.
    if !prefix.is_empty() && (mark::is_marked(|name| telling.contains(name)) || !is_empty && is_cache) {
        found.leave_out(folder.display(), mark::WRITTEN);
        return Ok(());
    }
    above.push(real);
    for child in std::fs::read_dir(folder)? {
        let child = child?;
        let (part, path) = (legible::legible(&child.file_name()), child.path());
        let name = format!("{prefix}{part}");
        let told = std::fs::metadata(&path);
        let is_folder = told.as_ref().is_ok_and(std::fs::Metadata::is_dir);
        let rule = match is_folder {
            true => leftovers::folder_rule(&part),
            false => leftovers::file_rule(&part),
        };
        if mark::is_note(&part, telling.contains(PLAN)) {
            continue;
        }
        match (rule, told) {
            (Some(why), _) => found.leave_out(path.display(), why),
            (None, Ok(_)) if is_folder => {
                let name = format!("{name}/");
                if let Err(failure) = list_folder(&path, &name, above, found) {
                    let location = Location::Closed {
                        name: path.display().to_string(),
                        reason: failure.to_string(),
                    };
                    found.entries.push(Entry::new(name, location));
                }
            }
            // Reading these may never end.
            (None, Ok(told)) if !told.is_file() => found.leave_out(path.display(), "a pipe, a socket or a device"),
            // A link that leads nowhere is reported as unreadable, not skipped silently.
            _ => found.entries.push(Entry::new(name, Location::File(path))),
        }
    }
    above.pop();
    Ok(())
}
