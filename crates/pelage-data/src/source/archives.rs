//! Archives that cannot be read, in words that say what to do.

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

/// Kinds that are one stream of compressed bytes, as a rule a tar's.
const COMPRESSED_WHOLE: [&str; 4] = ["gzip", "bzip2", "xz archive", "zstd"];

/// Refuses a file that is an archive of another kind than those that can be read.
///
/// # Errors
/// What it is, and what to do.
pub(super) fn check_not_packed(path: &Path, head: &[u8]) -> Result<()> {
    match decode::archive(head) {
        Some(archive) => {
            let reason = match COMPRESSED_WHOLE.iter().any(|kind| archive.contains(kind)) {
                true => format!(
                    "{archive}, whose pictures cannot be read without unpacking all that lies before them; unpack it \
                     and give the folder, or the tar that is in it"
                ),
                false => format!(
                    "{archive}, which pelage cannot read; unpack it and give the folder, or pack the pictures as a zip"
                ),
            };
            Err(Error::data(path, reason))
        }
        None => Ok(()),
    }
}
