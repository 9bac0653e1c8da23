//! The lock of a journal, where Optuna has its own, so that its tools and ours keep out of each other's way: whoever
//! creates `journal.log.lock` may append. Optuna makes a symbolic link of that name and takes one to be left by a dead
//! process after half a minute in which the journal has not changed; so do we with what is not ours.
//!
//! Ours is a file that its owner has locked, and that says on which machine. Where that is this one, a file that nobody
//! has locked was left by a process that was killed, and nobody waits for it.

use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::{Error, Result};

/// After this long without a change, a lock was left by a process that was killed.
const GRACE: Duration = Duration::from_secs(30);

/// The right to append, until it is dropped.
pub(super) struct JournalLock {
    path: PathBuf,
    locked: File,
}

impl JournalLock {
    /// Waits for the right to append to `journal`.
    pub(super) fn take(journal: &Path) -> Result<JournalLock> {
        let path = with_suffix(journal, ".lock");
        let own = with_suffix(&path, &unique());
        let made = make(&own).map_err(Error::io(&own));
        let taken = made.and_then(|locked| {
            wait(journal, &path, &own, GRACE)?;
            Ok(locked)
        });
        // Under the lock's name it stays.
        let _ = std::fs::remove_file(&own);
        taken.map(|locked| JournalLock { path, locked })
    }
}

impl Drop for JournalLock {
    fn drop(&mut self) {
        // Not what somebody else holds by now, who has waited for too long.
        if cfg!(not(unix)) || is_at(&self.locked, &self.path) {
            release(&self.path);
        }
    }
}

/// A file that is locked before others see it.
fn make(own: &Path) -> std::io::Result<File> {
    let mut file = File::options().write(true).create_new(true).open(own)?;
    // Before it says whose it is. Where a file system has no locks, the time must tell.
    let _ = file.try_lock();
    file.write_all(machine().as_bytes())?;
    Ok(file)
}

/// Until `own` has the name `path`.
fn wait(journal: &Path, path: &Path, own: &Path, grace: Duration) -> Result<()> {
    let (mut pause, mut last, mut since) = (Duration::from_millis(1), None, Instant::now());
    loop {
        match std::fs::hard_link(own, path) {
            Ok(()) => return Ok(()),
            Err(failure) if failure.kind() == ErrorKind::AlreadyExists => {}
            Err(failure) => return Err(Error::io(path)(failure)),
        }
        let changed = std::fs::metadata(journal).and_then(|about| about.modified()).ok();
        if changed != last {
            (last, since) = (changed, Instant::now());
        }
        if since.elapsed() > grace && !is_held(path) {
            release(path);
            since = Instant::now();
        } else if let Some(_left) = left(path) {
            release(path);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}

/// Whether a lock is one of this machine whose owner lives, if it is only slow.
fn is_held(path: &Path) -> bool {
    let is_ours = std::fs::read_to_string(path).is_ok_and(|told| !told.is_empty() && told == machine());
    let is_locked = |file: File| matches!(file.try_lock(), Err(TryLockError::WouldBlock));
    is_ours && File::open(path).is_ok_and(is_locked)
}

/// A lock of this machine whose owner is dead: locked now by this process, so that only one releases it.
fn left(path: &Path) -> Option<File> {
    if std::fs::read_to_string(path).ok()? != machine() || machine().is_empty() {
        return None;
    }
    let file = File::open(path).ok()?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock | TryLockError::Error(_)) => None,
        // Not another one by now.
        Ok(()) => is_at(&file, path).then_some(file),
    }
}

/// Removes what processes of this machine left that were killed before their lock had its name.
pub(super) fn sweep(journal: &Path) {
    let name = with_suffix(journal, ".lock-");
    let begins = name.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let entries = journal.parent().and_then(|folder| std::fs::read_dir(folder).ok());
    for entry in entries.into_iter().flatten().flatten() {
        let ours = entry.file_name().to_string_lossy().starts_with(&begins);
        if ours && left(&entry.path()).is_some() {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Renamed first, so that of two who release a lock only one does.
fn release(path: &Path) {
    let away = with_suffix(path, &format!("{}.rename", unique()));
    if std::fs::rename(path, &away).is_ok() {
        let _ = std::fs::remove_file(&away);
    }
}

fn unique() -> String {
    static COUNT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    format!(
        "-{}-{}-{count}",
        std::process::id(),
        jiff::Timestamp::now().as_nanosecond()
    )
}

/// What no other running system is called; empty where there is no such thing.
fn machine() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default()
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(suffix);
    name.into()
}

#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let number = |told: std::io::Result<std::fs::Metadata>| told.ok().map(|told| (told.dev(), told.ino()));
    number(file.metadata()).is_some_and(|own| Some(own) == number(std::fs::symlink_metadata(path)))
}

/// Elsewhere no machine has a name here, so that nothing is found to be left.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_left_is_taken_over_and_what_a_living_one_has_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let journal = folder.path().join("journal.log");
        std::fs::write(&journal, "").unwrap();
        let lock = JournalLock::take(&journal).unwrap();
        assert!(left(&folder.path().join("journal.log.lock")).is_none());
        drop(lock);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        if machine().is_empty() {
            return;
        }
        std::fs::write(folder.path().join("journal.log.lock"), machine()).unwrap();
        drop(JournalLock::take(&journal).unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        std::fs::write(folder.path().join("journal.log.lock-7-8-9"), machine()).unwrap();
        sweep(&journal);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        // Of another machine, nobody can tell, but the time.
        let path = folder.path().join("journal.log.lock");
        std::fs::write(&path, "elsewhere").unwrap();
        assert!(left(&path).is_none());
        let own = folder.path().join("own");
        std::fs::write(&own, "").unwrap();
        wait(&journal, &path, &own, Duration::from_millis(20)).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "");
        std::fs::remove_file(&path).unwrap();
        // Who holds one and is slow does not lose it.
        let lock = JournalLock::take(&journal).unwrap();
        assert!(is_held(&path));
        drop(lock);
        assert!(!is_held(&path) && !path.exists());
    }
}
