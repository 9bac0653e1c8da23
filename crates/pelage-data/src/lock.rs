//! A folder that one process at a time writes.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// The file that is locked: the system releases it however its process ends.
pub(crate) const NAME: &str = ".pelage-lock";

/// Creates a folder, and those above it, unless it is there.
///
/// # Errors
/// What is in the way, or [`Error::Io`] where it cannot be created.
pub fn create_folder(folder: &Path) -> Result<()> {
    match (std::fs::metadata(folder), std::fs::symlink_metadata(folder)) {
        (Ok(told), _) if !told.is_dir() => Err(Error::data(folder, "is a file; give the name of a folder")),
        (Err(_), Ok(link)) if link.is_symlink() => Err(Error::data(
            folder,
            "is a link that leads nowhere; give the name of a folder",
        )),
        _ => std::fs::create_dir_all(folder).map_err(Error::io(folder)),
    }
}

/// The right to write a folder, until it is dropped. A folder that is empty then is removed.
#[derive(Debug)]
pub struct FolderLock {
    file: Option<File>,
    folder: PathBuf,
}

impl FolderLock {
    /// Creates `folder`, unless it is there, and takes the right to write it.
    ///
    /// # Errors
    /// [`Error::Busy`] where another process has it, or this one already; [`Error::Io`] where the folder cannot be
    /// written.
    pub fn take(folder: &Path) -> Result<Self> {
        let path = folder.join(NAME);
        loop {
            create_folder(folder)?;
            let opened = File::options().create(true).truncate(false).write(true).open(&path);
            let file = match opened {
                // Its last owner has removed the folder in the meantime.
                Err(failure) if failure.kind() == std::io::ErrorKind::NotFound => continue,
                opened => opened.map_err(Error::io(folder))?,
            };
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => return Err(Error::Busy { path: folder.into() }),
                // Where a file system has no locks, its users must take care themselves.
                Ok(()) | Err(TryLockError::Error(_)) if is_at(&file, &path) => {
                    return Ok(FolderLock {
                        file: Some(file),
                        folder: folder.to_path_buf(),
                    });
                }
                // Locked is what its last owner removed meanwhile.
                _ => {}
            }
        }
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // Removed while it is locked, so that nobody locks a file that is about to vanish and believes in it. Where
        // that fails an empty file is left, which locks nobody out.
        let _ = std::fs::remove_file(self.folder.join(NAME));
        self.file = None;
        // Only if it is empty.
        let _ = std::fs::remove_dir(&self.folder);
    }
}

/// Creates the first folder of `names` that does not exist, which makes it this process's own.
///
/// # Errors
/// [`Error::Io`] where it cannot be created.
pub fn first_free(names: impl Iterator<Item = PathBuf>) -> Result<Claimed> {
    let mut made = None;
    for folder in names {
        // Others may make and remove the folder around it at the same time, though not for ever.
        for attempt in 0.. {
            match std::fs::create_dir(&folder) {
                Ok(()) => {
                    // A folder in use and none without pictures, should it lie among these.
                    let claimed = Claimed { folder, parent: made };
                    std::fs::write(claimed.join(NAME), b"").map_err(Error::io(&*claimed))?;
                    return Ok(claimed);
                }
                Err(failure) if failure.kind() == std::io::ErrorKind::AlreadyExists => break,
                Err(failure) => match folder.parent() {
                    // Missing, or removed by another process whose claim came to nothing.
                    Some(parent) if failure.kind() == std::io::ErrorKind::NotFound && attempt < 100 => {
                        if !parent.exists() {
                            std::fs::create_dir_all(parent).map_err(Error::io(parent))?;
                            made = Some(parent.to_path_buf());
                        }
                    }
                    _ => return Err(Error::io(folder)(failure)),
                },
            }
        }
    }
    Err(Error::Dataset("every name for a new folder is taken".into()))
}

/// A folder that was created for this process, with a lock in it that nobody holds; removed with this where nothing
/// else was written into it, and so is the folder around it that had to be created.
#[derive(Debug)]
pub struct Claimed {
    folder: PathBuf,
    parent: Option<PathBuf>,
}

impl std::ops::Deref for Claimed {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        let children = std::fs::read_dir(&self.folder).into_iter().flatten();
        if children.flatten().all(|child| child.file_name() == NAME) {
            let _ = std::fs::remove_file(self.folder.join(NAME));
        }
        for folder in std::iter::once(&self.folder).chain(&self.parent) {
            // Only if it is empty.
            let _ = std::fs::remove_dir(folder);
        }
    }
}

/// Whether an open file is the one of this name still.
#[cfg(unix)]
pub(crate) fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let number = |told: std::io::Result<std::fs::Metadata>| told.ok().map(|told| (told.dev(), told.ino()));
    number(file.metadata()).is_some_and(|own| Some(own) == number(std::fs::metadata(path)))
}

/// Elsewhere an open file that was removed cannot be locked.
#[cfg(not(unix))]
pub(crate) fn is_at(_: &File, path: &Path) -> bool {
    path.exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_writer_and_what_is_left_empty_goes() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("runs/one");
        let lock = FolderLock::take(&folder).unwrap();
        let busy = FolderLock::take(&folder).unwrap_err();
        assert!(matches!(&busy, Error::Busy { path } if *path == folder), "{busy}");
        drop(lock);
        assert!(!folder.exists());

        let lock = FolderLock::take(&folder).unwrap();
        std::fs::write(folder.join("kept"), b"").unwrap();
        drop(lock);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
        // A file that a killed process left locks nobody out.
        std::fs::write(folder.join(NAME), b"").unwrap();
        FolderLock::take(&folder).unwrap();
    }

    #[test]
    fn what_is_in_the_way_of_a_folder_is_told() {
        let outer = tempfile::tempdir().unwrap();
        let file = outer.path().join("file");
        std::fs::write(&file, b"").unwrap();
        let refused = FolderLock::take(&file).unwrap_err().to_string();
        assert!(refused.ends_with("is a file; give the name of a folder"), "{refused}");
        #[cfg(unix)]
        {
            let link = outer.path().join("link");
            std::os::unix::fs::symlink("nowhere", &link).unwrap();
            let refused = FolderLock::take(&link).unwrap_err().to_string();
            assert!(refused.contains("a link that leads nowhere"), "{refused}");
        }
    }

    #[test]
    fn many_writers_at_once_are_one_at_a_time() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("one");
        let inside = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        if let Ok(lock) = FolderLock::take(&folder) {
                            assert_eq!(inside.fetch_add(1, std::sync::atomic::Ordering::SeqCst), 0);
                            std::thread::yield_now();
                            inside.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                            drop(lock);
                        }
                    }
                });
            }
        });
        assert!(!folder.exists());
    }

    #[test]
    fn every_claim_is_another_folder() {
        let outer = tempfile::tempdir().unwrap();
        let names = || (1..).map(|number| outer.path().join(format!("runs/cnn3-{number}")));
        let claims: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| first_free(names()).unwrap())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let different: std::collections::HashSet<_> = claims.iter().map(|claim| claim.to_path_buf()).collect();
        assert_eq!(different.len(), 8);
        drop(claims);
        // Whoever made it takes it away, if it is the last to go.
        if let Ok(left) = std::fs::read_dir(outer.path().join("runs")) {
            assert_eq!(left.count(), 0);
            std::fs::remove_dir(outer.path().join("runs")).unwrap();
        }
        drop(first_free(names()).unwrap());
        assert!(!outer.path().join("runs").exists());
    }
}
