//! Random changes to training pictures, with the names and meanings of Keras's `ImageDataGenerator`
//! (keras/src/legacy/preprocessing/image.py).

pub mod affine;

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
            // Keras calls the vertical shift tx and the horizontal one ty.
            tx: random.symmetric(pixels(self.height_shift_range, height)),
            ty: random.symmetric(pixels(self.width_shift_range, width)),
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

    /// Changes one picture (`height * width * 3` bytes) into `out` (as many values of 0 to 255, not rounded).
    pub fn apply(&self, pixels: &[u8], width: usize, height: usize, seed: u64, out: &mut [f32]) {
        let drawn = self.draw(width, height, seed);
        apply(pixels, width, height, &drawn, self.fill_mode, self.fill_value, out);
    }
}

/// What `ImageDataGenerator.apply_transform` does, in its order: affine, channel shift, flips, brightness.
pub fn apply(
    pixels: &[u8],
    width: usize,
    height: usize,
    drawn: &Drawn,
    fill_mode: FillMode,
    fill_value: f32,
    out: &mut [f32],
) {
    let flips = [drawn.vertical_flip, drawn.horizontal_flip];
    affine::warp(
        pixels,
        width,
        height,
        &drawn.transform,
        flips,
        fill_mode,
        fill_value,
        out,
    );
    if drawn.channel_shift != 0.0 {
        let (low, high) = out
            .iter()
            .fold((f32::MAX, f32::MIN), |(low, high), v| (low.min(*v), high.max(*v)));
        out.iter_mut()
            .for_each(|value| *value = (*value + drawn.channel_shift).clamp(low, high));
    }
    if let Some(factor) = drawn.brightness {
        // Keras goes through an 8-bit PIL picture here, which cuts to whole numbers.
        out.iter_mut()
            .for_each(|value| *value = (value.floor() * factor).clamp(0.0, 255.0).floor());
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
