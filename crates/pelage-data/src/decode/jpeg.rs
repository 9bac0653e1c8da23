//! JPEG by zune-jpeg itself and not through the `image` crate, which reads the headers three times over and lets it
//! fill what a truncated or damaged file lacks with gray.

mod reduced;

use image::RgbImage;
use image::metadata::Orientation;
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::{Decoded, Limits};

pub(super) fn decode(bytes: &[u8], limits: &Limits, at_least: u32) -> Result<Decoded, String> {
    let structure = Structure::of(bytes);
    if structure.ended {
        // A hostile file may have scans without end, of a few bytes each, that only zune-jpeg stops at.
        let scans = if structure.progressive {
            100
        } else {
            structure.components.into()
        };
        let at_least = if structure.scans <= scans { at_least } else { u32::MAX };
        return decode_ended(bytes, structure.progressive, limits, at_least);
    }
    if structure.lone_baseline_scan
        && let Some(image) = whole_but_for_its_end(bytes, limits)
    {
        return Ok(Decoded::whole(image));
    }
    Err("truncated JPEG: the file ends before the picture does".into())
}

/// Decodes a file that has its end-of-image marker.
fn decode_ended(bytes: &[u8], progressive: bool, limits: &Limits, at_least: u32) -> Result<Decoded, String> {
    // Strict: bad entropy-coded data is an error and not a gray patch.
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let damaged = |failure: zune_jpeg::errors::DecodeErrors| format!("damaged JPEG: {failure}");
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(damaged)?;
    let (width, height) = decoder.dimensions().ok_or("damaged JPEG: no size")?;
    let (width, height) = (width as u32, height as u32);
    // A progressive file's coefficients are all kept until its last scan: two bytes for each of up to four components.
    limits.check(
        width,
        height,
        if progressive {
            8 * u64::from(width) * u64::from(height)
        } else {
            0
        },
    )?;
    let orientation = |decoder: &JpegDecoder<_>| {
        let told = decoder.exif().and_then(|exif| Orientation::from_exif_chunk(exif));
        told.unwrap_or(Orientation::NoTransforms)
    };
    // Of other colors each decoder has its own opinion.
    let known = matches!(decoder.input_colorspace(), Some(ColorSpace::YCbCr | ColorSpace::Luma));
    if known && let Some(reduced) = reduced::decode(bytes, width, height, at_least) {
        return Ok(reduced.turned(orientation(&decoder)));
    }
    let pixels = decoder.decode().map_err(damaged)?;
    let image = RgbImage::from_raw(width, height, pixels).ok_or("damaged JPEG: not as many pixels as it says")?;
    Ok(Decoded::whole(super::turned(image, orientation(&decoder))))
}

/// What the markers say.
#[derive(Default)]
struct Structure {
    /// There is an end-of-image marker behind a scan. One in an embedded thumbnail does not count, nor does what
    /// cameras append behind it matter.
    ended: bool,
    progressive: bool,
    scans: usize,
    components: u8,
    /// Not progressive, and its only scan holds all components.
    lone_baseline_scan: bool,
}

impl Structure {
    fn of(bytes: &[u8]) -> Structure {
        let mut found = Structure::default();
        let mut rest = bytes;
        while let Some(at) = rest.iter().position(|&byte| byte == 0xFF) {
            rest = &rest[at + 1..];
            let Some(&marker) = rest.first() else { break };
            match marker {
                // A fill byte: the next one is looked at. Stuffing, restarts, start of image: no segment follows.
                0xFF => continue,
                0x00 | 0x01 | 0xD0..=0xD8 => rest = &rest[1..],
                0xD9 => {
                    found.ended = found.scans > 0;
                    break;
                }
                _ => {
                    let [high, low, ..] = rest[1..] else { break };
                    let Some(segment) = rest.get(3..1 + usize::from(u16::from_be_bytes([high, low]))) else {
                        break;
                    };
                    match marker {
                        0xC0..=0xC2 => {
                            found.progressive = marker == 0xC2;
                            found.components = segment.get(5).copied().unwrap_or(0);
                        }
                        0xDA => {
                            found.scans += 1;
                            let all = segment.first() == Some(&found.components);
                            found.lone_baseline_scan = found.scans == 1 && all && !found.progressive;
                        }
                        _ => {}
                    }
                    rest = &rest[3 + segment.len()..];
                }
            }
        }
        found
    }
}

/// The image of a baseline file that lacks nothing but its end-of-image marker, as some cameras and downloads leave
/// it. No pixel is missing, so it is accepted; a progressive one is not, since finer scans may have followed.
///
/// It is whole where any data may follow the scan without changing a pixel. And where that still holds without the
/// last bytes, these are not the image's: space that a broken download or disk left filled, which the decoder takes
/// for data.
fn whole_but_for_its_end(bytes: &[u8], limits: &Limits) -> Option<RgbImage> {
    // Enough to change every block of one unit (ten at most), of which a tiny image shows but a corner.
    const MORE: usize = 512;
    let scan = &bytes[..bytes.iter().rposition(|&byte| byte != 0xFF)? + 1];
    let followed_by = |scan: &[u8], data: u8| {
        decode_ended(&[scan, &[data; MORE], &[0xFF, 0xD9]].concat(), false, limits, u32::MAX).ok()
    };
    let settled = |scan: &[u8]| {
        let image = followed_by(scan, 0x00)?.image;
        (followed_by(scan, 0x55)?.image == image).then_some(image)
    };
    let shorter = &scan[..scan.len().saturating_sub(16)];
    settled(scan).filter(|_| settled(shorter).is_none())
}
