//! From a file's bytes to upright RGB pixels, or the reason why not.

mod jpeg;
mod tiff;

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, RgbImage};

/// What an image may cost: guards against decompression bombs.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Pixels.
    pub max_pixels: u64,
    /// Bytes that decoding may hold at once.
    pub max_alloc_bytes: u64,
}

impl Default for Limits {
    /// 100 megapixels and 1 GiB.
    fn default() -> Self {
        Limits {
            max_pixels: 100_000_000,
            max_alloc_bytes: 1 << 30,
        }
    }
}

impl Limits {
    /// Refuses an image whose header promises too much, before anything is allocated for it.
    fn check(&self, width: u32, height: u32, decoded_bytes: u64) -> Result<(), String> {
        let pixels = u64::from(width) * u64::from(height);
        if pixels == 0 {
            return Err("damaged: no pixels".into());
        }
        if pixels > self.max_pixels {
            let limit = self.max_pixels / 1_000_000;
            return Err(format!(
                "too large: {width}x{height} pixels, the limit is {limit} megapixels"
            ));
        }
        // The decoder's own buffer, and the RGB that is made of it.
        let needed = decoded_bytes.saturating_add(pixels * 3);
        if needed > self.max_alloc_bytes {
            let (needed, limit) = (needed >> 20, self.max_alloc_bytes >> 20);
            return Err(format!(
                "too large: {width}x{height} pixels need {needed} MiB, the limit is {limit} MiB"
            ));
        }
        Ok(())
    }
}

/// The format by content, not by name.
pub fn format(bytes: &[u8]) -> Option<ImageFormat> {
    image::guess_format(bytes)
        .ok()
        .filter(|format| format.reading_enabled())
}

/// Decodes a JPEG, PNG, WebP, GIF (first frame), BMP or TIFF to RGB: turned upright by its EXIF orientation, gray and
/// CMYK converted, alpha laid over white.
///
/// # Errors
/// Why it is no image, in words for a table: empty, truncated, too large, not an image.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<RgbImage, String> {
    Ok(decode_at_least(bytes, limits, u32::MAX)?.image)
}

/// An image that may have been decoded at a part of its size.
pub struct Decoded {
    /// The pixels, upright.
    pub image: RgbImage,
    /// What of these is the image, in pixels: left, top, width, height. At an eighth of its sides, say, an image of
    /// 37 columns has four and five eighths; the last pixel is in part what the file was padded with.
    pub part: [f64; 4],
}

impl Decoded {
    fn whole(image: RgbImage) -> Self {
        let part = all_of(&image);
        Decoded { image, part }
    }
}

/// All of an image, as a part of it.
pub(crate) fn all_of(image: &RgbImage) -> [f64; 4] {
    let (width, height) = image.dimensions();
    [0.0, 0.0, f64::from(width), f64::from(height)]
}

/// As [`decode`], but an image that takes less time at a half, a quarter or an eighth of its sides comes as small as
/// neither side falls below `at_least` pixels. Only JPEGs do. Another decoder reads these, so that data which is
/// damaged but not cut short may be refused here and not there, or the other way round.
///
/// # Errors
/// As [`decode`].
pub fn decode_at_least(bytes: &[u8], limits: &Limits, at_least: u32) -> Result<Decoded, String> {
    if bytes.is_empty() {
        return Err("empty file".into());
    }
    let format = format(bytes).ok_or_else(|| not_an_image(bytes))?;
    let decode = || match format {
        ImageFormat::Jpeg => jpeg::decode(bytes, limits, at_least),
        ImageFormat::Tiff => tiff::decode_palette(bytes, limits)
            .unwrap_or_else(|| decode_other(bytes, format, limits))
            .map(Decoded::whole),
        // The decoder would not miss what was cut off behind the pixels, and that may be how to turn them.
        ImageFormat::WebP if is_cut(bytes) => Err("truncated WebP: the file ends before the picture does".into()),
        _ => decode_other(bytes, format, limits).map(Decoded::whole),
    };
    // A decoder that panics over a hostile file must cost that file, not the run.
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|_| Err(format!("damaged {}: decoding failed", name(format))))
}

fn decode_other(bytes: &[u8], format: ImageFormat, limits: &Limits) -> Result<RgbImage, String> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut allowed = image::Limits::default();
    allowed.max_alloc = Some(limits.max_alloc_bytes);
    reader.limits(allowed);
    let damaged = |failure: image::ImageError| match failure {
        image::ImageError::Unsupported(what) => format!("a kind of {} that pelage cannot read: {what}", name(format)),
        image::ImageError::Limits(what) => format!("too large: {what}"),
        other => format!("damaged {}: {other}", name(format)),
    };
    let mut decoder = reader.into_decoder().map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    limits.check(width, height, decoder.total_bytes())?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let image = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    Ok(turned(over_white(image), orientation))
}

/// Whether a RIFF file is shorter than it says, in four bytes after the first four.
fn is_cut(bytes: &[u8]) -> bool {
    let length = bytes.get(4..).and_then(|rest| rest.first_chunk());
    length.is_none_or(|length| u64::from(u32::from_le_bytes(*length)) + 8 > bytes.len() as u64)
}

fn turned(image: RgbImage, orientation: Orientation) -> RgbImage {
    let mut image = DynamicImage::ImageRgb8(image);
    image.apply_orientation(orientation);
    image.into_rgb8()
}

fn name(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Jpeg => "JPEG",
        ImageFormat::Png => "PNG",
        ImageFormat::WebP => "WebP",
        ImageFormat::Gif => "GIF",
        ImageFormat::Bmp => "BMP",
        ImageFormat::Tiff => "TIFF",
        _ => "picture",
    }
}

fn not_an_image(bytes: &[u8]) -> String {
    let brand = bytes.get(4..12).unwrap_or_default();
    let formats = "JPEG, PNG, WebP, GIF, BMP or TIFF";
    match brand {
        b"ftypheic" | b"ftypheix" | b"ftypmif1" => format!("HEIC, which pelage cannot read; convert it to {formats}"),
        b"ftypavif" => format!("AVIF, which pelage cannot read; convert it to {formats}"),
        _ => format!("not a picture (content is none of {formats})"),
    }
}

fn over_white(image: DynamicImage) -> RgbImage {
    if !image.color().has_alpha() {
        return image.into_rgb8();
    }
    let image = image.into_rgba8();
    let mut result = RgbImage::new(image.width(), image.height());
    for (to, from) in result.pixels_mut().zip(image.pixels()) {
        let alpha = u32::from(from[3]);
        for c in 0..3 {
            to[c] = ((u32::from(from[c]) * alpha + 255 * (255 - alpha) + 127) / 255) as u8;
        }
    }
    result
}
