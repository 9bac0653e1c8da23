//! A large JPEG at a half, a quarter or an eighth of its sides: the inverse transform makes 4, 2 or 1 instead of 8
//! pixels of each block side, which leaves out what is finer; at an eighth each is the mean of its block. zune-jpeg has
//! no such transform, jpeg-decoder has.

use std::panic::catch_unwind;

use image::RgbImage;
use image::metadata::Orientation;
use jpeg_decoder::{Decoder, PixelFormat};

use crate::decode::{Decoded, turned};

/// A reduced image as it is stored, not yet upright.
pub(super) struct Reduced {
    image: RgbImage,
    /// Columns and rows of the image; the last ones may be a part of a pixel.
    exact: [f64; 2],
}

/// The image as small as neither side falls below `at_least`; none where no reduction is that large, or where it fails.
pub(super) fn decode(bytes: &[u8], width: u32, height: u32, at_least: u32) -> Option<Reduced> {
    let reduced = |side: u32, eighths: u32| (side * eighths).div_ceil(8);
    let eighths = [1, 2, 4]
        .into_iter()
        .find(|&eighths| reduced(width.min(height), eighths) >= at_least)?;
    let exact = [width, height].map(|side| f64::from(side * eighths) / 8.0);
    let (width, height) = (reduced(width, eighths), reduced(height, eighths));
    // Nor must a panic cost a file that zune-jpeg can read.
    let pixels = catch_unwind(|| pixels(bytes, width as u16, height as u16)).ok()??;
    let image = RgbImage::from_raw(width, height, pixels)?;
    Some(Reduced { image, exact })
}

fn pixels(bytes: &[u8], width: u16, height: u16) -> Option<Vec<u8>> {
    let mut decoder = Decoder::new(bytes);
    // It takes the smallest scale that gives one of these sides, and so both.
    if decoder.scale(width, height).ok()? != (width, height) {
        return None;
    }
    match decoder.info()?.pixel_format {
        PixelFormat::RGB24 => decoder.decode().ok(),
        PixelFormat::L8 => Some(decoder.decode().ok()?.iter().flat_map(|&gray| [gray; 3]).collect()),
        _ => None,
    }
}

impl Reduced {
    /// Upright; a last column or row that is a part of a pixel may then be the first.
    pub(super) fn turned(self, orientation: Orientation) -> Decoded {
        use Orientation::*;
        let image = turned(self.image, orientation);
        let [mut width, mut height] = self.exact;
        if matches!(orientation, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH) {
            (width, height) = (height, width);
        }
        let left = match orientation {
            FlipHorizontal | Rotate180 | Rotate90 | Rotate270FlipH => f64::from(image.width()) - width,
            _ => 0.0,
        };
        let top = match orientation {
            FlipVertical | Rotate180 | Rotate270 | Rotate270FlipH => f64::from(image.height()) - height,
            _ => 0.0,
        };
        let part = [left, top, width, height];
        Decoded { image, part }
    }
}
