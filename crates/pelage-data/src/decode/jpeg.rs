//! JPEG by zune-jpeg itself and not through the `image` crate, which reads the headers three times over and lets it
//! fill what a truncated or damaged file lacks with gray.

mod huffman;
mod missing;
mod reduced;
mod segments;
mod structure;

use std::hash::{DefaultHasher, Hash, Hasher};

use image::RgbImage;
use image::metadata::Orientation;
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use self::structure::{Frame, Structure, without_unused};
use super::damage::{self, Damaged};
use super::formats::cannot_read_jpeg;
use super::limits::{Budget, rgb_bytes};
use super::{Decoded, Held, turned, turning_bytes};

/// How often, on average, the scans of a file may go over each pixel that an image may have: usual ones do it some
/// fourteen times, and without a limit a file of some kilobytes keeps a processor busy for a minute.
const VISITS: u64 = 16;

/// Bytes of segments that no decoder needs, such as previews, above which none sees them: each keeps copies.
const UNUSED: usize = 256 << 10;

pub(super) fn decode(bytes: &[u8], budget: &Budget, at_least: u32) -> Result<Decoded, String> {
    let structure = Structure::of(bytes);
    if structure.stray || structure.unused > UNUSED {
        // In memory beside the file.
        let copy = without_unused(bytes, |_| ());
        let _held = budget.hold_copy(copy)?;
        let budget = &Budget {
            file: budget.file + copy,
            ..*budget
        };
        let mut kept = Vec::with_capacity(copy as usize);
        without_unused(bytes, |part| kept.extend_from_slice(part));
        let bytes = kept;
        return decode_or_take(&bytes, &Structure::of(&bytes), budget, at_least);
    }
    decode_or_take(bytes, &structure, budget, at_least)
}

/// Decodes a file that has nothing but segments; a damaged one too, where that is wanted.
fn decode_or_take(bytes: &[u8], structure: &Structure, budget: &Budget, at_least: u32) -> Result<Decoded, String> {
    let decoded = decode_clean(bytes, structure, budget, at_least);
    let is_damage = |reason: &String| reason.starts_with("damaged JPEG") || reason.starts_with("truncated JPEG");
    match (decoded, &structure.frame) {
        (Err(reason), Some(frame))
            if budget.limits.damaged == Damaged::Take && is_damage(&reason) && !missing::all(bytes, frame) =>
        {
            let file = File {
                bytes,
                structure,
                frame,
            };
            let (stored, _) = file.by_either(budget, u32::MAX, Strictness::Lenient)?;
            damage::note(bytes);
            Ok(stored.turned())
        }
        (decoded, _) => decoded,
    }
}

/// Decodes a file that has nothing but segments.
fn decode_clean(bytes: &[u8], structure: &Structure, budget: &Budget, at_least: u32) -> Result<Decoded, String> {
    let truncated = || "truncated JPEG: the file ends before the picture does".to_string();
    let Some(frame) = &structure.frame else {
        return Err(if structure.ended {
            "damaged JPEG: it has no size".into()
        } else {
            truncated()
        });
    };
    if let Some(reason) = cannot_read_jpeg(frame.process, frame.precision) {
        return Err(reason);
    }
    let visits = 64 * structure.visits;
    if visits / VISITS > budget.limits.max_pixels {
        return Err(format!(
            "too large: {} scans of {}x{} pixels go over {} megapixels in all, the limit is {}",
            structure.scans,
            frame.width,
            frame.height,
            visits / 1_000_000,
            VISITS * budget.limits.max_pixels / 1_000_000
        ));
    }
    let file = File {
        bytes,
        structure,
        frame,
    };
    if !structure.ended {
        let whole = match structure.lone_baseline_scan {
            true => whole_but_for_its_end(&file, budget)?,
            false => None,
        };
        let whole = whole.ok_or_else(truncated)?;
        return missing::reason(bytes, structure).map_or(Ok(whole), Err);
    }
    if let Some(reason) = missing::reason(bytes, structure) {
        return Err(reason);
    }
    let at_least = if file.has_few_scans() { at_least } else { u32::MAX };
    let (stored, by_other) = file.by_either(budget, at_least, Strictness::Strict)?;
    if by_other && let Some(reason) = missing::rows(bytes, frame) {
        return Err(reason);
    }
    match missing::reason_by_pixels(bytes, structure, &stored.image, stored.eighths) {
        Some(reason) => Err(reason),
        None => Ok(stored.turned()),
    }
}

