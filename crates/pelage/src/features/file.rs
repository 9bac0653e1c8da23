//! Features in the cache folder: one file, `<key>.features`.
//!
//! Layout: the values (little-endian f32); then JSON with the shape of a map, of each image why it could not be
//! read, if so, what the others look like, and the hash of the values and looks; then the JSON's length in 8 bytes
//! (little-endian), and [`MARK`].

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use pelage_data::alike::Look;
use pelage_data::atomic::Unfinished;
use serde::{Deserialize, Serialize};

/// Ends every complete file, and names the version of its layout and of what computes features.
pub(super) const MARK: &[u8; 16] = b"pelage-features3";

/// What a file holds.
pub(super) struct Content {
    /// Rows, columns and channels of one map.
    pub(super) shape: [usize; 3],
    /// One map after the other, of the readable images.
    pub(super) values: Vec<f32>,
    /// Of each image, why it could not be read, if so.
    pub(super) reasons: Vec<Option<String>>,
    /// What each of the readable images looks like.
    pub(super) looks: Vec<Look>,
}

#[derive(Serialize, Deserialize)]
struct Tail {
    shape: [usize; 3],
    reasons: Vec<Option<String>>,
    looks: Vec<String>,
    hash: String,
}

/// Writes a file, whole or not at all.
pub(super) fn write(path: &Path, content: &Content) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut file = Unfinished::new(path)?;
    for piece in content.values.chunks(PIECE) {
        file.write_all(&little_endian(piece))?;
    }
    let looks: Vec<_> = content.looks.iter().map(Look::to_text).collect();
    let tail = Tail {
        shape: content.shape,
        reasons: content.reasons.clone(),
        hash: hash(&content.values, &looks),
        looks,
    };
    let json = serde_json::to_vec(&tail)?;
    file.write_all(&json)?;
    file.write_all(&(json.len() as u64).to_le_bytes())?;
    file.write_all(MARK)?;
    file.finish().map(drop)
}

/// The content of a file, where it is there and whole, for `count` images.
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
    let readable = tail.reasons.iter().filter(|reason| reason.is_none()).count();
    let looks: Option<Vec<_>> = tail.looks.iter().map(|text| Look::of_text(text)).collect();
    let looks = looks.filter(|looks| looks.len() == readable)?;
    let mut lengths = tail.shape.iter().chain([&readable]);
    let wanted = lengths.try_fold(4usize, |bytes, &length| bytes.checked_mul(length))?;
    if tail.reasons.len() != count || u64::try_from(wanted) != Ok(start) {
        return None;
    }
    file.rewind().ok()?;
    let mut bytes = Vec::with_capacity(wanted);
    file.take(start).read_to_end(&mut bytes).ok()?;
    let values: Vec<f32> = bytes
        .as_chunks()
        .0
        .iter()
        .map(|&bytes| f32::from_le_bytes(bytes))
        .collect();
    (tail.hash == hash(&values, &tail.looks)).then_some(Content {
        shape: tail.shape,
        values,
        reasons: tail.reasons,
        looks,
    })
}

/// Values that become bytes at a time.
const PIECE: usize = 1 << 14;

fn little_endian(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn hash(values: &[f32], looks: &[String]) -> String {
    let mut hasher = blake3::Hasher::new();
    for piece in values.chunks(PIECE) {
        hasher.update(&little_endian(piece));
    }
    looks.iter().for_each(|look| {
        hasher.update(look.as_bytes());
    });
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
            shape: [1, 3, 1],
            values: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
            reasons: reasons.clone(),
            looks: ["3a", "c5"]
                .iter()
                .filter_map(|byte| Look::of_text(&byte.repeat(264)))
                .collect(),
        };
        assert_eq!(content.looks.len(), 2);
        write(&path, &content).unwrap();
        let found = read(&path, 3).unwrap();
        let texts = |looks: &[Look]| looks.iter().map(Look::to_text).collect::<Vec<_>>();
        let looks = texts(&content.looks);
        assert_eq!(texts(&found.looks), looks);
        assert_eq!(
            (found.shape, found.values, found.reasons),
            (content.shape, content.values, reasons)
        );
        assert!(read(&path, 4).is_none());
        let whole = std::fs::read(&path).unwrap();
        for i in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[i] ^= 0x55;
            std::fs::write(&path, &damaged).unwrap();
            let same = read(&path, 3)
                .is_some_and(|found| found.values == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0] && texts(&found.looks) == looks);
            // A reason is only told.
            assert!(same || read(&path, 3).is_none(), "byte {i}");
            std::fs::write(&path, &whole[..i]).unwrap();
            assert!(read(&path, 3).is_none(), "cut at {i}");
        }
    }
}
