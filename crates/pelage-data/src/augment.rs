//! Random changes to training images: those with the names and meanings of Keras's `ImageDataGenerator`
//! (keras/src/legacy/preprocessing/image.py), and torchvision's and timm's in modules of their own.

pub mod affine;
#[cfg(feature = "files")]
pub mod crop;
#[cfg(feature = "files")]
pub mod erasing;
#[cfg(feature = "files")]
pub mod mix;
#[cfg(feature = "files")]
pub mod operators;
#[cfg(feature = "files")]
pub mod policy;
mod random;

use pelage_kernels::isa::Isa;
use pelage_kernels::pixels::{self, Border, Map, Normalization};
use serde::{Deserialize, Serialize};

pub use affine::{FillMode, Transform};
pub(crate) use random::Random;

use crate::{Error, Result};

/// The smallest alpha of a mixture, above none.
const LEAST_ALPHA: f32 = 0.01;

/// Ranges to draw from; the default changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Augmentation {
    /// Rotation by up to so many degrees either way.
    pub rotation_range: f32,
    /// Horizontal shift: below 1 a share of the width, else pixels.
    pub width_shift_range: f32,
    /// Vertical shift: below 1 a share of the height, else pixels.
    pub height_shift_range: f32,
    /// Shear by up to so many degrees either way.
    pub shear_range: f32,
    /// Zoom between 1 - z and 1 + z, drawn for x and y independently (so the aspect ratio changes).
    pub zoom_range: f32,
    /// Added to each channel: up to so many of 255 either way, the result kept within the image's own range.
    pub channel_shift_range: f32,
    /// Factor on the values, between the two.
    pub brightness_range: Option<[f32; 2]>,
    /// Left and right swapped in one of two.
    pub horizontal_flip: bool,
    /// Left and right swapped in every other epoch, beginning with a drawn one (Jordan 2024): of two epochs, both sides
    /// are seen.
    pub alternating_flip: bool,
    /// Top and bottom swapped in one of two.
    pub vertical_flip: bool,
    /// A part of the image, with a share of its area between the two, see [`crop`].
    pub random_resized_crop: Option<[f32; 2]>,
    /// One operator of 14 with a random magnitude: TrivialAugmentWide, see [`policy`].
    pub trivial_augment: bool,
    /// So many operators of 14 with this magnitude of 0 to 30: RandAugment.
    pub rand_augment: Option<[u32; 2]>,
    /// The probability that a rectangle is erased, see [`erasing`].
    pub random_erasing: f32,
    /// Images of a batch are mixed, in shares drawn from Beta(mixup, mixup); 0: not, see [`mix`].
    pub mixup: f32,
    /// Rectangles are exchanged, of shares drawn from Beta(cutmix, cutmix); 0: not. With mixup, one in two batches.
    pub cutmix: f32,
    /// What is seen beyond the border.
    pub fill_mode: FillMode,
    /// The value seen there with `constant`, 0 to 255.
    pub fill_value: f32,
}

/// What was drawn for one image.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Drawn {
    /// The affine part.
    pub transform: Transform,
    /// Added to each channel, in values of 0 to 255.
    pub channel_shift: f32,
    /// Left and right swapped.
    pub horizontal_flip: bool,
    /// Top and bottom swapped.
    pub vertical_flip: bool,
    /// Factor on the values.
    pub brightness: Option<f32>,
}

impl Augmentation {
    /// The article's: shear 0.2 radians (11.46 degrees), zoom 0.2, horizontal flip.
    pub fn article() -> Self {
        Augmentation {
            shear_range: 11.46,
            zoom_range: 0.2,
            horizontal_flip: true,
            ..Self::default()
        }
    }

