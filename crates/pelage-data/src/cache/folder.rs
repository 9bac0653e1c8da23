//! The folder of the disk cache: where it is, which files in it are the cache's, and what is left of killed runs.

#[cfg(test)]
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::atomic::{is_abandoned, is_unfinished};
use crate::source::is_cache_file;
use crate::{Error, Result};

/// The user's cache folder: `PELAGE_CACHE`, else `pelage` in the platform's place for caches.
pub fn default_dir() -> PathBuf {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    set("PELAGE_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|folder| folder.join("pelage")))
        .or_else(|| set("LOCALAPPDATA").map(|folder| folder.join("pelage")))
        .or_else(|| set("HOME").map(|folder| folder.join(".cache/pelage")))
        .unwrap_or_else(|| std::env::temp_dir().join("pelage-cache"))
}

/// What a cache's file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Decoded images.
    Pictures,
    /// Features by a frozen backbone.
    Features,
}

/// A file of the cache.
#[derive(Clone, Debug, Serialize)]
pub struct Kept {
    /// The file.
    pub path: PathBuf,
    /// What it holds.
    pub kind: Kind,
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was last used.
    pub used: SystemTime,
}

/// The cache's files in `folder`, the least recently used first; none where there is no such folder.
///
/// # Errors
/// A folder that cannot be read.
pub fn kept(folder: &Path) -> Result<Vec<Kept>> {
    let found = match files(folder) {
        Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        found => found.map_err(Error::io(folder))?,
    };
    let described = |path: PathBuf| {
        let (kind, told) = (kind(&path)?, path.metadata().ok()?);
        Some(Kept {
            kind,
            bytes: told.len(),
            used: told.modified().ok()?,
            path,
        })
    };
    let mut kept: Vec<_> = found.into_iter().filter_map(described).collect();
    kept.sort_by_key(|one| one.used);
    Ok(kept)
}

/// Removes the cache's files from `folder` that were not used for `age`, but for those that a run is just writing; the
/// bytes freed. Other files there stay.
///
/// # Errors
/// Files that cannot be removed.
pub fn clear(folder: &Path, age: Duration) -> Result<u64> {
    let mut freed = remove_abandoned(folder, Duration::ZERO);
    for old in kept(folder)?.into_iter().filter(|one| unused(one) >= age) {
        std::fs::remove_file(&old.path).map_err(Error::io(&old.path))?;
        freed += old.bytes;
    }
    Ok(freed)
}

/// For how long it was not used.
pub fn unused(kept: &Kept) -> Duration {
    kept.used.elapsed().unwrap_or_default()
}

/// Notes that the cache's file at `path` is used now. Where that cannot be written, it only looks older than it is.
pub fn note_use(path: &Path) {
    let opened = std::fs::File::options().append(true).open(path);
    let _ = opened.and_then(|file| file.set_modified(SystemTime::now()));
}

/// Removes the least recently used files of the cache until what is left and `more` bytes are no more than
/// [`most_bytes`]. A file that cannot be removed stays.
pub fn make_room(folder: &Path, more: u64) {
    keep_within(folder, more, most_bytes());
}

fn keep_within(folder: &Path, more: u64, most: u64) {
    let kept = kept(folder).unwrap_or_default();
    let mut total = more + kept.iter().map(|one| one.bytes).sum::<u64>();
    for old in kept {
        if total <= most {
            break;
        }
        if std::fs::remove_file(&old.path).is_ok() {
            total -= old.bytes;
        }
    }
}

/// The most that the cache may hold, in bytes: `PELAGE_CACHE_LIMIT` in gigabytes, by default 20.
pub fn most_bytes() -> u64 {
    limit().unwrap_or(20_000_000_000)
}

/// The same as it is set, in bytes.
///
/// # Errors
/// What is no number of gigabytes.
pub fn limit() -> std::result::Result<u64, String> {
    let Ok(set) = std::env::var("PELAGE_CACHE_LIMIT") else {
        return Ok(20_000_000_000);
    };
    let gigabytes = set.trim().parse::<f64>().ok().filter(|limit| *limit >= 0.0);
    let bytes = gigabytes.map(|gigabytes| (gigabytes * 1e9) as u64);
    bytes.ok_or_else(|| format!("PELAGE_CACHE_LIMIT is '{set}', which is no number of gigabytes; 20 are taken"))
}

/// Removes unfinished files of killed runs that are older than `age`; the bytes freed.
pub(super) fn remove_abandoned(folder: &Path, age: Duration) -> u64 {
    let mut freed = 0;
    for path in files(folder).unwrap_or_default() {
        let length = path.metadata().map_or(0, |told| told.len());
        // One that vanishes meanwhile was finished or removed by another run.
        if (is_unfinished(&path) || is_old_unfinished(&path))
            && is_abandoned(&path, age)
            && std::fs::remove_file(&path).is_ok()
        {
            freed += length;
        }
    }
    freed
}

/// As pelage 0.1 named them.
fn is_old_unfinished(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("pelage-") && name.ends_with(".tmp")
}

/// What the file at `path` holds, if its name is one of the cache's.
fn kind(path: &Path) -> Option<Kind> {
    let name = path.file_name()?.to_str()?;
    let kind = match name.ends_with(".features") {
        true => Kind::Features,
        false => Kind::Pictures,
    };
    is_cache_file(name).then_some(kind)
}

fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
}

/// Free memory in bytes as Linux reports it; elsewhere 4 GiB is assumed.
pub(super) fn available_memory() -> usize {
    let told = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("MemAvailable:"))?.to_string();
        line.split_whitespace().nth(1)?.parse::<usize>().ok()
    });
    told.map_or(4 << 30, |kilobytes| kilobytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_makes_room() {
        let folder = tempfile::tempdir().unwrap();
        let path = |digit: char| folder.path().join(format!("{}.pictures", digit.to_string().repeat(32)));
        for (age, digit) in [(30, 'a'), (20, 'b'), (10, 'c')] {
            std::fs::write(path(digit), [0; 100]).unwrap();
            let file = File::options().append(true).open(path(digit)).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
        }
        std::fs::write(folder.path().join("holiday.pictures"), [0; 100]).unwrap();
        note_use(&path('a'));
        let there = || "abc".chars().filter(|&digit| path(digit).exists()).collect::<String>();
        keep_within(folder.path(), 100, 400);
        assert_eq!(there(), "abc");
        keep_within(folder.path(), 100, 300);
        assert_eq!(there(), "ac");
        assert_eq!(clear(folder.path(), Duration::from_secs(5)).unwrap(), 100);
        assert_eq!(there(), "a");
        keep_within(folder.path(), 500, 300);
        assert_eq!(there(), "");
        assert!(folder.path().join("holiday.pictures").exists());
    }
}