/// A file that has its end-of-image marker, and what its markers say.
struct File<'a> {
    bytes: &'a [u8],
    structure: &'a Structure,
    frame: &'a Frame,
}

/// Why there is no image; how it is turned, where another decoder that is less strict would give the same colors.
struct Refused {
    reason: String,
    orientation: Option<Orientation>,
}

/// What bad entropy-coded data is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Strictness {
    /// An error.
    Strict,
    /// A gray patch.
    Lenient,
}

impl File<'_> {
    /// Whether it has no more scans than an image needs. A hostile file may have scans without end, of a few bytes
    /// each, that only zune-jpeg stops at.
    fn has_few_scans(&self) -> bool {
        let most = if self.frame.progressive() {
            100
        } else {
            self.frame.components.len()
        };
        self.structure.scans <= most
    }

    /// Decodes it, where zune-jpeg refuses it by the other decoder, and says whether it was that one: what this reads
    /// at a part of its size, since it is less strict, it reads whole too.
    fn by_either(&self, budget: &Budget, at_least: u32, strictness: Strictness) -> Result<(Stored, bool), String> {
        match self.decode(budget, at_least, strictness)? {
            Ok(stored) => Ok((stored, false)),
            Err(Refused { reason, orientation }) => {
                let orientation = orientation
                    .filter(|_| self.has_few_scans())
                    .ok_or_else(|| reason.clone())?;
                let stored = reduced::decode(self, budget, 8)?.ok_or(reason)?;
                Ok((Stored { orientation, ..stored }, true))
            }
        }
    }

    /// Decodes it; an error of its own where it is too large.
    fn decode(
        &self,
        budget: &Budget,
        at_least: u32,
        strictness: Strictness,
    ) -> Result<Result<Stored, Refused>, String> {
        let options = DecoderOptions::default()
            .set_strict_mode(strictness == Strictness::Strict)
            .set_max_width(usize::from(u16::MAX))
            .set_max_height(usize::from(u16::MAX))
            .jpeg_set_out_colorspace(ColorSpace::RGB);
        let refused = |failure: zune_jpeg::errors::DecodeErrors, orientation| {
            let reason = format!("damaged JPEG: {failure}");
            Ok(Err(Refused { reason, orientation }))
        };
        let size @ [width, height] = [self.frame.width, self.frame.height];
        // Before anything else, lest a header alone costs much.
        budget.check(size, [0; 2], 0)?;
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(self.bytes), options);
        if let Err(failure) = decoder.decode_headers() {
            return refused(failure, None);
        }
        if decoder.dimensions() != Some((width as usize, height as usize)) {
            return Err("damaged JPEG: it has two sizes".into());
        }
        let told = decoder.exif().and_then(|exif| Orientation::from_exif_chunk(exif));
        let orientation = told.unwrap_or(Orientation::NoTransforms);
        // Of other colors each decoder has its own opinion.
        let known = matches!(decoder.input_colorspace(), Some(ColorSpace::YCbCr | ColorSpace::Luma));
        if known
            && let Some(eighths) = reduced::eighths(size, at_least)
            && let Some(reduced) = reduced::decode(self, budget, eighths)?
        {
            return Ok(Ok(Stored { orientation, ..reduced }));
        }
        // The coefficients of several scans are all kept until the last one.
        let kept = if self.structure.lone_baseline_scan {
            0
        } else {
            2 * self.frame.samples()
        };
        // Some rows of blocks, as coefficients and as colors before and after these are as many as pixels.
        let rows = 512 * u64::from(width);
        let needed = (kept + rows + rgb_bytes(size)).max(turning_bytes(size, orientation));
        let held = budget.hold(size, size, needed)?;
        let pixels = match decoder.decode() {
            Ok(pixels) => pixels,
            Err(failure) => return refused(failure, known.then_some(orientation)),
        };
        let image = RgbImage::from_raw(width, height, pixels).ok_or("damaged JPEG: not as many pixels as it says")?;
        Ok(Ok(Stored {
            image,
            size,
            eighths: 8,
            orientation,
            held,
        }))
    }
}

