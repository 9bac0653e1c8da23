//! Archives that cannot be read, in words that say what to do.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use zip::result::ZipError;

use crate::decode;
use crate::{Error, Result};

/// An error of reading a member of a zip, with what to do where it is packed in a way that cannot be read.
pub(super) fn explained(failure: std::io::Error) -> std::io::Error {
    let zip = failure.get_ref().and_then(|inner| inner.downcast_ref());
    match zip.and_then(packed_otherwise) {
        Some(reason) => std::io::Error::other(reason),
        None => failure,
    }
}

/// What to do about a member of a zip that is packed in a way that cannot be read.
fn packed_otherwise(failure: &ZipError) -> Option<String> {
    let again =
        "unpack the archive with another tool, and use the folder or pack it again by the usual method, Deflate";
    match failure {
        ZipError::CompressionMethodNotSupported(method) => {
            // By APPNOTE.TXT, section 4.4.5.
            let method = match method {
                9 => "Deflate64".to_string(),
                12 => "bzip2".to_string(),
                14 => "LZMA".to_string(),
                93 => "Zstandard".to_string(),
                95 => "xz".to_string(),
                98 => "PPMd".to_string(),
                other => format!("method {other}"),
            };
            Some(format!("packed by {method}, which pelage cannot read; {again}"))
        }
        ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) | ZipError::InvalidPassword => {
            Some("protected by a password; unpack the archive with another tool, and use the folder".to_string())
        }
        _ => None,
    }
}

/// Whether a file is a zip, whatever its name.
pub(super) fn is_zip(path: &Path) -> bool {
    let mut head = [0; 4];
    let read = std::fs::metadata(path).is_ok_and(|told| told.is_file())
        && File::open(path).is_ok_and(|mut file| file.read_exact(&mut head).is_ok());
    read && head == *b"PK\x03\x04"
}

/// Refuses a file that is an archive of another kind than a zip.
///
/// # Errors
/// What it is, and what to do.
pub(super) fn check_not_packed(path: &Path, head: &[u8]) -> Result<()> {
    match decode::archive(head) {
        Some(archive) => {
            let reason = format!(
                "{archive}, which pelage cannot read; unpack it and give the folder, or pack the pictures as a zip"
            );
            Err(Error::data(path, reason))
        }
        None => Ok(()),
    }
}
