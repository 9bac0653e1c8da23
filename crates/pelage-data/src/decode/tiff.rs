//! TIFF with a palette, which the `tiff` crate and so `image` refuse: the indices are read as if they were grays.

use std::io::Cursor;

use image::RgbImage;
use image::metadata::Orientation;
use tiff::ColorType;
use tiff::decoder::{Decoder, DecodingResult};
use tiff::tags::Tag;

use super::limits::{Budget, pixels};
use super::{Decoded, turned, turning_bytes};

/// Values of the tag PhotometricInterpretation, of TIFF 6.0, section 8.
const BLACK_IS_ZERO: u16 = 1;
const PALETTE: u16 = 3;

/// The image, or `None` where it has no palette.
pub(super) fn decode_palette(bytes: &[u8], budget: &Budget) -> Option<Result<Decoded, String>> {
    let (at, marked) = find_palette_mark(bytes)?;
    Some(decode_marked(bytes, at, marked, budget))
}

/// Decodes a copy of the file with another mark `at` some place.
fn decode_marked(bytes: &[u8], at: usize, marked: [u8; 2], budget: &Budget) -> Result<Decoded, String> {
    let copy = bytes.len() as u64;
    let _held = budget.hold_copy(copy)?;
    let mut as_grays = bytes.to_vec();
    as_grays[at..at + 2].copy_from_slice(&marked);
    let budget = Budget {
        file: budget.file + copy,
        ..*budget
    };
    decode_indices(&as_grays, &budget)
}

/// Where the first image is marked as one with a palette, and the two bytes that would mark it as gray. Not for
/// BigTIFF.
fn find_palette_mark(bytes: &[u8]) -> Option<(usize, [u8; 2])> {
    let (short, long, gray): (fn([u8; 2]) -> u16, fn([u8; 4]) -> u32, _) = match bytes.first_chunk()? {
        b"II*\0" => (u16::from_le_bytes, u32::from_le_bytes, BLACK_IS_ZERO.to_le_bytes()),
        b"MM\0*" => (u16::from_be_bytes, u32::from_be_bytes, BLACK_IS_ZERO.to_be_bytes()),
        _ => return None,
    };
    let short = |at: usize| Some(short(*bytes.get(at..)?.first_chunk()?));
    let directory = long(*bytes.get(4..)?.first_chunk()?) as usize;
    // After the number of entries, twelve bytes each: tag, type, count, value.
    let mut entries = (0..usize::from(short(directory)?)).map(|i| directory + 2 + 12 * i);
    let mark = Some(Tag::PhotometricInterpretation.to_u16());
    let at = entries.find(|&at| short(at) == mark)? + 8;
    (short(at)? == PALETTE).then_some((at, gray))
}

fn decode_indices(as_grays: &[u8], budget: &Budget) -> Result<Decoded, String> {
    let damaged = |failure: tiff::TiffError| format!("damaged TIFF: {failure}");
    let mut decoder = Decoder::new(Cursor::new(as_grays)).map_err(damaged)?;
    let (width, height) = decoder.dimensions().map_err(damaged)?;
    let bits = match decoder.colortype().map_err(damaged)? {
        ColorType::Gray(bits @ (1 | 2 | 4 | 8)) => usize::from(bits),
        other => {
            return Err(format!(
                "a kind of TIFF that pelage cannot read: a palette with {other:?}"
            ));
        }
    };
    let size = [width, height];
    let orientation = decoder.find_tag_unsigned::<u8>(Tag::Orientation).ok().flatten();
    let orientation = orientation
        .and_then(Orientation::from_exif)
        .unwrap_or(Orientation::NoTransforms);
    // At most a byte for each index.
    let needed = pixels(size) + turning_bytes(size, orientation);
    let held = budget.hold(size, size, needed)?;
    let mut allowed = tiff::decoder::Limits::default();
    allowed.decoding_buffer_size = usize::try_from(budget.limits.max_alloc_bytes).unwrap_or(usize::MAX);
    let mut decoder = decoder.with_limits(allowed);
    // All reds, then all greens, then all blues, of 16 bits each.
    let colors = decoder.get_tag_u16_vec(Tag::ColorMap).map_err(damaged)?;
    let count = 1 << bits;
    if colors.len() != 3 * count {
        return Err(format!(
            "damaged TIFF: a palette of {} numbers for {bits} bits",
            colors.len()
        ));
    }
    let DecodingResult::U8(packed) = decoder.read_image().map_err(damaged)? else {
        return Err("a kind of TIFF that pelage cannot read: a palette with signed indices".into());
    };
    let row_bytes = (width as usize * bits).div_ceil(8);
    let image = RgbImage::from_fn(width, height, |x, y| {
        let bit = x as usize * bits;
        let byte = packed[y as usize * row_bytes + bit / 8];
        let index = usize::from(byte >> (8 - bits - bit % 8)) & (count - 1);
        image::Rgb([0, count, 2 * count].map(|channel| (colors[channel + index] >> 8) as u8))
    });
    Ok(Decoded::whole(turned(image, orientation), held))
}
