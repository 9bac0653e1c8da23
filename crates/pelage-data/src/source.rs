//! Where images come from: a folder, a zip, zips inside a zip, or one file. Nothing here is ever written to.

mod archives;

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zip::ZipArchive;
use zip::result::ZipError;

use crate::decode::{self, Held, Limits};
use crate::{Error, Result};

/// Bytes of a file that are looked at first, to tell whether it is worth reading.
const HEAD: u64 = 512;

/// A file of more bytes is looked at before it is read.
const LARGE: u64 = 1 << 20;

/// Where an image's bytes are.
#[derive(Clone)]
pub enum Location {
    /// A file.
    File(PathBuf),
    /// A member of a zip archive.
    Zip {
        /// The archive.
        archive: Arc<Archive>,
        /// Which of its members.
        member: usize,
        /// The member's name.
        name: String,
    },
}

/// An open zip archive whose directory was read once; clones share it.
pub struct Archive {
    name: String,
    zip: ZipArchive<SharedFile>,
}

impl Location {
    /// The image's bytes.
    ///
    /// # Errors
    /// A file that cannot be read, a damaged archive, more bytes than [`Limits`] allow, or a large file of something
    /// else than a picture, which is not read to its end.
    pub fn read(&self) -> Result<Vec<u8>> {
        self.read_with(|bytes| bytes)
    }

    /// What `use_` makes of the image's bytes, which count among the memory that threads share meanwhile.
    ///
    /// # Errors
    /// As [`Location::read`].
    pub fn read_with<T>(&self, use_: impl FnOnce(Vec<u8>) -> T) -> Result<T> {
        let limits = Limits::default();
        let refused = |reason| Error::data(self.to_string(), reason);
        let told = self.length()?;
        limits.check_file(told.unwrap_or(0)).map_err(refused)?;
        if told.is_some_and(|length| length > LARGE) {
            let head = self.read_up_to(HEAD)?;
            if !decode::is_picture(&head) {
                return Err(refused(decode::not_an_image(&head)));
            }
        }
        let _held = Held::to_read(told.unwrap_or(0), limits.max_alloc_bytes);
        let most = told.unwrap_or(limits.max_alloc_bytes);
        let bytes = self.read_up_to(most.saturating_add(1))?;
        if bytes.len() as u64 > most {
            return Err(refused(format!("larger than the {most} bytes that were expected")));
        }
        Ok(use_(bytes))
    }

    /// Bytes of the file, as the file system or the archive's directory tells; a pipe's are not known.
    fn length(&self) -> Result<Option<u64>> {
        match self {
            Location::File(path) => {
                let told = std::fs::metadata(path).map_err(|source| self.failed(source))?;
                Ok(told.is_file().then_some(told.len()))
            }
            Location::Zip { archive, member, .. } => {
                let mut zip = archive.zip.clone();
                let member = zip.by_index_raw(*member).map_err(|failure| self.zip_failed(failure))?;
                Ok(Some(member.size()))
            }
        }
    }

    fn read_up_to(&self, limit: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match self {
            Location::File(path) => {
                let file = File::open(path).map_err(|source| self.failed(source))?;
                file.take(limit)
                    .read_to_end(&mut bytes)
                    .map_err(|source| self.failed(source))?;
            }
            Location::Zip { archive, member, .. } => {
                let mut zip = archive.zip.clone();
                let member = zip.by_index(*member).map_err(|failure| self.zip_failed(failure))?;
                member
                    .take(limit)
                    .read_to_end(&mut bytes)
                    .map_err(|source| self.failed(source))?;
            }
        }
        Ok(bytes)
    }

    fn failed(&self, source: std::io::Error) -> Error {
        // How a member is packed turns out when it is read.
        let zip = source.get_ref().and_then(|inner| inner.downcast_ref());
        if let Some(reason) = zip.and_then(archives::packed_otherwise) {
            return Error::data(self.to_string(), reason);
        }
        Error::Io {
            path: PathBuf::from(self.to_string()),
            source,
        }
    }

    fn zip_failed(&self, failure: ZipError) -> Error {
        self.failed(failure.into())
    }
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Location::File(path) => write!(f, "{}", path.display()),
            Location::Zip { archive, name, .. } => write!(f, "{}!{name}", archive.name),
        }
    }
}

