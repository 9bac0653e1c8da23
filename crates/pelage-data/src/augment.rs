//! Random changes to training pictures, with the names and meanings of Keras's `ImageDataGenerator`
//! (keras/src/legacy/preprocessing/image.py).

pub mod affine;

use pelage_kernels::isa::Isa;
use pelage_kernels::pixels::{self, Border, Map, Normalization};
use serde::{Deserialize, Serialize};

pub use affine::{FillMode, Transform};

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
    /// Added to each channel: up to so many of 255 either way, the result kept within the picture's own range.
    pub channel_shift_range: f32,
    /// Factor on the values, between the two.
    pub brightness_range: Option<[f32; 2]>,
    /// Left and right swapped in one of two.
    pub horizontal_flip: bool,
    /// Top and bottom swapped in one of two.
    pub vertical_flip: bool,
    /// What is seen beyond the border.
    pub fill_mode: FillMode,
    /// The value seen there with `constant`, 0 to 255.
    pub fill_value: f32,
}

/// What was drawn for one picture.
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
    pub fn validate(&self) -> crate::Result<()> {
        let ranges = [
            ("--rotation-range", self.rotation_range, 360.0),
            ("--width-shift-range", self.width_shift_range, 1e4),
            ("--height-shift-range", self.height_shift_range, 1e4),
            ("--shear-range", self.shear_range, 89.0),
            ("--zoom-range", self.zoom_range, 0.99),
            ("--channel-shift-range", self.channel_shift_range, 255.0),
            ("--fill-value", self.fill_value, 255.0),
        ];
        let wrong = ranges.iter().find(|(_, value, most)| !(0.0..=*most).contains(value));
        if let Some((name, value, most)) = wrong {
            return Err(crate::Error::Input(format!(
                "{name} is {value}, it must be 0 to {most}"
            )));
        }
        match self.brightness_range {
            Some([low, high]) if !(low >= 0.0 && low <= high && high.is_finite()) => Err(crate::Error::Input(format!(
                "--brightness-range is {low} {high}, it must be two numbers of 0 or more, the lower first"
            ))),
            _ => Ok(()),
        }
    }

    /// Draws for one picture, as a function of `seed` alone.
    pub fn draw(&self, width: usize, height: usize, seed: u64) -> Drawn {
        let mut random = Random(seed);
        let pixels = |range: f32, side: usize| if range < 1.0 { range * side as f32 } else { range };
        let transform = Transform {
            theta: random.symmetric(self.rotation_range),
            // Keras has these two exchanged, so that its width_shift_range moves pictures up and down
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

    /// Changes one picture (`height * width * 3` bytes) as `seed` tells, and normalizes it into `out` (as many values).
    ///
    /// # Panics
    /// Where a length does not fit, or for ranges that [`Augmentation::validate`] refuses.
    pub fn apply(
        &self,
        pixels: &[u8],
        width: usize,
        height: usize,
        seed: u64,
        normalization: &Normalization,
        out: &mut [f32],
    ) {
        let border = self.fill_mode.border(self.fill_value);
        self.draw(width, height, seed)
            .apply(pixels, width, height, border, normalization, out);
    }
}

impl Drawn {
    /// What `ImageDataGenerator.apply_transform` does, in its order: affine, channel shift, flips, brightness; and
    /// normalization in the same pass.
    pub fn apply(
        &self,
        pixels: &[u8],
        width: usize,
        height: usize,
        border: Border,
        normalization: &Normalization,
        out: &mut [f32],
    ) {
        let (isa, sides) = (Isa::best(), [height, width]);
        let map = self
            .transform
            .map(width, height, [self.vertical_flip, self.horizontal_flip]);
        if self.channel_shift != 0.0 {
            // Cut to the range that the values had before, which only a pass of its own can tell.
            pixels::warp(isa, pixels, sides, &map, border, None, &Normalization::NONE, out);
            let (low, high) = out
                .iter()
                .fold((f32::MAX, f32::MIN), |(low, high), v| (low.min(*v), high.max(*v)));
            out.iter_mut()
                .for_each(|value| *value = (*value + self.channel_shift).clamp(low, high));
            pixels::finish(out, self.brightness, normalization);
        } else if map == Map::IDENTITY && self.brightness.is_none() {
            pixels::normalize(isa, pixels, normalization, out);
        } else {
            pixels::warp(isa, pixels, sides, &map, border, self.brightness, normalization, out);
        }
    }
}

/// SplitMix64 (Steele, Lea and Flood 2014): tiny, and the same on every platform.
struct Random(u64);

impl Random {
    fn unit(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        (mix(self.0) >> 40) as f32 / (1u64 << 24) as f32
    }

    fn symmetric(&mut self, range: f32) -> f32 {
        (2.0 * self.unit() - 1.0) * range
    }
}

/// The finalizer of SplitMix64.
pub(crate) fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
