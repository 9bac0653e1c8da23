//! Kinds of archives whose members can be read one by one.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::shared_file::SharedFile;
use crate::Result;

/// A kind of archive whose members can be read one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Members packed each by itself, and a directory.
    Zip,
    /// Members one behind the other, each with a header.
    Tar,
    /// A table whose rows hold pictures, as Hugging Face publishes data sets.
    Parquet,
}

impl Kind {
    /// What a file of this name is meant to be.
    pub(crate) fn of_name(name: &str) -> Option<Kind> {
        let extension = name.rsplit_once('.')?.1;
        match extension {
            _ if extension.eq_ignore_ascii_case("zip") => Some(Kind::Zip),
            _ if extension.eq_ignore_ascii_case("tar") => Some(Kind::Tar),
            _ if extension.eq_ignore_ascii_case("parquet") => Some(Kind::Parquet),
            _ => None,
        }
    }

    /// What a member of this name of an archive is meant to be, if that is an archive itself. A table beside pictures
    /// tells of them, as a rule.
    pub(super) fn of_member(name: &str) -> Option<Kind> {
        Kind::of_name(name).filter(|kind| *kind != Kind::Parquet)
    }

    /// What the file at `path` is, by its name or else by how it begins.
    pub(super) fn of_file(path: &Path) -> Option<Kind> {
        let by_content = || match () {
            _ if is_zip(path) => Some(Kind::Zip),
            _ if is_tar(path) => Some(Kind::Tar),
            _ if begins(path).is_some_and(|head| head.starts_with(b"PAR1")) => Some(Kind::Parquet),
            _ => None,
        };
        Kind::of_name(&path.to_string_lossy()).or_else(by_content)
    }
}

/// An archive within another.
pub(super) struct Inner {
    /// What it is called in the source.
    pub(super) name: String,
    /// Where it is.
    pub(super) location: String,
    pub(super) kind: Kind,
    /// Its bytes, or why there are none.
    pub(super) file: Result<SharedFile>,
}

/// Whether a file is a zip, whatever its name.
fn is_zip(path: &Path) -> bool {
    begins(path).is_some_and(|head| head.starts_with(b"PK\x03\x04"))
}

/// Whether a file is a tar archive, whatever its name.
fn is_tar(path: &Path) -> bool {
    begins(path).is_some_and(|head| head.get(257..262) == Some(b"ustar"))
}

/// The first bytes of a file that can be read again; a pipe's would be gone.
fn begins(path: &Path) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    let is_file = std::fs::metadata(path).ok()?.is_file();
    let file = is_file.then(|| File::open(path))?.ok()?;
    file.take(512).read_to_end(&mut head).ok()?;
    Some(head)
}
