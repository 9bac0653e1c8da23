//! How images become a network's input: one record, saved in the model file and used wherever pixels are touched.

use crate::decode::{self, Limits};
use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{self as resizer, FilterType, ResizeAlg, ResizeOptions};
use image::RgbImage;
use pelage_kernels::isa::Isa;
use pelage_kernels::pixels::{self, Normalization};
use serde::{Deserialize, Serialize};

/// Size, filter, fit and normalization.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    /// Columns in pixels.
    pub width: u32,
    /// Rows in pixels.
    pub height: u32,
    /// How pixels are interpolated.
    pub filter: ResizeFilter,
    /// What happens to the aspect ratio.
    pub fit: Fit,
    /// Subtracted from each channel (red, green, blue) after division by 255.
    pub mean: [f32; 3],
    /// Each channel is then divided by this.
    pub std: [f32; 3],
}

crate::choices! {
    /// How pixels are interpolated; all but `nearest` are antialiased when they shrink.
    #[derive(Default)]
    ResizeFilter {
        /// The nearest pixel, as Keras's `flow_from_directory` does by default.
        Nearest = "nearest",
        /// Triangle filter.
        #[default]
        Bilinear = "bilinear",
        /// Catmull-Rom.
        Bicubic = "bicubic",
        /// Three-lobed Lanczos.
        Lanczos3 = "lanczos3",
    }
}

crate::choices! {
    /// What happens where the aspect ratio differs.
    #[derive(Default)]
    Fit {
        /// The whole image is squashed to the size.
        #[default]
        Squash = "squash",
        /// The largest middle part of the right shape is taken.
        Crop = "crop",
    }
}

impl Preprocessing {
    /// A square of `size` pixels, bilinear, squashed, values 0 to 1.
    pub fn new(size: u32) -> Self {
        Preprocessing {
            width: size,
            height: size,
            filter: ResizeFilter::default(),
            fit: Fit::default(),
            mean: [0.0; 3],
            std: [1.0; 3],
        }
    }

    /// Numbers in one image: height * width * 3.
    pub fn len(&self) -> usize {
        self.width as usize * self.height as usize * 3
    }

    /// Whether there is no pixel.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The image of a file at this size, as [`Preprocessing::resize`] makes it of what is decoded: a large JPEG reduced
    /// as far as its shorter side stays twice the longer one here, so that the filter still sees more than it gives.
    /// The nearest pixel is taken of the whole image.
    ///
    /// # Errors
    /// As [`decode::decode`].
    pub fn decode(&self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        self.decode_within(bytes, &Limits::default())
    }

    /// The same with other limits than the default ones.
    ///
    /// # Errors
    /// As [`decode::decode`].
    pub fn decode_within(&self, bytes: &[u8], limits: &Limits) -> Result<Vec<u8>, String> {
        let at_least = match self.filter {
            ResizeFilter::Nearest => u32::MAX,
            _ => self.width.max(self.height).saturating_mul(2),
        };
        let decoded = decode::decode_for(bytes, limits, at_least, &|size| self.resizing_bytes(size))?;
        let image = &decoded.image;
        self.resize_part(image.as_raw(), image.dimensions().into(), decoded.part)
    }

    /// The image at this size: rows of RGB, `height * width * 3` values of 0 to 255.
    ///
    /// # Errors
    /// An image without pixels, or one whose shape takes too much memory to resize.
    pub fn resize(&self, image: &RgbImage) -> Result<Vec<u8>, String> {
        self.resize_part(image.as_raw(), image.dimensions().into(), decode::all_of(image))
    }

    /// Pixels of one size (width, height) at another, squashed where the aspect ratio differs: what does not belong to
    /// the image was cropped before.
    #[cfg(feature = "files")]
    pub(crate) fn resize_pixels(&self, pixels: &[u8], from: [u32; 2], to: [u32; 2]) -> Result<Vec<u8>, String> {
        let to = Preprocessing {
            width: to[0],
            height: to[1],
            fit: Fit::Squash,
            ..self.clone()
        };
        to.resize_part(pixels, from, [0.0, 0.0, f64::from(from[0]), f64::from(from[1])])
    }

