//! Files that are either the old one or the new one, never half of one.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use crate::{Error, Result};

/// How the names of files begin and end that are being written.
const UNFINISHED: [&str; 2] = [".writing-", ".tmp"];

/// Writes `bytes` to `path`: temporary file beside it, fsync, rename, fsync of the folder.
///
/// A kill or a full disk at any moment leaves the earlier file in place.
///
/// # Errors
/// [`Error::Io`] where the folder cannot be written or is full.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    through_temporary(path, |file| file.write_all(bytes)).map_err(Error::io(path))
}

/// Copies the file at `from` to `path` in the same way.
///
/// # Errors
/// [`Error::Io`] where one cannot be read, or the folder of the other cannot be written or is full.
pub fn copy(from: &Path, path: &Path) -> Result<()> {
    let mut from = File::open(from).map_err(Error::io(from))?;
    through_temporary(path, |file| std::io::copy(&mut from, file).map(drop)).map_err(Error::io(path))
}

/// Gives a file that was written under another name, on the same disk, its own one.
///
/// # Errors
/// [`Error::Io`] where the file cannot be synced or renamed.
pub fn rename(from: &Path, path: &Path) -> Result<()> {
    let attempt = || -> std::io::Result<()> {
        // Windows syncs only what is open for writing.
        File::options().append(true).open(from)?.sync_all()?;
        std::fs::rename(from, path)?;
        sync_folder(path)
    };
    attempt().map_err(Error::io(path))
}

/// Whether a file of this name is being written, or was when its writer was killed.
pub(crate) fn is_unfinished(name: &str) -> bool {
    name.starts_with(UNFINISHED[0]) && name.ends_with(UNFINISHED[1])
}

fn through_temporary(path: &Path, fill: impl FnOnce(&mut File) -> std::io::Result<()>) -> std::io::Result<()> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(UNFINISHED[0]).suffix(UNFINISHED[1]);
    // As any other new file, less what the umask takes away; by default a temporary file is its owner's alone.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder(path))?;
    fill(file.as_file_mut())?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|failure| failure.error)?;
    sync_folder(path)
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
    #[test]
    fn replaces_whole_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        super::write(&path, b"one").unwrap();
        super::write(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        let other = folder.path().join("b");
        super::write(&other, b"three").unwrap();
        super::copy(&other, &path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"three");
        super::write(&path, b"four").unwrap();
        super::rename(&other, &path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"three");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_missing_folder_is_an_error_that_names_the_file() {
        let failure = super::write(std::path::Path::new("/nonexistent-folder/a"), b"x").unwrap_err();
        assert!(failure.to_string().contains("nonexistent-folder"));
    }
}
