//! Thumbnails embedded in a page.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use pelage_data::decode::{self, Limits};
use pelage_data::preprocess::{Fit, Preprocessing, ResizeFilter};
use pelage_data::source::Location;

/// The longer side in pixels.
const SIDE: u32 = 160;
/// JPEG quality, 1 to 100.
const QUALITY: u8 = 78;

/// The image at `location` as the network sees it, but with its own aspect ratio if the network sees it squashed.
pub(crate) fn read(location: &Location, seen: &Preprocessing) -> Result<RgbImage, String> {
    let read = location.read_with(|bytes| small(&bytes, seen));
    read.map_err(|failure| failure.to_string()).and_then(|image| image)
}

fn small(bytes: &[u8], seen: &Preprocessing) -> Result<RgbImage, String> {
    let decoded = decode::decode_at_least(bytes, &Limits::default(), u32::MAX)?;
    let image = &decoded.image;
    let (width, height) = match seen.fit {
        Fit::Squash => image.dimensions(),
        Fit::Crop => (seen.width, seen.height),
    };
    let scale = f64::from(SIDE) / f64::from(width.max(height));
    let side = |length: u32| ((f64::from(length) * scale).round() as u32).max(1);
    let small = Preprocessing {
        width: side(width),
        height: side(height),
        filter: ResizeFilter::Bilinear,
        ..seen.clone()
    };
    let pixels = small.resize(image)?;
    RgbImage::from_raw(small.width, small.height, pixels).ok_or_else(|| "it has no pixels".into())
}

/// The image as a `data:` address.
pub(crate) fn address(image: &RgbImage) -> Result<String, String> {
    let mut bytes = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut bytes, QUALITY);
    image
        .write_with_encoder(encoder)
        .map_err(|failure| failure.to_string())?;
    Ok(format!("data:image/jpeg;base64,{}", BASE64_STANDARD.encode(bytes)))
}