/// An image as it is stored, not yet upright.
struct Stored {
    image: RgbImage,
    /// Width and height of all of it in pixels.
    size: [u32; 2],
    /// Eighths of these at which it was decoded; the last column and row may be a part of a pixel.
    eighths: u32,
    orientation: Orientation,
    held: Held,
}

impl Stored {
    /// Upright; a last column or row that is a part of a pixel may then be the first.
    fn turned(self) -> Decoded {
        use Orientation::*;
        let orientation = self.orientation;
        let image = turned(self.image, orientation);
        let mut size = self.size;
        if matches!(orientation, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH) {
            size.reverse();
        }
        let [width, height] = size.map(|side| f64::from(side) * f64::from(self.eighths) / 8.0);
        let left = match orientation {
            FlipHorizontal | Rotate180 | Rotate90 | Rotate270FlipH => f64::from(image.width()) - width,
            _ => 0.0,
        };
        let top = match orientation {
            FlipVertical | Rotate180 | Rotate270 | Rotate270FlipH => f64::from(image.height()) - height,
            _ => 0.0,
        };
        Decoded {
            image,
            part: [left, top, width, height],
            size,
            _held: self.held,
        }
    }
}

/// The image of a baseline file that lacks nothing but its end-of-image marker, as some cameras and downloads leave
/// it. No pixel is missing, so it is accepted; a progressive one is not, since finer scans may have followed.
///
/// It is whole where any data may follow the scan without changing a pixel. And where that still holds without the
/// last bytes, these are not the image's: space that a broken download or disk left filled, which the decoder takes
/// for data.
fn whole_but_for_its_end(file: &File, budget: &Budget) -> Result<Option<Decoded>, String> {
    // Enough to change every block of one unit (ten at most), of which a tiny image shows but a corner.
    const MORE: usize = 512;
    let Some(last) = file.bytes.iter().rposition(|&byte| byte != 0xFF) else {
        return Ok(None);
    };
    let scan = &file.bytes[..=last];
    // A copy of the file, and one image at a time: of the others their hashes are known.
    let copy = (scan.len() + MORE + 2) as u64;
    let _held = budget.hold_copy(copy)?;
    let budget = &Budget {
        file: budget.file + copy,
        ..*budget
    };
    let followed_by = |scan: &[u8], data: u8| -> Result<Option<Stored>, String> {
        let mut bytes = Vec::with_capacity(copy as usize);
        for part in [scan, &[data; MORE], &[0xFF, 0xD9]] {
            bytes.extend_from_slice(part);
        }
        let file = File { bytes: &bytes, ..*file };
        Ok(file.decode(budget, u32::MAX, Strictness::Strict)?.ok())
    };
    let hash = |scan: &[u8], data: u8| -> Result<Option<u64>, String> {
        let hash = |stored: Stored| {
            let mut hasher = DefaultHasher::new();
            stored.image.as_raw().hash(&mut hasher);
            hasher.finish()
        };
        Ok(followed_by(scan, data)?.map(hash))
    };
    let settled = |scan: &[u8]| -> Result<bool, String> {
        let first = hash(scan, 0x00)?;
        Ok(first.is_some() && first == hash(scan, 0x55)?)
    };
    if !settled(scan)? || settled(&scan[..scan.len().saturating_sub(16)])? {
        return Ok(None);
    }
    Ok(followed_by(scan, 0x00)?.map(Stored::turned))
}
