//! From a file's bytes to upright RGB pixels, or the reason why not.

mod damage;
mod formats;
mod jpeg;
mod limits;
mod memory;
mod png;
mod quiet;
mod raw;
#[cfg(feature = "files")]
mod tiff;

use std::io::Cursor;

use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageFormat, ImageReader, RgbImage};

use self::limits::{Budget, rgb_bytes};

pub use self::damage::Damaged;
pub(crate) use self::formats::not_an_image;
#[cfg(feature = "files")]
pub(crate) use self::formats::{archive, camera_raw, is_picture};
pub use self::limits::Limits;
pub(crate) use self::memory::Held;
pub(crate) use self::quiet::quietly;

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
/// Why it is no image, in words for a table: empty, truncated, damaged, too large, not an image.
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
    /// Width and height of all of the image in pixels, upright.
    pub size: [u32; 2],
    /// The memory that it takes.
    _held: Held,
}

impl Decoded {
    fn whole(image: RgbImage, held: Held) -> Self {
        Decoded {
            part: all_of(&image),
            size: image.dimensions().into(),
            image,
            _held: held,
        }
    }
}

/// All of an image, as a part of it.
pub(crate) fn all_of(image: &RgbImage) -> [f64; 4] {
    let (width, height) = image.dimensions();
    [0.0, 0.0, f64::from(width), f64::from(height)]
}

/// As [`decode`], but an image that takes less time at a half, a quarter or an eighth of its sides comes as small as
/// neither side falls below `at_least` pixels. Only JPEGs do.
///
/// # Errors
/// As [`decode`].
pub fn decode_at_least(bytes: &[u8], limits: &Limits, at_least: u32) -> Result<Decoded, String> {
    decode_for(bytes, limits, at_least, &|_| 0)
}

/// As [`decode_at_least`], for something that takes memory of its own: so many bytes beside an image of some width and
/// height.
pub(crate) fn decode_for(
    bytes: &[u8],
    limits: &Limits,
    at_least: u32,
    afterwards: &dyn Fn([u32; 2]) -> u64,
) -> Result<Decoded, String> {
    if bytes.is_empty() {
        return Err("empty file".into());
    }
    if let Some(reason) = formats::refused(bytes) {
        return Err(reason);
    }
    let format = format(bytes).ok_or_else(|| not_an_image(bytes))?;
    let budget = Budget {
        limits,
        file: bytes.len() as u64,
        afterwards,
    };
    let decode = || match format {
        ImageFormat::Jpeg => jpeg::decode(bytes, &budget, at_least),
        ImageFormat::Png => png::decode(bytes, &budget),
        #[cfg(feature = "files")]
        ImageFormat::Tiff => {
            tiff::decode_palette(bytes, &budget).unwrap_or_else(|| decode_other(bytes, format, &budget))
        }
        // The decoder would not miss what was cut off behind the pixels, and that may be how to turn them.
        ImageFormat::WebP if is_cut(bytes) => Err("truncated WebP: the file ends before the picture does".into()),
        _ => decode_other(bytes, format, &budget),
    };
    // A decoder that panics over a hostile file must cost that file, not the run.
    let decoded = quietly(decode).unwrap_or_else(|| Err(format!("damaged {}: decoding failed", name(format))));
    decoded.map_err(|reason| one_line(&reason))
}

/// A reason for a cell of a table: decoders end theirs with a new line, some.
fn one_line(reason: &str) -> String {
    reason.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn decode_other(bytes: &[u8], format: ImageFormat, budget: &Budget) -> Result<Decoded, String> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut allowed = image::Limits::default();
    allowed.max_alloc = Some(budget.limits.max_alloc_bytes);
    reader.limits(allowed);
    let damaged = |failure: image::ImageError| match failure {
        image::ImageError::Unsupported(what) => format!("a kind of {} that pelage cannot read: {what}", name(format)),
        image::ImageError::Limits(_) => limits::beside_pixels(budget.limits),
        other => format!("damaged {}: {other}", name(format)),
    };
    let mut decoder = reader.into_decoder().map_err(damaged)?;
    let size = decoder.dimensions().into();
    let (color, decoded) = (decoder.color_type(), decoder.total_bytes());
    // Too large by its header: not even its orientation is looked for.
    budget.check(size, size, 0)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let within = match format {
        // The image before it is copied to where it belongs.
        ImageFormat::Tiff => decoded,
        // A frame, and the colors of a lossy one before they are converted.
        ImageFormat::Gif | ImageFormat::WebP => 8 * limits::pixels(size),
        _ => 0,
    };
    let converting = conversion_bytes(size, decoded, color == ColorType::Rgb8, color.has_alpha(), orientation);
    let held = budget.hold(size, size, converting.max(decoded.saturating_add(within)))?;
    let image = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    memory::freed(within);
    Ok(Decoded::whole(as_rgb(image, orientation), held))
}

/// Bytes that [`as_rgb`] takes at most, the decoded ones included.
fn conversion_bytes(size: [u32; 2], decoded: u64, is_rgb: bool, has_alpha: bool, orientation: Orientation) -> u64 {
    let rgb = rgb_bytes(size);
    let converting = match (is_rgb, has_alpha) {
        (true, _) => decoded,
        // First to RGBA of 8 bits, if it is not that already.
        (false, true) if decoded == limits::pixels(size) * 4 => decoded + rgb,
        (false, true) => decoded
            .saturating_add(limits::pixels(size) * 4)
            .max(limits::pixels(size) * 4 + rgb),
        (false, false) => decoded.saturating_add(rgb),
    };
    converting.max(turning_bytes(size, orientation))
}

/// Bytes of an RGB image that is turned, and of what it becomes.
fn turning_bytes(size: [u32; 2], orientation: Orientation) -> u64 {
    match orientation {
        Orientation::NoTransforms => rgb_bytes(size),
        _ => 2 * rgb_bytes(size),
    }
}

/// Upright, without alpha.
fn as_rgb(image: DynamicImage, orientation: Orientation) -> RgbImage {
    turned(over_white(image), orientation)
}

/// Whether a RIFF file is shorter than it says, in four bytes after the first four.
fn is_cut(bytes: &[u8]) -> bool {
    let length = bytes.get(4..).and_then(|rest| rest.first_chunk());
    length.is_none_or(|length| u64::from(u32::from_le_bytes(*length)) + 8 > bytes.len() as u64)
}

fn turned(image: RgbImage, orientation: Orientation) -> RgbImage {
    if orientation != Orientation::NoTransforms {
        // What it was made of is gone.
        memory::freed(image.as_raw().len() as u64);
    }
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

fn over_white(image: DynamicImage) -> RgbImage {
    if !image.color().has_alpha() {
        return image.into_rgb8();
    }
    let image = image.into_rgba8();
    let mut result = RgbImage::new(image.width(), image.height());
    for (to, from) in result.pixels_mut().zip(image.pixels()) {
        to.0 = on_white(from.0);
    }
    result
}

/// A color with alpha, laid over white.
fn on_white([red, green, blue, alpha]: [u8; 4]) -> [u8; 3] {
    let alpha = u32::from(alpha);
    [red, green, blue].map(|value| ((u32::from(value) * alpha + 255 * (255 - alpha) + 127) / 255) as u8)
}