    /// Bytes that resizing an image of `size` (width, height) takes beside its pixels: the result, all columns at the
    /// height of the result, since columns are shortened first, and the filter's weights. Of an image that is far wider
    /// than high, or the other way round, these are many.
    pub(crate) fn resizing_bytes(&self, size: [u32; 2]) -> u64 {
        let result = self.len() as u64;
        let support = match self.filter {
            ResizeFilter::Nearest => return result,
            ResizeFilter::Bilinear => 1,
            ResizeFilter::Bicubic => 2,
            ResizeFilter::Lanczos3 => 3,
        };
        if size == [self.width, self.height] {
            return result;
        }
        // As f64, and then as i16 or i32, to both sides of each place.
        let weights = |from: u32, to: u32| 2 * support * 12 * u64::from(from.max(to));
        let between = 3 * u64::from(size[0]) * u64::from(self.height);
        result + between + weights(size[0], self.width) + weights(size[1], self.height)
    }

    /// Of a part of an image of `size` (width, height): left, top, width, height in its pixels.
    fn resize_part(&self, pixels: &[u8], size: [u32; 2], part: [f64; 4]) -> Result<Vec<u8>, String> {
        if size.contains(&0) {
            return Err("it has no pixels".into());
        }
        // An image may have been made of a longer array.
        let pixels = &pixels[..size[0] as usize * size[1] as usize * 3];
        if size == [self.width, self.height] {
            return Ok(pixels.to_vec());
        }
        Limits::default().check_bytes(size, pixels.len() as u64 + self.resizing_bytes(size))?;
        let algorithm = match self.filter {
            ResizeFilter::Nearest => ResizeAlg::Nearest,
            ResizeFilter::Bilinear => ResizeAlg::Convolution(FilterType::Bilinear),
            ResizeFilter::Bicubic => ResizeAlg::Convolution(FilterType::CatmullRom),
            ResizeFilter::Lanczos3 => ResizeAlg::Convolution(FilterType::Lanczos3),
        };
        let [left, top, width, height] = part;
        let (across, down) = match self.fit {
            Fit::Squash => (width, height),
            Fit::Crop => {
                let (to_width, to_height) = (f64::from(self.width), f64::from(self.height));
                let scale = (width / to_width).min(height / to_height);
                // The larger by rounding, it would begin before the image does.
                ((to_width * scale).min(width), (to_height * scale).min(height))
            }
        };
        let (left, top) = (left + (width - across) / 2.0, top + (height - down) / 2.0);
        let options = ResizeOptions::new().resize_alg(algorithm).crop(left, top, across, down);
        let mut output = vec![0; self.len()];
        let failed = |what: &dyn std::fmt::Display| format!("resizing failed: {what}");
        // For this type of pixels alone: `resize` would bring code for every other one, a minute to compile.
        let from = TypedImageRef::<U8x3>::from_buffer(size[0], size[1], pixels).map_err(|failure| failed(&failure))?;
        let mut to = TypedImage::<U8x3>::from_buffer(self.width, self.height, &mut output)
            .map_err(|failure| failed(&failure))?;
        resizer::Resizer::new()
            .resize_typed(&from, &mut to, &options)
            .map_err(|failure| failed(&failure))?;
        Ok(output)
    }

    /// `(value / 255 - mean) / std`, channel by channel.
    pub fn normalization(&self) -> Normalization {
        Normalization::new(self.mean, self.std)
    }

    /// Normalizes pixel values 0 to 255 into `out`, of the same length.
    pub fn normalize(&self, pixels: &[u8], out: &mut [f32]) {
        pixels::normalize(Isa::best(), pixels, &self.normalization(), out);
    }
}