impl std::fmt::Debug for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// One candidate for an image.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its name relative to the source, with slashes.
    pub name: String,
    /// Where its bytes are.
    pub location: Location,
}

/// Names that images have, including formats that are recognized only to say that they cannot be read.
const EXTENSIONS: [&str; 24] = [
    "jpg", "jpeg", "jpe", "jfif", "png", "webp", "gif", "bmp", "dib", "tif", "tiff", "heic", "heif", "hif", "heics",
    "avif", "avifs", "jxl", "jp2", "jpf", "jpx", "j2k", "j2c", "jls",
];

impl Entry {
    /// Whether this is meant to be an image: by its extension, broken or not, or else by its first bytes.
    pub fn claims_to_be_image(&self) -> bool {
        let extension = self.name.rsplit_once('.').map_or("", |(_, extension)| extension);
        EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known))
            || self
                .location
                .read_up_to(HEAD)
                .is_ok_and(|head| decode::is_picture(&head))
    }
}

/// Every file of `path` (a folder with all below it, a zip, or one file) in natural order (2 before 10), without
/// hidden files and what operating systems leave behind.
///
/// # Errors
/// A path that does not exist or cannot be read, a damaged zip.
pub fn list(path: &Path) -> Result<Vec<Entry>> {
    let kind = std::fs::metadata(path).map_err(Error::io(path))?;
    let mut entries = Vec::new();
    if kind.is_dir() {
        list_folder(path, "", &mut Vec::new(), &mut entries)?;
    } else if is_zip_name(&path.to_string_lossy()) || archives::is_zip(path) {
        let file = File::open(path).map_err(Error::io(path))?;
        list_zip(file, path.display().to_string(), "", &mut entries)?;
    } else {
        let name = path
            .file_name()
            .unwrap_or(path.as_os_str())
            .to_string_lossy()
            .into_owned();
        let location = Location::File(path.to_path_buf());
        // A file that cannot be read is told with the others.
        if location.length().is_ok_and(|length| length.is_some()) {
            archives::check_not_packed(path, &location.read_up_to(HEAD).unwrap_or_default())?;
        }
        entries.push(Entry { name, location });
    }
    entries.sort_by(|a, b| natural_order(&a.name, &b.name));
    Ok(entries)
}

/// Adds all below `folder`. Follows symbolic links, to files as organizing may make them and to class
/// folders on another disk, but not to one of the folders `above`: no cycles.
fn list_folder(folder: &Path, prefix: &str, above: &mut Vec<PathBuf>, entries: &mut Vec<Entry>) -> Result<()> {
    let real = folder.canonicalize().map_err(Error::io(folder))?;
    if above.contains(&real) {
        return Ok(());
    }
    above.push(real);
    for entry in std::fs::read_dir(folder).map_err(Error::io(folder))? {
        let entry = entry.map_err(Error::io(folder))?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if is_leftover(&name) {
            continue;
        }
        let path = entry.path();
        match std::fs::metadata(&path) {
            Ok(told) if told.is_dir() => list_folder(&path, &format!("{name}/"), above, entries)?,
            // No pipes or devices: reading these may never end.
            Ok(told) if !told.is_file() => {}
            // A link that leads nowhere is reported as unreadable, not skipped silently.
            _ => entries.push(Entry {
                name,
                location: Location::File(path),
            }),
        }
    }
    above.pop();
    Ok(())
}

