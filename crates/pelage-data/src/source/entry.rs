//! What a source holds: files, where their bytes are, and what is passed over.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use serde::Serialize;

use super::archive::Archive;
use super::legible::legible;
use super::mark::{WRITTEN, is_marked_png, is_marked_svg};
#[cfg(feature = "parquet")]
use super::parquet_file::ParquetFile;
use super::tar_archive::TarArchive;
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
    /// A member of a tar archive, where it lies.
    Tar {
        /// The archive.
        archive: Arc<TarArchive>,
        /// Which of its members.
        member: usize,
        /// The member that has the bytes: another one where this is a link.
        target: usize,
    },
    /// A row of a Parquet file.
    #[cfg(feature = "parquet")]
    Parquet {
        /// The file.
        file: Arc<ParquetFile>,
        /// Which of its rows, from 0.
        row: usize,
    },
    /// A folder or an archive that cannot be opened; what it holds is not known.
    Closed {
        /// Where it is.
        name: String,
        /// Why it cannot be opened.
        reason: String,
    },
}

impl Location {
    /// The image's bytes.
    ///
    /// # Errors
    /// A file that cannot be read, a damaged archive, more bytes than [`Limits`] allow, or a large file of something
    /// else than a picture, which is not read to its end.
    pub fn read(&self) -> Result<Vec<u8>> {
        self.read_whole(|bytes| bytes)
    }

    /// What `use_` makes of the image's bytes, which count among the memory that threads share meanwhile.
    ///
    /// # Errors
    /// As [`Location::read`].
    pub fn read_with<T>(&self, use_: impl FnOnce(Vec<u8>) -> T) -> Result<T> {
        self.read_holding(Held::to_read, use_)
    }

    /// The same for what decodes nothing, and so never waits for more than the file takes.
    pub(crate) fn read_whole<T>(&self, use_: impl FnOnce(Vec<u8>) -> T) -> Result<T> {
        self.read_holding(Held::to_decode, use_)
    }

    fn read_holding<T>(&self, hold: impl FnOnce(u64, u64) -> Held, use_: impl FnOnce(Vec<u8>) -> T) -> Result<T> {
        let limits = Limits::default();
        let refused = |reason| Error::data(self.to_string(), reason);
        // How long a row is turns out when it is read; it lies in memory then, as a part of its page.
        #[cfg(feature = "parquet")]
        if let Location::Parquet { file, row } = self {
            let bytes = file.picture(*row).map_err(Error::io(self.to_string()))?;
            let length = bytes.len() as u64;
            limits.check_file(length).map_err(refused)?;
            let _held = hold(length, limits.max_alloc_bytes);
            return Ok(use_(bytes.into()));
        }
        let told = self.length()?;
        limits.check_file(told.unwrap_or(0)).map_err(refused)?;
        if told.is_some_and(|length| length > LARGE) {
            let head = self.head()?;
            if !decode::is_picture(&head) {
                return Err(refused(decode::not_an_image(&head)));
            }
        }
        // Of a pipe nobody knows how much will come.
        let _held = hold(told.unwrap_or(limits.max_alloc_bytes), limits.max_alloc_bytes);
        let most = told.unwrap_or(limits.max_alloc_bytes);
        let bytes = self.read_up_to(most.saturating_add(1))?;
        if bytes.len() as u64 > most {
            return Err(refused(format!("larger than the {most} bytes that were expected")));
        }
        Ok(use_(bytes))
    }

    /// Bytes of the file, as the file system or the archive's directory tells; a pipe's are not known.
    pub(super) fn length(&self) -> Result<Option<u64>> {
        match self {
            Location::File(path) => {
                let told = std::fs::metadata(path).map_err(Error::io(path))?;
                Ok(told.is_file().then_some(told.len()))
            }
            Location::Zip { archive, member, .. } => Ok(Some(archive.members()[*member].size())),
            Location::Tar { archive, target, .. } => Ok(Some(archive.size(*target))),
            #[cfg(feature = "parquet")]
            Location::Parquet { .. } => Ok(None),
            // Nothing will come.
            Location::Closed { .. } => Ok(Some(0)),
        }
    }

    /// Its first bytes, by which its format is told.
    pub(super) fn head(&self) -> Result<Vec<u8>> {
        self.read_up_to(HEAD)
    }

