//! The files in a zip.

use std::collections::HashMap;
use std::sync::Arc;

use zip::read::OwnedZipFileEntry;

use super::archive::{Archive, plain_name};
use super::archive_kind::{Inner, Kind};
use super::entry::{Entry, Found, Location};
use super::members::Members;

use super::shared_file::SharedFile;
use crate::{Error, Result};

/// Adds all in a zip; `stem` is its own name, and the folder of what lies at its top, where it is one within another.
/// Archives within go to `within`, if they are wanted.
pub(super) fn list(
    file: SharedFile,
    archive_name: String,
    stem: &str,
    found: &mut Found,
    mut within: Option<&mut Vec<Inner>>,
) -> Result<()> {
    let archive = Arc::new(Archive::open(file, archive_name)?);
    let overlapping = archive.overlapping();
    let files = |(_, member): &(usize, &OwnedZipFileEntry)| !member.is_dir();
    let by_name: HashMap<String, usize> = (archive.members().iter().enumerate().filter(files))
        .filter_map(|(number, member)| Some((plain_name(member)?, number)))
        .collect();
    let mut members = Members::new(archive.name(), stem, by_name.keys().map(String::as_str));
    for (number, member) in archive.members().iter().enumerate().filter(files) {
        let name = plain_name(member).unwrap_or_else(|| format!("member {number} with an unreadable name"));
        let location = format!("{}!{name}", archive.name());
        let Some(full) = members.called(&name, found) else {
            continue;
        };
        if overlapping.contains(&number) {
            let reason = "it shares bytes with another member of the archive, as zip bombs do; not unpacked".into();
            let location = Location::Closed { name: location, reason };
            found.entries.push(Entry::new(full, location));
            continue;
        }
        let target = match member.is_symlink().then(|| archive.linked(number, &by_name)) {
            None => number,
            Some(Ok(target)) => target,
            Some(Err(reason)) => {
                found.leave_out(location, reason);
                continue;
            }
        };
        match (Kind::of_member(&name), &mut within) {
            (Some(kind), Some(within)) => {
                let unpacked = archive.unpack(target, &location);
                let file = unpacked.and_then(|file| SharedFile::new(file).map_err(Error::io(&location)));
                within.push(Inner {
                    name: full,
                    location,
                    kind,
                    file,
                });
            }
            _ => {
                let location = Location::Zip {
                    archive: archive.clone(),
                    member: target,
                    name,
                };
                found.entries.push(Entry::new(full, location));
            }
        }
    }
    Ok(())
}
