//! From a file's bytes to upright RGB pixels, or the reason why not.

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, RgbImage};

/// What a picture may cost: guards against decompression bombs.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Pixels.
    pub max_pixels: u64,
    /// Bytes that a decoder may allocate.
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

/// The format that the content, not the name, tells.
pub fn format(bytes: &[u8]) -> Option<ImageFormat> {
    image::guess_format(bytes)
        .ok()
        .filter(|format| format.reading_enabled())
}

/// Decodes a JPEG, PNG, WebP, GIF (first frame), BMP or TIFF to RGB: turned upright by its EXIF orientation, gray and
/// CMYK converted, alpha laid over white.
///
/// # Errors
/// Why it is no picture, in words for a table: empty, truncated, too large, not a picture.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<RgbImage, String> {
    if bytes.is_empty() {
        return Err("empty file".into());
    }
    let format = format(bytes).ok_or_else(|| not_a_picture(bytes))?;
    if format == ImageFormat::Jpeg && !jpeg_is_complete(bytes) {
        return Err("truncated JPEG: no end-of-image marker".into());
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut allowed = image::Limits::default();
    allowed.max_alloc = Some(limits.max_alloc_bytes);
    reader.limits(allowed);
    let damaged = |failure: image::ImageError| {
        let text = failure.to_string();
        format!("damaged {}: {text}", name(format))
    };
    let mut decoder = reader.into_decoder().map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > limits.max_pixels {
        let limit = limits.max_pixels / 1_000_000;
        return Err(format!(
            "too large: {width}x{height} pixels, the limit is {limit} megapixels"
        ));
    }
    if width == 0 || height == 0 {
        return Err(format!("damaged {}: no pixels", name(format)));
    }
    let orientation = decoder
        .orientation()
        .unwrap_or(image::metadata::Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    picture.apply_orientation(orientation);
    Ok(over_white(picture))
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

fn not_a_picture(bytes: &[u8]) -> String {
    let brand = bytes.get(4..12).unwrap_or_default();
    let formats = "JPEG, PNG, WebP, GIF, BMP or TIFF";
    match brand {
        b"ftypheic" | b"ftypheix" | b"ftypmif1" => format!("HEIC, which pelage cannot read; convert it to {formats}"),
        b"ftypavif" => format!("AVIF, which pelage cannot read; convert it to {formats}"),
        _ => format!("not a picture (content is none of {formats})"),
    }
}

/// Whether an end-of-image marker follows the last start of scan; decoders fill what is missing with gray.
fn jpeg_is_complete(bytes: &[u8]) -> bool {
    let last = |marker: u8| bytes.windows(2).rposition(|pair| pair == [0xFF, marker]);
    matches!((last(0xDA), last(0xD9)), (Some(scan), Some(end)) if end > scan)
}

fn over_white(picture: DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.into_rgb8();
    }
    let picture = picture.into_rgba8();
    let mut result = RgbImage::new(picture.width(), picture.height());
    for (to, from) in result.pixels_mut().zip(picture.pixels()) {
        let alpha = u32::from(from[3]);
        for c in 0..3 {
            to[c] = ((u32::from(from[c]) * alpha + 255 * (255 - alpha) + 127) / 255) as u8;
        }
    }
    result
}