    /// The first `limit` bytes.
    fn read_up_to(&self, limit: u64) -> Result<Vec<u8>> {
        match self {
            Location::File(path) => {
                let read = || {
                    let file = File::open(path)?;
                    // As long as the file: growing, it would take twice that. A pipe's length is 0, and it grows.
                    let mut bytes = Vec::new();
                    let length = usize::try_from(file.metadata()?.len().min(limit)).unwrap_or(usize::MAX);
                    bytes.try_reserve_exact(length)?;
                    file.take(limit).read_to_end(&mut bytes)?;
                    Ok(bytes)
                };
                read().map_err(Error::io(path))
            }
            Location::Zip { archive, member, .. } => archive.read(*member, limit).map_err(Error::io(self.to_string())),
            Location::Tar { archive, target, .. } => archive.read(*target, limit).map_err(Error::io(self.to_string())),
            #[cfg(feature = "parquet")]
            Location::Parquet { file, row } => {
                let bytes = file.picture(*row).map_err(Error::io(self.to_string()))?;
                let length = bytes.len().min(usize::try_from(limit).unwrap_or(usize::MAX));
                Ok(bytes.slice(..length).into())
            }
            Location::Closed { reason, .. } => Err(Error::io(self.to_string())(std::io::Error::other(reason.clone()))),
        }
    }
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Location::File(path) => write!(f, "{}", legible(path.as_os_str())),
            Location::Zip { archive, name, .. } => write!(f, "{}!{name}", archive.name()),
            Location::Tar { archive, member, .. } => write!(f, "{}!{}", archive.name(), archive.member_name(*member)),
            #[cfg(feature = "parquet")]
            Location::Parquet { file, row } => write!(f, "{}!row {row}", file.name()),
            Location::Closed { name, .. } => write!(f, "{name}"),
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
    /// Its name relative to the source, with slashes; of a folder that cannot be opened, with one at the end.
    pub name: String,
    /// Where its bytes are.
    pub location: Location,
    /// Its class, where the source says that beside the image.
    pub label: Option<Arc<str>>,
}

/// Names that images have, including formats that are recognized only to say that they cannot be read.
const EXTENSIONS: [&str; 24] = [
    "jpg", "jpeg", "jpe", "jfif", "png", "webp", "gif", "bmp", "dib", "tif", "tiff", "heic", "heif", "hif", "heics",
    "avif", "avifs", "jxl", "jp2", "jpf", "jpx", "j2k", "j2c", "jls",
];

/// Whether a file of this name is meant to be an image.
pub(super) fn is_image_name(name: &str) -> bool {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known))
}

impl Entry {
    /// One of which nothing but this is known.
    pub fn new(name: String, location: Location) -> Entry {
        let label = None;
        Entry { name, location, label }
    }

    /// Whether this is meant to be an image: by its extension, broken or not, or else by its first bytes. A folder or
    /// an archive that cannot be opened may hold some.
    pub fn claims_to_be_image(&self) -> bool {
        self.why_no_image().is_none()
    }

    /// Whether this is a row of a table, in a column of pictures: nobody has to look whether it is one.
    fn is_row(&self) -> bool {
        #[cfg(feature = "parquet")]
        return matches!(self.location, Location::Parquet { .. });
        #[cfg(not(feature = "parquet"))]
        return false;
    }

    /// Whether this is a figure that pelage has written, by a mark in it.
    pub fn is_own_figure(&self) -> bool {
        if self.is_row() {
            return false;
        }
        let extension = self.name.rsplit_once('.').map_or("", |(_, extension)| extension);
        let marked: fn(&[u8]) -> bool = match extension.to_ascii_lowercase().as_str() {
            "png" => is_marked_png,
            "svg" => is_marked_svg,
            _ => return false,
        };
        self.location.head().is_ok_and(|head| marked(&head))
    }

    /// Why this is not meant to be an image; none where it is.
    pub(crate) fn why_no_image(&self) -> Option<String> {
        let named = is_image_name(&self.name);
        if self.is_own_figure() {
            return Some(WRITTEN.into());
        }
        if named || self.is_row() || matches!(self.location, Location::Closed { .. }) {
            return None;
        }
        match self.location.head() {
            Ok(head) => match decode::camera_raw(&head) {
                // Beside the JPEG that the camera made of it, as a rule.
                Some(kind) => Some(kind.into()),
                None => (!decode::is_picture(&head)).then(|| "not a picture".into()),
            },
            Err(failure) => Some(format!("cannot be read: {}", failure.reason())),
        }
    }
}

/// What was found and is not used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The file, or a folder with all that is in it.
    pub path: String,
    /// By which rule, in words for a table: `hidden`, `not a picture`.
    pub reason: String,
}

/// All of a source.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The files, in natural order of their names.
    pub entries: Vec<Entry>,
    /// What was passed over: hidden files, what operating systems and network storage leave, what pelage itself has
    /// written.
    pub left_out: Vec<LeftOut>,
    /// Folders that hold nothing at all, with a slash at the end.
    pub(crate) empty: Vec<String>,
}

impl Found {
    /// Passes over figures that pelage has written, where this was found at `path`: whoever names a folder or an
    /// archive means its pictures, and only who names a figure means that.
    #[must_use]
    pub fn without_own_figures(mut self, path: &Path) -> Found {
        if let [one] = &self.entries[..]
            && matches!(&one.location, Location::File(file) if file == path)
        {
            return self;
        }
        // Of some the first bytes are read.
        let are_own: Vec<bool> = self.entries.par_iter().map(Entry::is_own_figure).collect();
        let mut are_own = are_own.into_iter();
        let (own, others): (Vec<Entry>, Vec<Entry>) =
            self.entries.drain(..).partition(|_| are_own.next().unwrap_or(false));
        self.entries = others;
        own.iter().for_each(|entry| self.leave_out(&entry.location, WRITTEN));
        self
    }

    /// Notes what is passed over.
    pub(crate) fn leave_out(&mut self, path: impl ToString, reason: impl Into<String>) {
        self.left_out.push(LeftOut {
            path: path.to_string(),
            reason: reason.into(),
        });
    }
}