    /// Whether nothing would change.
    pub fn is_none(&self) -> bool {
        let shown = Augmentation {
            fill_mode: FillMode::default(),
            fill_value: 0.0,
            ..self.clone()
        };
        shown == Augmentation::default()
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// Names the first one that makes no sense.
    pub fn validate(&self) -> Result<()> {
        let ranges = [
            ("rotation_range", self.rotation_range, 360.0),
            ("width_shift_range", self.width_shift_range, 1e4),
            ("height_shift_range", self.height_shift_range, 1e4),
            ("shear_range", self.shear_range, 89.0),
            ("zoom_range", self.zoom_range, 0.99),
            ("channel_shift_range", self.channel_shift_range, 255.0),
            ("fill_value", self.fill_value, 255.0),
            ("random_erasing", self.random_erasing, 1.0),
            ("mixup", self.mixup, 100.0),
            ("cutmix", self.cutmix, 100.0),
        ];
        let wrong = ranges.iter().find(|(_, value, most)| !(0.0..=*most).contains(value));
        if let Some(&(name, value, most)) = wrong {
            return Err(Error::setting(name, value, format!("0 to {most}")));
        }
        // Below, every draw is all or nothing.
        for (name, alpha) in [("mixup", self.mixup), ("cutmix", self.cutmix)] {
            if alpha > 0.0 && alpha < LEAST_ALPHA {
                return Err(Error::setting(name, alpha, format!("0, or {LEAST_ALPHA} to 100")));
            }
        }
        if self.horizontal_flip && self.alternating_flip {
            return Err(Error::setting(
                "alternating_flip",
                true,
                "false where horizontal_flip is true",
            ));
        }
        if let Some([low, high]) = self.random_resized_crop
            && !(low > 0.0 && low <= high && high <= 1.0)
        {
            let allowed = "two numbers above 0 and up to 1, the lower first";
            return Err(Error::setting("random_resized_crop", format!("{low} {high}"), allowed));
        }
        if let Some([count, magnitude]) = self.rand_augment
            && !((1..=14).contains(&count) && magnitude <= 30)
        {
            let allowed = "1 to 14 operators, and a magnitude of 0 to 30";
            return Err(Error::setting("rand_augment", format!("{count} {magnitude}"), allowed));
        }
        match self.brightness_range {
            Some([low, high]) if !(low >= 0.0 && low <= high && high.is_finite()) => {
                let allowed = "two numbers of 0 or more, the lower first";
                Err(Error::setting("brightness_range", format!("{low} {high}"), allowed))
            }
            _ => Ok(()),
        }
    }

    /// Draws for one image, as a function of `seed` alone.
    pub fn draw(&self, width: usize, height: usize, seed: u64) -> Drawn {
        let mut random = Random(seed);
        let pixels = |range: f32, side: usize| if range < 1.0 { range * side as f32 } else { range };
        let transform = Transform {
            theta: random.symmetric(self.rotation_range),
            // Keras has these two exchanged, so that its width_shift_range moves images up and down
            // (github.com/keras-team/keras/issues/17398).
            tx: random.symmetric(pixels(self.width_shift_range, width)),
            ty: random.symmetric(pixels(self.height_shift_range, height)),
            shear: random.symmetric(self.shear_range),
            zx: 1.0 + random.symmetric(self.zoom_range),
            zy: 1.0 + random.symmetric(self.zoom_range),
        };
        let channel_shift = random.symmetric(self.channel_shift_range);
        let horizontal_flip = random.unit() < 0.5 && self.horizontal_flip;
        let vertical_flip = random.unit() < 0.5 && self.vertical_flip;
        let position = random.unit();
        let brightness = self.brightness_range.map(|[low, high]| low + (high - low) * position);
        Drawn {
            transform,
            channel_shift,
            horizontal_flip,
            vertical_flip,
            brightness,
        }
    }

    /// What is seen beyond the border.
    pub fn border(&self) -> Border {
        self.fill_mode.border(self.fill_value)
    }

    /// The operators that change an image of `[rows, columns]`, by one of the policies.
    #[cfg(feature = "files")]
    pub(crate) fn operators(&self, size: [usize; 2], random: &mut Random) -> Vec<operators::Operator> {
        let mut operators = Vec::new();
        if self.trivial_augment {
            operators.push(policy::trivial(random));
        }
        if let Some([count, magnitude]) = self.rand_augment {
            operators.extend(policy::rand(count as usize, magnitude as usize, size, random));
        }
        operators
    }
}

impl Drawn {
    /// What `ImageDataGenerator.apply_transform` does, in its order: affine, channel shift, flips, brightness; and
    /// normalization in the same pass, of `pixels` of the rows and columns `from` into `out`, of the rows and columns
    /// `to`, whose pixels ranges are in. An image of another size is resampled in the same pass, by bilinear
    /// interpolation that does not antialias: at twice the size of `out` no pixel is left out yet.
    ///
    /// # Panics
    /// Where a length does not fit, or for ranges that [`Augmentation::validate`] refuses.
    pub fn apply(
        &self,
        pixels: &[u8],
        from: [usize; 2],
        border: Border,
        normalization: &Normalization,
        out: &mut [f32],
        to: [usize; 2],
    ) {
        let isa = Isa::best();
        let flips = [self.vertical_flip, self.horizontal_flip];
        let map = affine::scaled(self.transform.map(to[1], to[0], flips), from, to);
        if self.channel_shift != 0.0 {
            // Cut to the range that the values had before, which takes a pass of its own to find.
            pixels::warp(isa, pixels, from, &map, border, None, &Normalization::NONE, out, to);
            let (low, high) = out
                .iter()
                .fold((f32::MAX, f32::MIN), |(low, high), v| (low.min(*v), high.max(*v)));
            out.iter_mut()
                .for_each(|value| *value = (*value + self.channel_shift).clamp(low, high));
            pixels::finish(out, self.brightness, normalization);
        } else if from == to && map == Map::IDENTITY && self.brightness.is_none() {
            pixels::normalize(isa, pixels, normalization, out);
        } else {
            pixels::warp(isa, pixels, from, &map, border, self.brightness, normalization, out, to);
        }
    }
}
