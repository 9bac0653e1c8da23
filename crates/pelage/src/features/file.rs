//! Features in the cache folder: one file, `<key>.features`.
//!
//! Layout: an array as in `.npy`; then JSON with, for each image, why it could not be read, if so, and the hash of the
//! array; then the JSON's length in 8 bytes (little-endian), and [`MARK`].

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use pelage_data::atomic::Unfinished;
use serde::{Deserialize, Serialize};

use super::npy;

/// Ends every complete file; a version of the layout and of the computation of features.
pub(super) const MARK: &[u8; 16] = b"pelage-features2";

/// The content of a file.
pub(super) struct Content {
    /// Rows, columns and channels of one map.
    pub(super) shape: [usize; 3],
    /// The maps of the readable images, in order.
    pub(super) values: Vec<f32>,
    /// For each image, why it could not be read, if so.
    pub(super) reasons: Vec<Option<String>>,
}

#[derive(Serialize, Deserialize)]
struct Tail {
    reasons: Vec<Option<String>>,
    hash: String,
}

/// Writes a file, atomically.
pub(super) fn write(path: &Path, content: &Content) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut file = Unfinished::new(path)?;
    let [h, w, c] = content.shape;
    let count = content.reasons.iter().filter(|reason| reason.is_none()).count();
    npy::write(&mut file, &[count, h, w, c], &content.values)?;
    let tail = Tail {
        reasons: content.reasons.clone(),
        hash: hash(&content.values),
    };
    let json = serde_json::to_vec(&tail)?;
    file.write_all(&json)?;
    file.write_all(&(json.len() as u64).to_le_bytes())?;
    file.write_all(MARK)?;
    file.finish().map(drop)
}

/// The content of a file for `count` images, if it exists and is complete.
pub(super) fn read(path: &Path, count: usize) -> Option<Content> {
    let mut file = File::open(path).ok()?;
    let mut trailer = [0; 8 + MARK.len()];
    let end = file.seek(SeekFrom::End(-(trailer.len() as i64))).ok()?;
    file.read_exact(&mut trailer).ok()?;
    let (length, mark) = trailer.split_at(8);
    let length = u64::from_le_bytes(length.try_into().ok()?);
    let start = end.checked_sub(length).filter(|_| mark == MARK)?;
    file.seek(SeekFrom::Start(start)).ok()?;
    let tail: Tail = serde_json::from_reader((&mut file).take(length)).ok()?;
    file.rewind().ok()?;
    let (shape, values) = npy::read(file.take(start)).ok()?;
    let readable = tail.reasons.iter().filter(|reason| reason.is_none()).count();
    match shape[..] {
        [n, h, w, c] if n == readable && tail.reasons.len() == count && tail.hash == hash(&values) => Some(Content {
            shape: [h, w, c],
            values,
            reasons: tail.reasons,
        }),
        _ => None,
    }
}

fn hash(values: &[f32]) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut bytes = Vec::new();
    for piece in values.chunks(1 << 14) {
        bytes.clear();
        bytes.extend(piece.iter().flat_map(|value| value.to_le_bytes()));
        hasher.update(&bytes);
    }
    hasher.finalize().to_hex()[..32].to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_anywhere_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.features");
        let reasons = vec![None, Some("empty".to_string()), None];
        let content = Content {
            shape: [1, 1, 3],
            values: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
            reasons: reasons.clone(),
        };
        write(&path, &content).unwrap();
        let found = read(&path, 3).unwrap();
        assert_eq!((found.values, found.reasons), (content.values, reasons));
        assert!(read(&path, 4).is_none());
        let whole = std::fs::read(&path).unwrap();
        for i in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[i] ^= 0x55;
            std::fs::write(&path, &damaged).unwrap();
            let same = read(&path, 3).is_some_and(|found| found.values == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
            // Padding of the header means nothing, and a reason is only displayed.
            assert!(same || read(&path, 3).is_none(), "byte {i}");
            std::fs::write(&path, &whole[..i]).unwrap();
            assert!(read(&path, 3).is_none(), "cut at {i}");
        }
    }
}
