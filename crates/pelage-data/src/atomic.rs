//! Files that are either the old one or the new one, never half of one: written under a temporary name beside their
//! own, then renamed.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::NamedTempFile;

use crate::{Error, Result};

/// How temporary names begin and end.
const NAME: [&str; 2] = [".writing-", ".tmp"];

/// Writes `bytes` to `path` and syncs it: a kill, a full disk or a power failure at any moment leaves the earlier file
/// or the new one.
///
/// # Errors
/// [`Error::Io`] where the folder cannot be written or is full.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let attempt = || {
        let mut file = Unfinished::new(path)?;
        file.write_all(bytes)?;
        file.sync_and_finish()
    };
    attempt().map_err(Error::io(path))
}

/// Copies the file at `from` to `path` in the same way.
///
/// # Errors
/// [`Error::Io`] where one cannot be read, or the folder of the other cannot be written or is full.
pub fn copy(from: &Path, path: &Path) -> Result<()> {
    let mut source = File::open(from).map_err(Error::io(from))?;
    let mut attempt = || {
        let mut file = Unfinished::new(path)?;
        std::io::copy(&mut source, &mut file)?;
        file.sync_and_finish()
    };
    attempt().map_err(Error::io(path))
}

/// Gives a file that was written under another name, on the same disk, its own one.
///
/// # Errors
/// [`Error::Io`] where the file cannot be synced or renamed.
pub fn rename(from: &Path, path: &Path) -> Result<()> {
    let attempt = || {
        // Windows syncs only what is open for writing.
        File::options().append(true).open(from)?.sync_all()?;
        std::fs::rename(from, path)?;
        sync_folder(path)
    };
    attempt().map_err(Error::io(path))
}

/// The file that `path` names once its links are followed, whether it exists or not.
///
/// # Errors
/// A chain of more than 40 links.
pub fn followed(path: &Path) -> std::io::Result<PathBuf> {
    let mut path = path.to_path_buf();
    for _ in 0..40 {
        match std::fs::read_link(&path) {
            Ok(target) => path = folder(&path).join(target),
            Err(_) => return Ok(path),
        }
    }
    Err(std::io::Error::other("links that lead to each other"))
}

/// A file under its temporary name, which is removed where this is dropped. It is locked, so that one which is not was
/// left by a process that was killed, see [`is_abandoned`].
pub struct Unfinished {
    file: NamedTempFile,
    path: PathBuf,
}

impl Unfinished {
    /// An empty one, which will be `path`.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn new(path: &Path) -> std::io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(NAME[0]).suffix(NAME[1]);
        // As any other new file, less what the umask takes away; by default a temporary file is its owner's alone.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = builder.tempfile_in(folder(path))?;
        // Where a file system has no locks, its age must do.
        let _ = file.as_file().try_lock();
        Ok(Unfinished {
            file,
            path: path.to_path_buf(),
        })
    }

    /// Gives it its name, in place of any file there; the file, open and no longer locked.
    ///
    /// # Errors
    /// A file that cannot be renamed.
    pub fn finish(self) -> std::io::Result<File> {
        unlocked(self.file.persist(&self.path)?)
    }

    /// As [`Unfinished::finish`], but never in place of another file.
    ///
    /// # Errors
    /// A file of that name; a file that cannot be renamed.
    pub fn finish_new(self) -> std::io::Result<File> {
        unlocked(self.file.persist_noclobber(&self.path)?)
    }

    /// As [`Unfinished::finish`], and survives a power failure from then on.
    ///
    /// # Errors
    /// A file that cannot be synced or renamed.
    pub fn sync_and_finish(self) -> std::io::Result<()> {
        self.file.as_file().sync_all()?;
        let path = self.path.clone();
        self.finish()?;
        sync_folder(&path)
    }
}

impl Write for Unfinished {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

fn unlocked(file: File) -> std::io::Result<File> {
    // Where a file system has no locks, there is none to release.
    let _ = file.unlock();
    Ok(file)
}

/// Whether a file is named as one that is being written, or was when its writer was killed.
pub fn is_unfinished(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with(NAME[0]) && name.ends_with(NAME[1])
}

/// Whether nobody writes the unfinished file at `path` any more: it is not locked, and older than `age`, since a new
/// one is not locked yet for a moment.
pub fn is_abandoned(path: &Path, age: Duration) -> bool {
    let Ok(file) = File::open(path) else { return false };
    let modified = file.metadata().and_then(|told| told.modified());
    let old = modified.is_ok_and(|modified| modified.elapsed().is_ok_and(|elapsed| elapsed >= age));
    old && file.try_lock().is_ok()
}

/// Removes the unfinished files in `folder` that nobody writes any more. Only for the one who writes there: another's
/// file might be so new that it is not locked yet.
pub fn sweep(folder: &Path) {
    let inside = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for path in inside.map(|entry| entry.path()) {
        if is_unfinished(&path) && is_abandoned(&path, Duration::ZERO) {
            // What cannot be removed harms nobody.
            let _ = std::fs::remove_file(path);
        }
    }
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Makes the name of `path` last, where the system lets one.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    if cfg!(unix) {
        File::open(folder(path))?.sync_all()
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_whole_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        let other = folder.path().join("b");
        write(&other, b"three").unwrap();
        copy(&other, &path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"three");
        write(&path, b"four").unwrap();
        rename(&other, &path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"three");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_missing_folder_is_an_error_that_names_the_file() {
        let failure = write(Path::new("/nonexistent-folder/a"), b"x").unwrap_err();
        assert!(failure.to_string().contains("nonexistent-folder"));
    }

    #[test]
    fn an_unfinished_file_is_told_from_an_abandoned_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, b"mine").unwrap();
        let mut file = Unfinished::new(&path).unwrap();
        file.write_all(b"new").unwrap();
        let temporary = file.file.path().to_path_buf();
        assert!(is_unfinished(&temporary) && !is_unfinished(&path));
        assert!(!is_abandoned(&temporary, Duration::ZERO));
        // Not over another file; and what was not finished is gone.
        assert_eq!(file.finish_new().unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&path).unwrap(), b"mine");
        assert!(!temporary.exists());
        std::fs::write(&temporary, b"left").unwrap();
        assert!(is_abandoned(&temporary, Duration::ZERO) && !is_abandoned(&temporary, Duration::from_secs(60)));
        let running = Unfinished::new(&path).unwrap();
        sweep(folder.path());
        assert!(!temporary.exists() && path.exists() && running.file.path().exists());
    }
}
