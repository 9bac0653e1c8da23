//! The epilogue of a convolution: residual, activation, store.

use std::mem::MaybeUninit;

use super::Activation;
use super::activation::curve;
use crate::vector::{Simd, Vector};

/// Maximum number of values per pixel in a tile: two vectors of 16.
const WIDEST: usize = 32;

/// The epilogue for one tile of channels.
pub(super) struct Finish<'a> {
    pub(super) activation: Activation,
    /// Added before the activation; same layout as the output.
    pub(super) residual: Option<&'a [f32]>,
    /// The first channel of the tile in the output.
    pub(super) first: usize,
    /// Channels of the tile without padding.
    pub(super) valid: usize,
    /// Distance between output pixels, in values.
    pub(super) stride: usize,
}

impl Finish<'_> {
    /// Writes the tile's channels of `P` pixels, starting at pixel `at`.
    #[inline(always)]
    pub(super) fn pixels<V: Vector, const N: usize, const P: usize>(
        &self,
        simd: Simd<V>,
        mut sums: [[V; N]; P],
        at: usize,
        output: &mut [MaybeUninit<f32>],
    ) {
        let start = at * self.stride + self.first;
        // The end of all accesses below; this one check covers them all.
        let end = start + (P - 1) * self.stride + self.valid;
        assert!(end <= output.len() && self.residual.is_none_or(|residual| end <= residual.len()));
        let [low, high] = self.activation.limits().unwrap_or([f32::NEG_INFINITY, f32::INFINITY]);
        if self.valid == N * V::LANES {
            // SAFETY: pixel p's N vectors begin at start + p * stride and end by `end`, which is within both slices.
            unsafe {
                if let Some(residual) = self.residual {
                    for p in 0..P {
                        for n in 0..N {
                            let from = residual.as_ptr().add(start + p * self.stride + n * V::LANES);
                            sums[p][n] = sums[p][n].add(V::load_at(simd, from));
                        }
                    }
                }
                let (low, high) = (V::splat(simd, low), V::splat(simd, high));
                for p in 0..P {
                    for n in 0..N {
                        let to = output
                            .as_mut_ptr()
                            .cast::<f32>()
                            .add(start + p * self.stride + n * V::LANES);
                        sums[p][n].clamp(low, high).store_at(to);
                    }
                }
            }
        } else {
            // Spill all sums first, in loops of fixed length: indexing them by a variable would make the compiler keep
            // them in memory in the other branch too.
            let mut spread = [[0.0f32; WIDEST]; P];
            for p in 0..P {
                for n in 0..N {
                    sums[p][n].store(&mut spread[p][n * V::LANES..]);
                }
            }
            for (p, sums) in spread.iter_mut().enumerate() {
                let range = start + p * self.stride..start + p * self.stride + self.valid;
                if let Some(residual) = self.residual {
                    sums.iter_mut()
                        .zip(&residual[range.clone()])
                        .for_each(|(sum, add)| *sum += add);
                }
                for (to, x) in output[range].iter_mut().zip(sums) {
                    let x = if low > *x { low } else { *x };
                    to.write(if high < x { high } else { x });
                }
            }
        }
        if self.activation.limits().is_none() {
            for p in 0..P {
                let values = &mut output[start + p * self.stride..][..self.valid];
                // SAFETY: all were written above.
                let values = unsafe { values.assume_init_mut() };
                if V::FUSED {
                    curve::<true>(self.activation, values)
                } else {
                    curve::<false>(self.activation, values)
                }
            }
        }
    }
}
