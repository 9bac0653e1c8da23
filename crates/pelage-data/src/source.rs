//! Where images come from: a folder, a zip, zips inside a zip, or one file. Nothing here is ever written to.

mod archive;
mod archives;
mod entry;
mod leftovers;
mod mark;
mod order;
mod shared_file;
mod zipped;

use std::collections::HashSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

pub use archive::Archive;
pub use entry::{Entry, Found, LeftOut, Location};
pub(crate) use leftovers::is_leftover;
pub use mark::{MARK, is_ours, mark, mark_png, mark_svg, note_written, remove_written, written};
pub(crate) use mark::{PLAN, is_cache_file, is_marked_png, is_marked_svg};
pub use order::natural_order;
pub(crate) use shared_file::read_at;
pub(crate) use zipped::is_zip_name;

/// The files that [`find`] finds.
///
/// # Errors
/// As there.
pub fn list(path: &Path) -> Result<Vec<Entry>> {
    Ok(find(path)?.entries)
}

/// Every file of `path` (a folder with all below it, a zip, or one file) in natural order (2 before 10), and what was
/// passed over. A folder below, or an archive within, that cannot be opened is one of the entries.
///
/// # Errors
/// A path that does not exist or cannot be read, a damaged zip.
pub fn find(path: &Path) -> Result<Found> {
    let kind = std::fs::metadata(path).map_err(Error::io(path))?;
    let mut found = Found::default();
    if kind.is_dir() {
        list_folder(path, "", &mut Vec::new(), &mut found).map_err(Error::io(path))?;
    } else if is_zip_name(&path.to_string_lossy()) || archives::is_zip(path) {
        let file = File::open(path).map_err(Error::io(path))?;
        zipped::list(file, path.display().to_string(), "", &mut found)?;
    } else {
        let name = entry::legible(path.file_name().unwrap_or(path.as_os_str()));
        let location = Location::File(path.to_path_buf());
        // A file that cannot be read is told with the others.
        if location.length().is_ok_and(|length| length.is_some()) {
            archives::check_not_packed(path, &location.head().unwrap_or_default())?;
        }
        found.entries.push(Entry { name, location });
    }
    found.entries.sort_by(|a, b| natural_order(&a.name, &b.name));
    found.left_out.sort_by(|a, b| natural_order(&a.path, &b.path));
    Ok(found)
}

/// Adds all below `folder`. Follows symbolic links, to files as organizing may make them and to class
/// folders on another disk, but not to one of the folders `above`: no cycles.
fn list_folder(folder: &Path, prefix: &str, above: &mut Vec<PathBuf>, found: &mut Found) -> std::io::Result<()> {
    let real = folder.canonicalize()?;
    if above.contains(&real) {
        found.leave_out(folder.display(), "a link to a folder above it");
        return Ok(());
    }
    let children = std::fs::read_dir(folder)?.collect::<std::io::Result<Vec<_>>>()?;
    if children.is_empty() {
        found.empty.push(prefix.to_string());
    }
    let names: HashSet<_> = children.iter().map(std::fs::DirEntry::file_name).collect();
    let names: HashSet<_> = names.iter().map(|name| name.to_string_lossy()).collect();
    // What is asked for by its own name is wanted.
    if !prefix.is_empty() && (mark::is_marked(|name| names.contains(name)) || mark::is_cache(&names)) {
        found.leave_out(folder.display(), "written by pelage");
        return Ok(());
    }
    above.push(real);
    for child in children {
        let (part, path) = (entry::legible(&child.file_name()), child.path());
        let name = format!("{prefix}{part}");
        let told = std::fs::metadata(&path);
        let is_folder = told.as_ref().is_ok_and(std::fs::Metadata::is_dir);
        let rule = match is_folder {
            true => leftovers::folder_rule(&part),
            false => leftovers::file_rule(&part),
        };
        if mark::is_note(&part) {
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
                    found.entries.push(Entry { name, location });
                }
            }
            // Reading these may never end.
            (None, Ok(told)) if !told.is_file() => found.leave_out(path.display(), "a pipe, a socket or a device"),
            // A link that leads nowhere is reported as unreadable, not skipped silently.
            _ => found.entries.push(Entry {
                name,
                location: Location::File(path),
            }),
        }
    }
    above.pop();
    Ok(())
}
