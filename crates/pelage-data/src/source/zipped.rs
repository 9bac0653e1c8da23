//! The files in a zip, and in zips within.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::sync::Arc;

use zip::read::OwnedZipFileEntry;

use super::archive::{Archive, plain_name};
use super::entry::{Entry, Found, Location};
use super::leftovers::rule_within;
use super::mark;
use crate::Result;

/// Whether a file of this name is meant to be a zip.
pub(crate) fn is_zip_name(name: &str) -> bool {
    name.to_ascii_lowercase().ends_with(".zip")
}

/// Adds all in a zip and in zips within; `stem` is such an inner zip's own name and the folder of what lies at its top.
pub(super) fn list(file: File, archive_name: String, stem: &str, found: &mut Found) -> Result<()> {
    let archive = Arc::new(Archive::open(file, archive_name)?);
    let overlapping = archive.overlapping();
    let files = |(_, member): &(usize, &OwnedZipFileEntry)| !member.is_dir();
    let by_name: HashMap<String, usize> = (archive.members().iter().enumerate().filter(files))
        .filter_map(|(number, member)| Some((plain_name(member)?, number)))
        .collect();
    // What pelage has written and somebody has packed.
    let signs = by_name
        .keys()
        .filter_map(|name| name.rsplit_once('/'))
        .filter(|(_, file)| mark::is_sign(file));
    let marked: HashSet<&str> = signs
        .map(|(folder, _)| folder)
        .filter(|folder| mark::is_marked(|file| by_name.contains_key(&format!("{folder}/{file}"))))
        .collect();
    let mut passed_over = HashSet::new();
    for (number, member) in archive.members().iter().enumerate().filter(files) {
        let name = plain_name(member).unwrap_or_else(|| format!("member {number} with an unreadable name"));
        let full = match stem.is_empty() || name.contains('/') {
            true => name.clone(),
            false => format!("{stem}/{name}"),
        };
        let location = format!("{}!{name}", archive.name());
        let ours = || {
            let mut ends = name.match_indices('/').map(|(end, _)| end);
            ends.find(|end| marked.contains(&name[..*end]))
                .map(|end| (end, "written by pelage"))
        };
        if let Some((end, why)) = ours().or_else(|| rule_within(&name)) {
            let path = format!("{}!{}", archive.name(), &name[..end]);
            if passed_over.insert(path.clone()) {
                found.leave_out(path, why);
            }
            continue;
        }
        if overlapping.contains(&number) {
            let reason = "it shares bytes with another member of the archive, as zip bombs do; not unpacked";
            found.entries.push(closed(full, location, reason.into()));
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
        if is_zip_name(&name) && stem.is_empty() {
            let inner_stem = full[..full.len() - ".zip".len()].to_string();
            let inner = archive.unpack(target, &location);
            // What is in other archives is as good as it was.
            if let Err(failure) = inner.and_then(|inner| list(inner, location.clone(), &inner_stem, found)) {
                found.entries.push(closed(full, location, failure.reason()));
            }
        } else {
            let location = Location::Zip {
                archive: archive.clone(),
                member: target,
                name,
            };
            found.entries.push(Entry { name: full, location });
        }
    }
    Ok(())
}

fn closed(name: String, location: String, reason: String) -> Entry {
    let location = Location::Closed { name: location, reason };
    Entry { name, location }
}