/// Adds all in a zip and in zips within; `stem` is such an inner zip's own name and the folder of what lies at its top.
fn list_zip(file: File, archive_name: String, stem: &str, entries: &mut Vec<Entry>) -> Result<()> {
    let damaged = |failure: zip::result::ZipError| {
        let reason = format!("not a readable zip archive ({failure}); is the download complete?");
        Error::data(&archive_name, reason)
    };
    let zip = ZipArchive::new(SharedFile::new(file).map_err(Error::io(&archive_name))?).map_err(damaged)?;
    let archive = Arc::new(Archive {
        name: archive_name.clone(),
        zip,
    });
    for member in 0..archive.zip.len() {
        let name = match archive.zip.name_for_index(member) {
            Some(Ok(name)) => name.into_owned(),
            _ => format!("member {member} with an unreadable name"),
        };
        let full = name.replace('\\', "/");
        let full = if stem.is_empty() || full.contains('/') {
            full
        } else {
            format!("{stem}/{full}")
        };
        if name.ends_with('/') || is_leftover(&full) {
            continue;
        }
        if is_zip_name(&name) && stem.is_empty() {
            let inner_name = format!("{archive_name}!{name}");
            // Unpacked to an unnamed temporary file, which the operating system removes with the last handle.
            let mut inner = tempfile::tempfile().map_err(Error::io(std::env::temp_dir()))?;
            let mut zip = archive.zip.clone();
            let packed = zip.by_index(member).map_err(damaged)?;
            // An archive hardly shrinks when it is packed again, unless it is a bomb.
            let limit = 16 * packed.compressed_size() + (1 << 20);
            let size = std::io::copy(&mut packed.take(limit), &mut inner).map_err(Error::io(&inner_name))?;
            if size == limit {
                let reason = format!("unpacks to more than {} MiB, not opened", limit >> 20);
                return Err(Error::data(inner_name, reason));
            }
            list_zip(inner, inner_name, &full[..full.len() - ".zip".len()], entries)?;
        } else {
            let location = Location::Zip {
                archive: archive.clone(),
                member,
                name,
            };
            entries.push(Entry { name: full, location });
        }
    }
    Ok(())
}

pub(crate) fn is_zip_name(name: &str) -> bool {
    name.to_ascii_lowercase().ends_with(".zip")
}

/// Hidden files, macOS's resource forks, Windows's thumbnails.
pub(crate) fn is_leftover(name: &str) -> bool {
    let last = name.rsplit('/').next().unwrap_or(name);
    name.split('/').any(|part| part == "__MACOSX" || part.starts_with('.'))
        || last.eq_ignore_ascii_case("Thumbs.db")
        || last.eq_ignore_ascii_case("desktop.ini")
}

/// Compares names with runs of digits as numbers: `cat.2.jpg` before `cat.10.jpg`.
pub fn natural_order(a: &str, b: &str) -> std::cmp::Ordering {
    let (mut left, mut right) = (a.as_bytes(), b.as_bytes());
    while let (Some(x), Some(y)) = (left.first(), right.first()) {
        let order = if x.is_ascii_digit() && y.is_ascii_digit() {
            let (m, n) = (digits(&mut left), digits(&mut right));
            m.len().cmp(&n.len()).then(m.cmp(n))
        } else {
            (left, right) = (&left[1..], &right[1..]);
            x.cmp(y)
        };
        if order.is_ne() {
            return order;
        }
    }
    left.len().cmp(&right.len()).then(a.cmp(b))
}

/// Takes the leading digits off, without leading zeros.
fn digits<'a>(text: &mut &'a [u8]) -> &'a [u8] {
    let end = text.iter().position(|c| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    *text = rest;
    let zeros = number.iter().take_while(|&&c| c == b'0').count();
    &number[zeros..]
}

/// A file handle that can be cloned, each clone with its own position: threads read one archive at once.
#[derive(Clone)]
struct SharedFile {
    file: Arc<File>,
    position: u64,
    len: u64,
}

impl SharedFile {
    fn new(file: File) -> std::io::Result<Self> {
        let len = file.metadata()?.len();
        Ok(SharedFile {
            file: Arc::new(file),
            position: 0,
            len,
        })
    }
}

/// Reads at a position without moving a cursor that others share.
pub(crate) fn read_at(file: &File, buffer: &mut [u8], position: u64) -> std::io::Result<usize> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::read_at(file, buffer, position);
    #[cfg(windows)]
    return std::os::windows::fs::FileExt::seek_read(file, buffer, position);
}

impl Read for SharedFile {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = read_at(&self.file, buffer, self.position)?;
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for SharedFile {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        let target = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.len.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = target.ok_or(std::io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_sort_as_numbers() {
        let mut names = ["b", "cat.10.jpg", "cat.2.jpg", "cat.02.jpg", "cat", "a/3", "a/20"];
        names.sort_by(|a, b| natural_order(a, b));
        assert_eq!(
            names,
            ["a/3", "a/20", "b", "cat", "cat.02.jpg", "cat.2.jpg", "cat.10.jpg"]
        );
    }

    #[test]
    fn leftovers_are_passed_over() {
        assert!(is_leftover("__MACOSX/cat.1.jpg") && is_leftover("a/.DS_Store") && is_leftover("Cat/Thumbs.db"));
        assert!(!is_leftover("Cat/1.jpg"));
    }
}
