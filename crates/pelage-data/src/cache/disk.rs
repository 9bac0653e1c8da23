//! The disk cache: one file a data set and setting, `<key>.pictures`.
//!
//! Layout: the readable pictures one after the other, then JSON with a checksum of each or why it was not readable, then
//! the JSON's length and checksum in 8 bytes each (little-endian), and [`MARK`]. Written under a temporary name and
//! renamed, so two runs at once each see a whole file or none; a temporary file is locked while it is written, so one
//! that is not locked was left by a killed run.

use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rayon::prelude::*;

use crate::catalog::{Catalog, Item};
use crate::preprocess::Preprocessing;
use crate::source::read_at;
use crate::{Error, Result};

/// Ends every complete cache file, and names the version of its layout and of the decoding.
const MARK: &[u8; 16] = b"pelage-pictures3";

/// Bytes behind the JSON.
const TRAILER: usize = 8 + 8 + MARK.len();

/// How the names of files begin and end that are being written.
const UNFINISHED: [&str; 2] = ["pelage-", ".tmp"];

/// Bytes of pictures that are decoded before any of them is written.
const PIECE_BYTES: usize = 32 << 20;

/// An open cache file.
pub(super) struct Cached {
    file: File,
    path: PathBuf,
    checksums: Vec<u64>,
}

/// What became of each picture: readable, or why not.
type Results<T> = Vec<std::result::Result<T, String>>;

/// The cache file of `catalog`, made first where it is missing or damaged. Its name is the hash of what the pictures
/// hold and how they are resized: a picture that was changed, be it under its old date, is decoded anew, and one that
/// was moved is not.
pub(super) fn open(
    catalog: &Catalog,
    preprocessing: &Preprocessing,
    folder: &Path,
    decode: &(dyn Fn(&Item) -> std::result::Result<Vec<u8>, String> + Sync),
) -> Result<(Results<()>, Cached)> {
    let each = preprocessing.len();
    let path = folder.join(format!("{}.pictures", fingerprint(catalog, preprocessing)));
    let (results, file) = match existing(&path, catalog.items.len(), each) {
        Some(found) => found,
        None => {
            std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
            remove_abandoned(folder, Duration::from_secs(60));
            write(catalog, each, &path, decode).map_err(|failure| {
                let remedy = "the cache needs this folder; free some space, or choose `--cache ram` or `--cache off`";
                Error::io(folder)(std::io::Error::new(failure.kind(), format!("{failure}; {remedy}")))
            })?
        }
    };
    let checksums = results.iter().flatten().copied().collect();
    let results = results.into_iter().map(|result| result.map(drop)).collect();
    Ok((results, Cached { file, path, checksums }))
}

/// A hash of what the pictures of `catalog` hold, and of how they are resized: 32 hexadecimal digits.
pub fn fingerprint(catalog: &Catalog, preprocessing: &Preprocessing) -> String {
    let Preprocessing {
        width,
        height,
        filter,
        fit,
        ..
    } = preprocessing;
    let content = |item: &Item| match item.location.read() {
        Ok(bytes) => blake3::hash(&bytes),
        Err(failure) => blake3::hash(failure.reason().as_bytes()),
    };
    let mut hash = blake3::Hasher::new();
    hash.update(MARK)
        .update(format!("{width} {height} {filter:?} {fit:?}").as_bytes());
    for content in catalog.items.par_iter().map(content).collect::<Vec<_>>() {
        hash.update(content.as_bytes());
    }
    hash.finalize().to_hex()[..32].to_string()
}

fn write(
    catalog: &Catalog,
    each: usize,
    path: &Path,
    decode: &(dyn Fn(&Item) -> std::result::Result<Vec<u8>, String> + Sync),
) -> std::io::Result<(Results<u64>, File)> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let temporary = tempfile::Builder::new()
        .prefix(UNFINISHED[0])
        .suffix(UNFINISHED[1])
        .tempfile_in(folder)?;
    // Where a file system has no locks, its age must do.
    let _ = temporary.as_file().try_lock();
    let mut writer = BufWriter::new(temporary.as_file());
    let mut results = Results::with_capacity(catalog.items.len());
    for piece in catalog.items.chunks((PIECE_BYTES / each.max(1)).max(1)) {
        for decoded in piece.par_iter().map(decode).collect::<Vec<_>>() {
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
    writer.flush()?;
    drop(writer);
    let file = temporary.persist(path).map_err(|failure| failure.error)?;
    file.unlock()?;
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
    /// Reads picture `index` of the readable ones into `bytes`.
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
            let path = self.path.display();
            return Err(Error::Data(format!(
                "{path}: the picture cache is damaged; `pelage cache clear` and try again"
            )));
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

/// Removes what killed runs left: temporary files that nobody has locked, and older than `age`, since a new one is not
/// locked yet for a moment.
fn remove_abandoned(folder: &Path, age: Duration) -> u64 {
    let mut freed = 0;
    for path in ours(folder)
        .into_iter()
        .flatten()
        .filter(|path| path.extension().is_some_and(|end| end == "tmp"))
    {
        let Ok(file) = File::open(&path) else { continue };
        let told = file.metadata();
        let old = told.as_ref().is_ok_and(|told| {
            told.modified()
                .is_ok_and(|modified| modified.elapsed().is_ok_and(|elapsed| elapsed >= age))
        });
        // One that vanishes meanwhile was finished or removed by another run.
        if old && file.try_lock().is_ok() && std::fs::remove_file(&path).is_ok() {
            freed += told.map_or(0, |told| told.len());
        }
    }
    freed
}

/// The cache's files in `folder`.
fn ours(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let is_ours = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_key = |key: &str| key.len() == 32 && key.bytes().all(|byte| byte.is_ascii_hexdigit());
        let ends = [".pictures", ".features"];
        ends.iter().any(|end| name.strip_suffix(end).is_some_and(is_key))
            || name.starts_with(UNFINISHED[0]) && name.ends_with(UNFINISHED[1])
    };
    let paths = std::fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<Vec<_>>>()?;
    Ok(paths.into_iter().filter(is_ours).collect())
}

/// Removes the cache's files from `folder`, but for those that a run is just writing; the bytes freed. Other files there
/// stay.
///
/// # Errors
/// Files that cannot be removed.
pub fn clear(folder: &Path) -> Result<u64> {
    if !folder.exists() {
        return Ok(0);
    }
    let mut freed = remove_abandoned(folder, Duration::ZERO);
    for path in ours(folder).map_err(Error::io(folder))? {
        if path.extension().is_some_and(|end| end != "tmp") {
            freed += path.metadata().map_or(0, |told| told.len());
            std::fs::remove_file(&path).map_err(Error::io(&path))?;
        }
    }
    Ok(freed)
}
