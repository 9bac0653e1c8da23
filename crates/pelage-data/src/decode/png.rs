//! PNG by the `png` crate itself and not through `image`, which unpacks color profiles and texts, of which a file of
//! some kilobytes may have gigabytes, and which nobody here looks at.

use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, ImageBuffer};
use png::{BitDepth, ColorType, Decoder, DecodingError, Transformations};

use super::limits::{self, Budget, pixels};
use super::{Decoded, as_rgb, conversion_bytes};

pub(super) fn decode(bytes: &[u8], budget: &Budget) -> Result<Decoded, String> {
    let damaged = |failure: DecodingError| match failure {
        DecodingError::LimitsExceeded => limits::beside_pixels(budget.limits),
        other => format!("damaged PNG: {other}"),
    };
    let allowed = png::Limits {
        bytes: usize::try_from(budget.limits.max_alloc_bytes).unwrap_or(usize::MAX),
    };
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), allowed);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    decoder.set_transformations(Transformations::EXPAND);
    let header = decoder.read_header_info().map_err(damaged)?;
    let size = [header.width, header.height];
    // Its rows before they are unpacked: of a wide image as much as the image.
    let row = 8 * u64::from(header.width);
    // Before the rest of the header makes room for rows.
    drop(budget.hold(size, size, 0)?);
    let mut reader = decoder.read_info().map_err(damaged)?;
    let (color, depth) = reader.output_color_type();
    let sample = if depth == BitDepth::Sixteen { 2 } else { 1 };
    let decoded = pixels(size) * color.samples() as u64 * sample;
    let has_alpha = matches!(color, ColorType::Rgba | ColorType::GrayscaleAlpha);
    let told = reader.info().exif_metadata.as_ref();
    let orientation = told.and_then(|exif| Orientation::from_exif_chunk(exif));
    let orientation = orientation.unwrap_or(Orientation::NoTransforms);
    let is_rgb = color == ColorType::Rgb && sample == 1;
    let converting = conversion_bytes(size, decoded, is_rgb, has_alpha, orientation);
    // Samples of 16 bits are brought to this machine's order in a copy.
    let held = budget.hold(size, size, 4 * row + converting.max(decoded * sample))?;

    let too_many = || "too large: more pixels than this machine can count".to_string();
    let mut buffer = vec![0; reader.output_buffer_size().ok_or_else(too_many)?];
    reader.next_frame(&mut buffer).map_err(damaged)?;
    drop(reader);
    let image = image(size, color, depth, buffer).ok_or("damaged PNG: not as many pixels as it says")?;
    Ok(Decoded::whole(as_rgb(image, orientation), held))
}

/// The image of rows that the decoder has expanded to 8 or 16 bits.
fn image([width, height]: [u32; 2], color: ColorType, depth: BitDepth, buffer: Vec<u8>) -> Option<DynamicImage> {
    if depth == BitDepth::Sixteen {
        let pairs = buffer.as_chunks::<2>().0.iter();
        let wide: Vec<u16> = pairs.map(|pair| u16::from_be_bytes(*pair)).collect();
        drop(buffer);
        return match color {
            ColorType::Grayscale => ImageBuffer::from_raw(width, height, wide).map(DynamicImage::ImageLuma16),
            ColorType::GrayscaleAlpha => ImageBuffer::from_raw(width, height, wide).map(DynamicImage::ImageLumaA16),
            ColorType::Rgb => ImageBuffer::from_raw(width, height, wide).map(DynamicImage::ImageRgb16),
            ColorType::Rgba => ImageBuffer::from_raw(width, height, wide).map(DynamicImage::ImageRgba16),
            ColorType::Indexed => None,
        };
    }
    match color {
        ColorType::Grayscale => ImageBuffer::from_raw(width, height, buffer).map(DynamicImage::ImageLuma8),
        ColorType::GrayscaleAlpha => ImageBuffer::from_raw(width, height, buffer).map(DynamicImage::ImageLumaA8),
        ColorType::Rgb => ImageBuffer::from_raw(width, height, buffer).map(DynamicImage::ImageRgb8),
        ColorType::Rgba => ImageBuffer::from_raw(width, height, buffer).map(DynamicImage::ImageRgba8),
        ColorType::Indexed => None,
    }
}
