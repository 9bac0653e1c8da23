//! The folder of the disk cache: where it is, which files in it are the cache's, and what is left of killed runs.

use std::path::{Path, PathBuf};
use std::time::Duration;

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

/// Removes the cache's files from `folder`, but for those that a run is just writing; the bytes freed. Other files
/// there stay.
///
/// # Errors
/// Files that cannot be removed.
pub fn clear(folder: &Path) -> Result<u64> {
    if !folder.exists() {
        return Ok(0);
    }
    let mut freed = remove_abandoned(folder, Duration::ZERO);
    for path in files(folder)
        .map_err(Error::io(folder))?
        .into_iter()
        .filter(|path| is_whole(path))
    {
        freed += path.metadata().map_or(0, |told| told.len());
        std::fs::remove_file(&path).map_err(Error::io(&path))?;
    }
    Ok(freed)
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

fn is_whole(path: &Path) -> bool {
    is_cache_file(&path.file_name().unwrap_or_default().to_string_lossy())
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
