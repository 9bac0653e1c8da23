//! From 8-bit RGB images to a network's f32 input in a single pass: normalization alone, or an affine transform with
//! everything that follows it.

mod warp;

use crate::isa::{Isa, for_each_isa, multiply_add};

pub use warp::{Border, Map, warp};

/// Maps a value of 0 to 255 to `value * scale + shift`, per channel (red, green, blue).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normalization {
    /// The factor of each channel.
    pub scale: [f32; 3],
    /// Added to each channel afterwards.
    pub shift: [f32; 3],
}

impl Normalization {
    /// Leaves values at 0 to 255.
    pub const NONE: Normalization = Normalization {
        scale: [1.0; 3],
        shift: [0.0; 3],
    };

    /// `(value / 255 - mean) / std`.
    pub fn new(mean: [f32; 3], std: [f32; 3]) -> Self {
        Normalization {
            scale: std::array::from_fn(|c| 1.0 / (255.0 * std[c])),
            shift: std::array::from_fn(|c| -mean[c] / std[c]),
        }
    }
}

/// Values normalized at a time: whole pixels, and whole vectors of 16.
const PIECE: usize = 48;

/// Normalizes `pixels` into `out`.
///
/// # Panics
/// If their lengths differ.
pub fn normalize(isa: Isa, pixels: &[u8], normalization: &Normalization, out: &mut [f32]) {
    assert_eq!(pixels.len(), out.len(), "length of out");
    dispatch_normalize(isa, pixels, normalization, out);
}

for_each_isa!(fused dispatch_normalize, normalize_body,
    (pixels: &[u8], normalization: &Normalization, out: &mut [f32]));

#[inline(always)]
fn normalize_body<const FUSED: bool>(pixels: &[u8], normalization: &Normalization, out: &mut [f32]) {
    let scale: [f32; PIECE] = std::array::from_fn(|i| normalization.scale[i % 3]);
    let shift: [f32; PIECE] = std::array::from_fn(|i| normalization.shift[i % 3]);
    let one = |i: usize, value: u8| multiply_add::<FUSED>(f32::from(value), scale[i], shift[i]);
    let (pieces, rest) = pixels.as_chunks::<PIECE>();
    let (out_pieces, out_rest) = out.as_chunks_mut::<PIECE>();
    for (out, piece) in out_pieces.iter_mut().zip(pieces) {
        for i in 0..PIECE {
            out[i] = one(i, piece[i]);
        }
    }
    for (i, (out, value)) in out_rest.iter_mut().zip(rest).enumerate() {
        *out = one(i, *value);
    }
}

/// Applies brightness, then normalization, to `values` (unrounded pixel values of 0 to 255) in place.
pub fn finish(values: &mut [f32], brightness: Option<f32>, normalization: &Normalization) {
    let finish = Finish::new(brightness, normalization);
    for pixel in values.as_chunks_mut::<3>().0 {
        for c in 0..3 {
            pixel[c] = finish.value::<false>(c, pixel[c]);
        }
    }
}

/// Pixels that a kernel processes at a time, in four lanes each, of which the last is unused.
const TILE: usize = 16;
const LANES: usize = TILE * 4;

/// The last step for every value: brightness and normalization.
struct Finish {
    brightness: Option<f32>,
    scale: [f32; LANES],
    shift: [f32; LANES],
}

impl Finish {
    fn new(brightness: Option<f32>, normalization: &Normalization) -> Self {
        let lanes = |of: [f32; 3]| std::array::from_fn(|k| of.get(k % 4).copied().unwrap_or(0.0));
        Finish {
            brightness,
            scale: lanes(normalization.scale),
            shift: lanes(normalization.shift),
        }
    }

    #[inline(always)]
    fn value<const FUSED: bool>(&self, lane: usize, value: f32) -> f32 {
        let value = match self.brightness {
            // Pillow's ImageEnhance, which Keras calls, works on 8 bits: fractions are truncated.
            Some(factor) => cut::<FUSED>((cut::<FUSED>(value) * factor).clamp(0.0, 255.0)),
            None => value,
        };
        multiply_add::<FUSED>(value, self.scale[lane], self.shift[lane])
    }
}

/// Truncates a value of 0 to 255. `floor` is one instruction where multiply-add is fused, but a library call elsewhere
/// (on baseline x86-64).
#[inline(always)]
fn cut<const FUSED: bool>(value: f32) -> f32 {
    if FUSED { value.floor() } else { value as i32 as f32 }
}
