//! A JPEG file as its markers cut it: segments, and the entropy-coded data behind the header of a scan.

use std::ops::Range;

/// One segment, or a marker that has none.
pub(super) struct Segment<'a> {
    pub(super) marker: u8,
    /// What it holds, without marker and length.
    pub(super) payload: &'a [u8],
    /// Behind the header of a scan: its data, restart markers included.
    pub(super) data: &'a [u8],
    /// Where bytes stand before its marker that belong to nothing; viewers pass over them.
    pub(super) stray: Range<usize>,
    /// Where it ends, its data included; the end of the image, its marker.
    pub(super) end: usize,
}

impl Segment<'_> {
    /// Whether no decoder needs it: comments, color profiles, previews and the like, but not what says how colors are
    /// stored (of Adobe) and how the image is turned (EXIF).
    pub(super) fn is_unused(&self) -> bool {
        match self.marker {
            APP1 => !self.payload.starts_with(b"Exif\0"),
            0xE2..=0xED | 0xEF | COM => true,
            _ => false,
        }
    }
}

/// Start of image, quantization tables, Huffman tables, restart interval, start of scan, end of image.
pub(super) const SOI: u8 = 0xD8;
pub(super) const DQT: u8 = 0xDB;
pub(super) const DHT: u8 = 0xC4;
pub(super) const DRI: u8 = 0xDD;
pub(super) const SOS: u8 = 0xDA;
pub(super) const EOI: u8 = 0xD9;

/// The second application's segment, and a comment.
const APP1: u8 = 0xE1;
const COM: u8 = 0xFE;

/// The segments of `bytes`, the end of the image being the last one; none behind one that is cut.
pub(super) fn segments(bytes: &[u8]) -> impl Iterator<Item = Segment<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let before = at;
        let (stray_end, marker_at) = marker_from(bytes, at)?;
        let marker = bytes[marker_at];
        let mut segment = Segment {
            marker,
            payload: &[],
            data: &[],
            stray: before..stray_end,
            end: marker_at + 1,
        };
        at = marker_at + 1;
        match marker {
            SOI | 0x01 | 0xD0..=0xD7 => {}
            EOI => at = bytes.len(),
            _ => {
                let length = bytes.get(at..).and_then(|rest| rest.first_chunk());
                let end = at + usize::from(u16::from_be_bytes(*length?));
                segment.payload = bytes.get(at + 2..end)?;
                at = end;
                segment.end = end;
            }
        }
        if marker == SOS {
            let end = at + scan_end(&bytes[at..]);
            segment.data = &bytes[at..end];
            segment.end = end;
            at = end;
        }
        Some(segment)
    })
}

/// Where the next marker begins, fill bytes before it included, and where its code is.
fn marker_from(bytes: &[u8], from: usize) -> Option<(usize, usize)> {
    let mut at = from;
    loop {
        let start = at + bytes.get(at..)?.iter().position(|&byte| byte == 0xFF)?;
        let code = start + bytes[start..].iter().position(|&byte| byte != 0xFF)?;
        if bytes[code] != 0 {
            return Some((start, code));
        }
        at = code + 1;
    }
}

/// The length of a scan's data: up to a marker that is neither stuffing nor a restart.
fn scan_end(data: &[u8]) -> usize {
    let mut at = 0;
    while let Some(found) = data[at..].iter().position(|&byte| byte == 0xFF) {
        at += found;
        match data.get(at + 1) {
            Some(0 | 0xD0..=0xD7) => at += 2,
            // The first of several fill bytes.
            Some(0xFF) => at += 1,
            Some(_) => return at,
            None => break,
        }
    }
    data.len()
}
