//! Data sets in many tars or Parquet files: named by a pattern, or all of a folder.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};

use super::archive_kind::Kind;
use super::entry::{Entry, Found, Location, is_image_name};
use super::packed::{self, closed};
use super::shard_names::row;
use crate::{Error, Result};

/// The most archives that a pattern names.
const MOST: usize = 1_000_000;

/// The paths that a pattern of numbers in braces names, as shells have it: `train-{000..009}.tar`. None where this is
/// no such pattern.
pub(super) fn named(path: &Path) -> Option<Vec<PathBuf>> {
    let text = path.to_str()?;
    let (before, rest) = text.split_once('{')?;
    let (range, after) = rest.split_once('}')?;
    let (first, last) = range.split_once("..")?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(first) || !is_number(last) || after.contains('{') {
        return None;
    }
    let (from, to): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
    let has_zeros = first.len() > 1 && first.starts_with('0') || first.len() == last.len();
    let width = if has_zeros { first.len() } else { 1 };
    let count = to.checked_sub(from)?;
    let path = |number: usize| PathBuf::from(format!("{before}{number:0width$}{after}"));
    (count < MOST).then(|| (from..=to).map(path).collect())
}

/// Adds all in the archives at `paths`, which are shards of one data set.
///
/// # Errors
/// One that is missing or damaged.
pub(super) fn list(paths: &[PathBuf], found: &mut Found) -> Result<()> {
    let mut shards = Vec::new();
    for path in paths {
        let mut shard = Found::default();
        let kind = match std::fs::metadata(path) {
            Ok(told) if told.is_file() => Kind::of_file(path),
            Ok(_) => None,
            // What is missing is this one, and not all that the pattern names.
            Err(failure) => {
                return Err(Error::data(
                    path,
                    format!("one of the archives that were named: {failure}"),
                ));
            }
        };
        let Some(kind) = kind else {
            return Err(Error::data(
                path,
                "a pattern names archives, and this is neither a tar nor a zip nor a Parquet file",
            ));
        };
        packed::list(path, kind, &mut shard)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        shards.push((name.into_owned(), shard));
    }
    add(shards, found);
    Ok(())
}

/// Opens the tars and Parquet files among the files of a folder, where no picture lies beside them: shards of a data
/// set. Beside pictures they are copies of these, or tables of them, as a rule.
///
/// # Errors
/// Parquet files, in a build that does not read them.
pub(super) fn open(found: &mut Found) -> Result<()> {
    let kind = |entry: &Entry| Kind::of_name(&entry.name).filter(|kind| *kind != Kind::Zip);
    let is_shard = |entry: &Entry| kind(entry).is_some();
    if !found.entries.iter().any(is_shard) || found.entries.iter().any(|entry| is_image_name(&entry.name)) {
        return Ok(());
    }
    #[cfg(not(feature = "parquet"))]
    if let Some(entry) = found.entries.iter().find(|entry| kind(entry) == Some(Kind::Parquet)) {
        return Err(packed::not_built(entry.location.to_string()));
    }
    let (shards, others): (Vec<_>, Vec<_>) = std::mem::take(&mut found.entries).into_iter().partition(is_shard);
    found.entries = others;
    let opened = shards.into_iter().map(|entry| {
        let mut shard = Found::default();
        let listed = match (&entry.location, kind(&entry)) {
            (Location::File(path), Some(kind)) => packed::list(path, kind, &mut shard),
            _ => Ok(()),
        };
        if let Err(failure) = listed {
            shard = Found::default();
            shard
                .entries
                .push(closed(String::new(), entry.location.to_string(), failure.reason()));
        }
        (entry.name, shard)
    });
    add(opened.collect(), found);
    Ok(())
}

/// Adds shards, each by its name. What is in them is called by what all shards of one row are called, `train` for
/// `train-000.tar`; by its shard's own name where a name is in two of these.
fn add(shards: Vec<(String, Found)>, found: &mut Found) {
    let mut rows: BTreeMap<String, Vec<(String, String, Found)>> = BTreeMap::new();
    for (name, shard) in shards {
        let (stem, extension) = name.rsplit_once('.').unwrap_or((&name, ""));
        let (stem, extension) = (stem.to_string(), extension.to_string());
        rows.entry(row(&stem)).or_default().push((stem, extension, shard));
    }
    let hasher = RandomState::new();
    for (row, shards) in rows {
        let mut names = HashSet::new();
        let own = |entry: &Entry| hasher.hash_one(&entry.name);
        // Twice within one shard is another matter.
        let is_double = shards.iter().any(|(_, _, shard)| {
            let own: HashSet<u64> = shard.entries.iter().map(own).collect();
            own.into_iter().any(|name| !names.insert(name))
        });
        for (stem, extension, shard) in shards {
            let prefix = if is_double { &stem } else { &row };
            for mut entry in shard.entries {
                entry.name = match (entry.name.is_empty(), prefix.is_empty()) {
                    // One that cannot be opened.
                    (true, _) => format!("{stem}.{extension}"),
                    (false, true) => entry.name,
                    (false, false) => format!("{prefix}/{}", entry.name),
                };
                found.entries.push(entry);
            }
            found.left_out.extend(shard.left_out);
            found.empty.extend(shard.empty);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_name_archives() {
        let names = |pattern: &str| {
            let paths = named(Path::new(pattern))?;
            Some(
                paths
                    .iter()
                    .map(|path| path.display().to_string())
                    .collect::<Vec<_>>()
                    .join(" "),
            )
        };
        assert_eq!(
            names("a/s-{008..010}.tar").unwrap(),
            "a/s-008.tar a/s-009.tar a/s-010.tar"
        );
        assert_eq!(names("{8..10}.tar").unwrap(), "8.tar 9.tar 10.tar");
        for none in [
            "a.tar",
            "{a..b}.tar",
            "{3..1}.tar",
            "{0..9999999}.tar",
            "{1..2}{1..2}",
            "{1,2}.tar",
        ] {
            assert_eq!(names(none), None, "{none}");
        }
    }
}
