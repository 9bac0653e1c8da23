//! The disk cache: one file a data set and setting, `<key>.pictures`.
//!
//! Layout: the readable pictures one after the other, then JSON with what was not readable, its length in 8 bytes, and
//! [`MARK`]. Written under a temporary name and renamed, so two runs at once each see a whole file or none.

use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use rayon::prelude::*;

use super::fingerprint;
use crate::catalog::{Catalog, Item};
use crate::preprocess::Preprocessing;
use crate::source::read_at;
use crate::{Error, Result};

/// Ends every complete cache file, and names the version of its layout and of the decoding.
const MARK: &[u8; 16] = b"pelage-pictures1";

/// What became of each picture: readable, or why not.
type Results = Vec<std::result::Result<(), String>>;

/// The cache file of `catalog`, made first where it is missing, stale or damaged.
pub(super) fn open(
    catalog: &Catalog,
    preprocessing: &Preprocessing,
    folder: &Path,
    decode: &(dyn Fn(&Item) -> std::result::Result<Vec<u8>, String> + Sync),
) -> Result<(Results, File)> {
    let mut hash = blake3::Hasher::new();
    hash.update(MARK).update(format!("{preprocessing:?}").as_bytes());
    for fingerprint in catalog.items.par_iter().map(fingerprint).collect::<Vec<_>>() {
        hash.update(fingerprint.as_bytes()).update(b"\n");
    }
    let path = folder.join(format!("{}.pictures", &hash.finalize().to_hex()[..32]));
    if let Some(found) = existing(&path, catalog.items.len(), preprocessing.len()) {
        return Ok(found);
    }
    std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
    let full = |failure: std::io::Error| {
        let text = format!("{failure}; free some space, or choose `--cache ram` or `--cache off`");
        Error::io(folder)(std::io::Error::new(failure.kind(), text))
    };
    let temporary = tempfile::Builder::new()
        .suffix(".tmp")
        .tempfile_in(folder)
        .map_err(full)?;
    let mut writer = BufWriter::new(temporary.as_file());
    let mut results = Results::with_capacity(catalog.items.len());
    // In pieces: memory holds no more than one of them.
    for piece in catalog.items.chunks(512) {
        for decoded in piece.par_iter().map(decode).collect::<Vec<_>>() {
            if let Ok(pixels) = &decoded {
                writer.write_all(pixels).map_err(full)?;
            }
            results.push(decoded.map(drop));
        }
    }
    let tail = serde_json::to_vec(&results).map_err(|failure| full(failure.into()))?;
    writer.write_all(&tail).map_err(full)?;
    writer.write_all(&(tail.len() as u64).to_le_bytes()).map_err(full)?;
    writer.write_all(MARK).map_err(full)?;
    writer.flush().map_err(full)?;
    drop(writer);
    let file = temporary.persist(&path).map_err(|failure| full(failure.error))?;
    Ok((results, file))
}

/// The file at `path`, where it is whole.
fn existing(path: &Path, count: usize, each: usize) -> Option<(Results, File)> {
    let mut file = File::open(path).ok()?;
    let end = file.seek(SeekFrom::End(-24)).ok()?;
    let mut trailer = [0; 24];
    file.read_exact(&mut trailer).ok()?;
    let (length, mark) = trailer.split_at(8);
    let length = u64::from_le_bytes(length.try_into().ok()?);
    let start = end.checked_sub(length).filter(|_| mark == MARK)?;
    file.seek(SeekFrom::Start(start)).ok()?;
    let mut tail = vec![0; usize::try_from(length).ok()?];
    file.read_exact(&mut tail).ok()?;
    let results: Results = serde_json::from_slice(&tail).ok()?;
    let readable = results.iter().filter(|result| result.is_ok()).count();
    (results.len() == count && start == (readable * each) as u64).then_some((results, file))
}

/// Reads picture `index` of the readable ones into `bytes`.
pub(super) fn read(file: &File, index: usize, bytes: &mut [u8]) -> Result<()> {
    let (start, mut done) = ((index * bytes.len()) as u64, 0);
    while done < bytes.len() {
        match read_at(file, &mut bytes[done..], start + done as u64) {
            Ok(0) => {
                return Err(Error::Data(
                    "the picture cache has shrunk; `pelage cache clear` and try again".into(),
                ));
            }
            Ok(count) => done += count,
            Err(failure) if failure.kind() == std::io::ErrorKind::Interrupted => {}
            Err(failure) => return Err(Error::io("picture cache")(failure)),
        }
    }
    Ok(())
}

/// Removes the cache's files from `folder`; the bytes freed. Other files there stay.
///
/// # Errors
/// Files that cannot be removed.
pub fn clear(folder: &Path) -> Result<u64> {
    let mut freed = 0;
    if !folder.exists() {
        return Ok(0);
    }
    for entry in std::fs::read_dir(folder).map_err(Error::io(folder))? {
        let path = entry.map_err(Error::io(folder))?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "pictures" || extension == "tmp")
        {
            freed += path.metadata().map(|told| told.len()).unwrap_or(0);
            std::fs::remove_file(&path).map_err(Error::io(&path))?;
        }
    }
    Ok(freed)
}
