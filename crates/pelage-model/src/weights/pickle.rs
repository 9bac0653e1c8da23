//! How much a pickle asks for, counted before it is interpreted: each of its instructions may be one byte, and makes an
//! object of a hundred. Weights have some dozens of them for each tensor.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, sink};
use std::path::Path;

/// The most instructions of a file. A network of ten thousand tensors has fewer; their objects take some 100 MB.
const MOST: usize = 1_000_000;

/// The pickles at the start of a file that is no archive: magic number, version, system, tensors and their places
/// before PyTorch 1.6, else one.
const PICKLES: usize = 5;

/// Refuses a file whose pickles have too many instructions. What is damaged is left to who interprets it.
pub(super) fn check(path: &Path) -> Result<(), String> {
    let unreadable = |failure: std::io::Error| failure.to_string();
    let mut file = BufReader::new(File::open(path).map_err(unreadable)?);
    let count = match file.fill_buf().map_err(unreadable)?.starts_with(b"PK") {
        true => in_archive(file),
        false => in_sequence(&mut file, PICKLES),
    };
    match count > MOST {
        true => Err(format!(
            "holds a pickle of more than {MOST} instructions, as no network's weights have"
        )),
        false => Ok(()),
    }
}

/// The instructions of the pickles in an archive.
fn in_archive(file: impl Read + Seek) -> usize {
    let Ok(mut archive) = zip::ZipArchive::new(file) else {
        return 0;
    };
    let mut count = 0;
    for member in 0..archive.len() {
        match archive.by_index(member) {
            Ok(member) if member.name().is_ok_and(|name| name.ends_with("data.pkl")) => {
                count += in_sequence(&mut BufReader::new(member), 1);
            }
            _ => {}
        }
    }
    count
}

/// The instructions of the first so many pickles, as far as they can be read, and little more than [`MOST`].
fn in_sequence(reader: &mut impl BufRead, pickles: usize) -> usize {
    let (mut count, mut ended) = (0, 0);
    while ended < pickles && count <= MOST {
        count += 1;
        match instruction(reader) {
            Some(b'.') => ended += 1,
            Some(_) => {}
            None => break,
        }
    }
    count
}

/// Reads over the next instruction with its arguments, and returns its code; `None` at the end, or if there is no such
/// one (Python's pickletools.py lists them).
fn instruction(reader: &mut impl BufRead) -> Option<u8> {
    let code = bytes::<1>(reader)?[0];
    match code {
        b'(' | b'.' | b'0' | b'1' | b'2' | b'N' | b'R' | b'b' | b'd' | b'l' | b't' | b's' | b'a' => {}
        b')' | b']' | b'}' | b'e' | b'u' | b'Q' | 0x81 | 0x85..=0x89 | 0x8f..=0x94 => {}
        b'I' | b'L' | b'F' | b'V' | b'g' | b'p' | b'P' => line(reader)?,
        b'c' => {
            line(reader)?;
            line(reader)?;
        }
        b'K' | b'h' | b'q' | 0x80 => skip(reader, 1)?,
        b'M' => skip(reader, 2)?,
        b'J' | b'j' | b'r' => skip(reader, 4)?,
        b'G' | 0x95 => skip(reader, 8)?,
        b'U' | b'C' | 0x8a | 0x8c => {
            let length = bytes::<1>(reader)?[0];
            skip(reader, length.into())?;
        }
        b'T' | b'X' | b'B' | 0x8b => {
            let length = u32::from_le_bytes(bytes(reader)?);
            skip(reader, length.into())?;
        }
        0x8d | 0x8e | 0x96 => {
            let length = u64::from_le_bytes(bytes(reader)?);
            skip(reader, length)?;
        }
        _ => return None,
    }
    Some(code)
}

fn bytes<const N: usize>(reader: &mut impl BufRead) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes).ok().map(|()| bytes)
}

fn line(reader: &mut impl BufRead) -> Option<()> {
    reader.skip_until(b'\n').ok().map(|_| ())
}

fn skip(reader: &mut impl BufRead, length: u64) -> Option<()> {
    let skipped = std::io::copy(&mut reader.by_ref().take(length), &mut sink()).ok()?;
    (skipped == length).then_some(())
}
