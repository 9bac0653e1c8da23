//! The files in a tar archive.

use std::collections::HashMap;
use std::sync::Arc;

use super::archive_kind::{Inner, Kind};
use super::entry::{Entry, Found, Location};
use super::members::Members;

use super::samples::Samples;
use super::shared_file::SharedFile;
use super::tar_archive::TarArchive;
use crate::Result;

/// Adds all in a tar archive; `stem` is its own name, and the folder of what lies at its top, where it is one within
/// another. Archives within go to `within`, if they are wanted. Classes that stand beside pictures, as WebDataset has
/// them, are taken.
pub(super) fn list(
    file: SharedFile,
    archive_name: String,
    stem: &str,
    found: &mut Found,
    mut within: Option<&mut Vec<Inner>>,
) -> Result<()> {
    let archive = Arc::new(TarArchive::open(file, archive_name)?);
    let names = || (0..archive.len()).map(|member| archive.member_name(member));
    let samples = Samples::of(&archive);
    let mut members = Members::new(archive.name(), stem, names());
    let by_name: HashMap<&str, usize> = match archive.has_links() {
        true => names().zip(0..).collect(),
        false => HashMap::new(),
    };
    found.entries.reserve(archive.len());
    for member in 0..archive.len() {
        let name = archive.member_name(member);
        if samples.is_taken(member) {
            continue;
        }
        let Some(full) = members.called(name, found) else {
            continue;
        };
        let shown = || format!("{}!{name}", archive.name());
        let target = match archive.why_no_file(member) {
            Some(why) => Err(why.to_string()),
            None => archive.resolved(member, &by_name),
        };
        let target = match target {
            Ok(target) => target,
            Err(reason) => {
                found.leave_out(shown(), reason);
                continue;
            }
        };
        if let Some(why) = archive.why_unreadable(target) {
            let (name, reason) = (shown(), why.into());
            found.entries.push(Entry::new(full, Location::Closed { name, reason }));
            continue;
        }
        match (Kind::of_member(name), &mut within) {
            (Some(kind), Some(within)) => within.push(Inner {
                name: full,
                location: shown(),
                kind,
                file: Ok(archive.part(target)),
            }),
            _ => {
                let location = Location::Tar {
                    archive: archive.clone(),
                    member,
                    target,
                };
                let label = samples.label(name);
                found.entries.push(Entry {
                    name: full,
                    location,
                    label,
                });
            }
        }
    }
    if archive.goes_on {
        let why = "behind the archive's end, as where archives were joined; not read";
        found.leave_out(format!("{}!", archive.name()), why);
    }
    Ok(())
}
