//! The disk cache: one file a data set and setting, `<key>.pictures`.
//!
//! Layout: the readable images one after the other, then JSON with a checksum of each or why it was not readable, then
//! the JSON's length and checksum in 8 bytes each (little-endian), and [`MARK`]. Two runs at once each see a whole file
//! or none.

use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::shown;
use rayon::prelude::*;

use super::folder::{make_room, note_use, remove_abandoned};
use crate::atomic::Unfinished;
use crate::dataset::{self, Dataset};
use crate::decode::Damaged;
use crate::preprocess::Preprocessing;
use crate::source::read_at;
use crate::{Error, Result};

/// Ends every complete cache file, and names the version of its layout and of the decoding.
const MARK: &[u8; 16] = b"pelage-pictures3";

/// Bytes behind the JSON.
const TRAILER: usize = 8 + 8 + MARK.len();

/// Bytes of images that are decoded before any of them is written.
const PIECE_BYTES: usize = 32 << 20;

/// An open cache file.
pub(super) struct Cached {
    file: File,
    path: PathBuf,
    checksums: Vec<u64>,
}

/// Of each image, whether it is readable, or why not.
type Results<T> = Vec<std::result::Result<T, String>>;

/// The cache file of the `count` images of `dataset`, made first where it is missing or damaged. Its name is the hash
/// of what the images hold and how they are resized: an image that was changed, even under its old date, is decoded
/// again, and one that was moved is not.
pub(super) fn open(
    dataset: &dyn Dataset,
    count: usize,
    preprocessing: &Preprocessing,
    folder: &Path,
    decode: &(dyn Fn(usize) -> std::result::Result<Vec<u8>, String> + Sync),
) -> Result<(Results<()>, Cached)> {
    let each = preprocessing.len();
    let path = folder.join(format!("{}.pictures", fingerprint(dataset, preprocessing)));
    let (results, file) = match existing(&path, count, each) {
        Some(found) => {
            note_use(&path);
            log::info!("cache: decoded before, in {}", shown::path(&path));
            found
        }
        None => {
            log::info!("cache: not decoded before; made now, as {}", shown::path(&path));
            let failed = |source| Error::Cache {
                folder: folder.into(),
                source,
            };
            std::fs::create_dir_all(folder).map_err(failed)?;
            remove_abandoned(folder, Duration::from_secs(60));
            make_room(folder, count.saturating_mul(each) as u64);
            write(count, each, &path, decode).map_err(failed)?
        }
    };
    let checksums = results.iter().flatten().copied().collect();
    let results = results.into_iter().map(|result| result.map(drop)).collect();
    Ok((results, Cached { file, path, checksums }))
}

/// A hash of what the images of `dataset` hold, and of how they are resized: 32 hexadecimal digits.
pub fn fingerprint(dataset: &dyn Dataset, preprocessing: &Preprocessing) -> String {
    let Preprocessing {
        width,
        height,
        filter,
        fit,
        ..
    } = preprocessing;
    let content = |index| dataset::content(dataset, index).unwrap_or_else(|reason| blake3::hash(reason.as_bytes()));
    let contents: Vec<_> = (0..dataset.len()).into_par_iter().map(content).collect();
    let mut hash = blake3::Hasher::new();
    hash.update(MARK)
        .update(format!("{width} {height} {filter:?} {fit:?}").as_bytes());
    // What is skipped otherwise is an image then.
    if Damaged::current() == Damaged::Take {
        hash.update(b"damaged ones too");
    }
    contents.iter().for_each(|content| _ = hash.update(content.as_bytes()));
    hash.finalize().to_hex()[..32].to_string()
}

fn write(
    count: usize,
    each: usize,
    path: &Path,
    decode: &(dyn Fn(usize) -> std::result::Result<Vec<u8>, String> + Sync),
) -> std::io::Result<(Results<u64>, File)> {
    let mut writer = BufWriter::new(Unfinished::new(path)?);
    let mut results = Results::with_capacity(count);
    let piece = (PIECE_BYTES / each).max(1);
    for first in (0..count).step_by(piece) {
        let decoded: Vec<_> = (first..count.min(first + piece)).into_par_iter().map(decode).collect();
        for decoded in decoded {
            if let Ok(pixels) = &decoded {
                writer.write_all(pixels)?;
            }
            results.push(decoded.map(|pixels| checksum(&pixels)));
        }
    }
    let tail = serde_json::to_vec(&results)?;
    writer.write_all(&tail)?;
    writer.write_all(&(tail.len() as u64).to_le_bytes())?;
    writer.write_all(&checksum(&tail).to_le_bytes())?;
    writer.write_all(MARK)?;
    let file = writer.into_inner().map_err(|failure| failure.into_error())?.finish()?;
    Ok((results, file))
}

/// The file at `path`, where it is whole.
fn existing(path: &Path, count: usize, each: usize) -> Option<(Results<u64>, File)> {
    let mut file = File::open(path).ok()?;
    let end = file.seek(SeekFrom::End(-(TRAILER as i64))).ok()?;
    let mut trailer = [0; TRAILER];
    file.read_exact(&mut trailer).ok()?;
    let number = |at: usize| Some(u64::from_le_bytes(trailer[at..at + 8].try_into().ok()?));
    let length = number(0)?;
    let start = end.checked_sub(length).filter(|_| trailer.ends_with(MARK))?;
    file.seek(SeekFrom::Start(start)).ok()?;
    let mut tail = vec![0; usize::try_from(length).ok()?];
    file.read_exact(&mut tail).ok()?;
    if checksum(&tail) != number(8)? {
        return None;
    }
    let results: Results<u64> = serde_json::from_slice(&tail).ok()?;
    let readable = results.iter().filter(|result| result.is_ok()).count();
    (results.len() == count && start == (readable * each) as u64).then_some((results, file))
}

impl Cached {
    /// Reads image `index` of the readable ones into `bytes`.
    pub(super) fn read(&self, index: usize, bytes: &mut [u8]) -> Result<()> {
        let (start, mut done) = ((index * bytes.len()) as u64, 0);
        while done < bytes.len() {
            match read_at(&self.file, &mut bytes[done..], start + done as u64) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(failure) if failure.kind() == std::io::ErrorKind::Interrupted => {}
                Err(failure) => return Err(Error::io(&self.path)(failure)),
            }
        }
        if self.checksums.get(index) != Some(&checksum(bytes)) {
            return Err(Error::DamagedCache {
                path: self.path.clone(),
            });
        }
        Ok(())
    }
}

fn checksum(bytes: &[u8]) -> u64 {
    let hash = blake3::hash(bytes);
    hash.as_bytes()
        .iter()
        .take(8)
        .fold(0, |sum, &byte| sum << 8 | u64::from(byte))
}
