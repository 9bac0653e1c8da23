//! PNG by the `png` crate itself and not through `image`, which unpacks color profiles and texts, of which a file of
//! some kilobytes may have gigabytes, and which nobody here looks at; and row by row, so that nothing but the RGB image
//! is ever whole, however many bits and colors the file has.

use std::io::Cursor;

use image::RgbImage;
use image::metadata::Orientation;
use png::{BitDepth, ColorType, Decoder, DecodingError, Reader, Transformations};

use super::limits::{self, Budget, rgb_bytes};
use super::{Decoded, on_white, turned, turning_bytes};

/// Where the pixels of each pass lie: the first column and row, and the distance between columns and rows.
const IN_ORDER: [[usize; 4]; 1] = [[0, 0, 1, 1]];
const ADAM7: [[usize; 4]; 7] = [
    [0, 0, 8, 8],
    [4, 0, 8, 8],
    [0, 4, 4, 8],
    [2, 0, 4, 4],
    [0, 2, 2, 4],
    [1, 0, 2, 2],
    [0, 1, 1, 2],
];

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
    // Rows before and after they are unpacked: of a wide image as much as the image.
    let rows = 5 * 8 * u64::from(header.width);
    // Before the rest of the header makes room for rows.
    budget.check(size, size, rows + rgb_bytes(size))?;
    let mut reader = decoder.read_info().map_err(damaged)?;
    let told = reader.info().exif_metadata.as_ref();
    let orientation = told.and_then(|exif| Orientation::from_exif_chunk(exif));
    let orientation = orientation.unwrap_or(Orientation::NoTransforms);
    let held = budget.hold(size, size, rows + turning_bytes(size, orientation))?;
    let mut image = RgbImage::new(size[0], size[1]);
    read_rows(&mut reader, &mut image)
        .map_err(damaged)?
        .ok_or("damaged PNG: not as many pixels as it says")?;
    drop(reader);
    Ok(Decoded::whole(turned(image, orientation), held))
}

/// Reads all rows into `image`; none where there are not as many as it has.
fn read_rows(reader: &mut Reader<Cursor<&[u8]>>, image: &mut RgbImage) -> Result<Option<()>, DecodingError> {
    let (color, depth) = reader.output_color_type();
    let passes: &[_] = if reader.info().interlaced { &ADAM7 } else { &IN_ORDER };
    let (width, height) = (image.width() as usize, image.height() as usize);
    let pixels = image.as_flat_samples_mut().samples.as_chunks_mut::<3>().0;
    let mut narrow = Vec::new();
    for &[left, top, across, down] in passes {
        if left >= width {
            continue;
        }
        for y in (top..height).step_by(down) {
            let Some(row) = reader.next_row()? else {
                return Ok(None);
            };
            let row = match depth {
                BitDepth::Sixteen => {
                    narrow.clear();
                    narrow.extend(row.data().as_chunks().0.iter().map(|&pair| eight_bits(pair)));
                    &narrow
                }
                _ => row.data(),
            };
            let to = pixels[y * width..][..width][left..].iter_mut().step_by(across);
            match color {
                ColorType::Grayscale => to.zip(row).for_each(|(to, &gray)| *to = [gray; 3]),
                ColorType::GrayscaleAlpha => to
                    .zip(row.as_chunks().0)
                    .for_each(|(to, &[gray, alpha])| *to = on_white([gray, gray, gray, alpha])),
                ColorType::Rgb => to.zip(row.as_chunks().0).for_each(|(to, from)| *to = *from),
                ColorType::Rgba => to.zip(row.as_chunks().0).for_each(|(to, from)| *to = on_white(*from)),
                // It was expanded.
                ColorType::Indexed => return Ok(None),
            }
        }
    }
    // The end of the data, and its checksum.
    reader.next_row()?;
    Ok(Some(()))
}

/// The nearest of 256 values.
fn eight_bits(pair: [u8; 2]) -> u8 {
    ((u32::from(u16::from_be_bytes(pair)) + 128) / 257) as u8
}
