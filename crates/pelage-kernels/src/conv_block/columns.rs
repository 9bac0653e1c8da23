//! Forward for any number of channels, by Winograd's F(4, 3) along columns only: half the multiply-adds of direct
//! convolution. Within each transformed row, the values of a window stay contiguous, as in the image.
//!
//! In both directions, as in [`winograd`](super::winograd), it would be a quarter of the multiply-adds, but with few
//! or an odd number of channels a transformed patch does not fill whole vectors.

use std::cell::Cell;
use std::mem::MaybeUninit;

use super::pool::pool;
use super::{Shape, copy_window};
use crate::convolution::winograd::transform::{outputs_column, patch_column, weights_column};
use crate::convolution::winograd::{PATCH, SIDE};
use crate::isa::{Isa, for_each_isa};
use crate::scratch::Buffer;
use crate::vector::{Simd, Vector};

thread_local!(static STRIP: Cell<Strip> = Cell::default());

/// Channels computed at once, two vectors: the C that [`rows_of`] is compiled with for `isa`.
pub(super) fn tile_channels(isa: Isa) -> usize {
    2 * isa.lanes()
}

/// Length of the packed weights and bias.
pub(super) fn packed_len(isa: Isa, shape: Shape) -> usize {
    shape.out_channels.next_multiple_of(tile_channels(isa)) * (3 * PATCH * shape.in_channels + 1)
}

/// For each tile of C channels, the transformed weights as `[kx][ci][row][C]` and the bias as `[C]`; the last tile is
/// zero-padded.
pub(super) fn pack(isa: Isa, shape: Shape, weights: &[f32], bias: &[f32], packed: &mut [f32]) {
    let (tile, ci) = (tile_channels(isa), shape.in_channels);
    let len = 3 * PATCH * ci * tile;
    packed.fill(0.0);
    for (co, (weights, bias)) in weights.chunks_exact(9 * ci).zip(bias).enumerate() {
        let packed = &mut packed[co / tile * (len + tile) + co % tile..];
        for (c, weights) in weights.chunks_exact(9).enumerate() {
            for kx in 0..3 {
                let column = weights_column([weights[kx], weights[3 + kx], weights[6 + kx]]);
                for (row, weight) in column.into_iter().enumerate() {
                    packed[((kx * ci + c) * PATCH + row) * tile] = weight;
                }
            }
        }
        packed[len] = *bias;
    }
}

/// Pooled rows per strip.
pub(super) const TILE: usize = SIDE / 2;

/// The input rows that some pooled rows depend on, and `B'` times each of their columns.
#[derive(Default)]
pub(super) struct Strip {
    pixels: Buffer,
    transformed: Buffer,
}

impl Strip {
    /// The transformed strip under [`TILE`] pooled rows starting at row `top`, and the distance between its rows.
    #[inline(always)]
    pub(super) fn transform<V: Vector>(
        &mut self,
        simd: Simd<V>,
        shape: Shape,
        top: usize,
        image: &[f32],
    ) -> (&[f32], usize) {
        let size = [PATCH, shape.width + 2];
        let row = size[1] * shape.in_channels;
        let stride = row.next_multiple_of(V::LANES);
        // The last vector of the last row may extend past it.
        let pixels = self.pixels.get(PATCH * row + V::LANES);
        copy_window(
            shape,
            image,
            [2 * top as isize - 1, -1],
            size,
            shape.in_channels,
            pixels,
        );
        let transformed = self.transformed.get(PATCH * stride);
        for at in (0..stride).step_by(V::LANES) {
            let mut column = [V::splat(simd, 0.0); PATCH];
            for y in 0..PATCH {
                column[y] = V::load(simd, &pixels[y * row + at..]);
            }
            let column = patch_column(simd, column);
            for y in 0..PATCH {
                column[y].store(&mut transformed[y * stride + at..]);
            }
        }
        (transformed, stride)
    }
}

// The vector type; channels of a tile of two vectors; columns whose sums fit in registers.
for_each_isa!(vectors rows_of, rows_body,
[avx512: 32, 2; avx2: 16, 1; neon: 8, 2; simd128: 8, 1; portable: 8, 1],
(
    shape: Shape,
    floor: f32,
    top: usize,
    input: &[f32],
    packed: &[f32],
    output: &mut [MaybeUninit<f32>],
    winners: &mut [MaybeUninit<u8>],
));

/// Computes pooled rows of one image, starting at row `top`, a multiple of [`TILE`].
#[inline(always)]
fn rows_body<V: Vector, const C: usize, const W: usize>(
    simd: Simd<V>,
    shape: Shape,
    floor: f32,
    top: usize,
    input: &[f32],
    packed: &[f32],
    output: &mut [MaybeUninit<f32>],
    winners: &mut [MaybeUninit<u8>],
) {
    let (co, ci, width) = (shape.out_channels, shape.in_channels, shape.pooled_width());
    let (weights_len, rows) = (3 * PATCH * ci * C, output.len() / (width * co));
    assert!(C == 2 * V::LANES && packed.len() == co.div_ceil(C) * (weights_len + C));
    let mut strip = STRIP.take();
    for y in (0..rows).step_by(TILE) {
        let (transformed, stride) = strip.transform(simd, shape, top + y, input);
        for (tile, packed) in packed.chunks_exact(weights_len + C).enumerate() {
            let (weights, bias) = packed.split_at(weights_len);
            let first = tile * C;
            for x in 0..width {
                // The four output rows of the two convolution columns under a pooled column.
                let mut values = [[[0.0f32; C]; 2]; SIDE];
                let at = 2 * x * ci;
                assert!(PATCH * stride <= transformed.len() && at + 4 * ci <= stride);
                for left in (0..2).step_by(W) {
                    // SAFETY: reads 3 * ci values at `at` and `at + ci` of rows `stride` apart, in bounds by the
                    // assertion, and all of `weights`.
                    let products = unsafe {
                        let from = transformed.as_ptr().add(at + left * ci);
                        products::<V, W>(simd, from, stride, ci, weights.as_ptr())
                    };
                    for column in 0..W {
                        for n in 0..2 {
                            let mut sums = [V::splat(simd, 0.0); PATCH];
                            for row in 0..PATCH {
                                sums[row] = products[row][column][n];
                            }
                            let sums = outputs_column(simd, sums);
                            for row in 0..SIDE {
                                sums[row].store(&mut values[row][left + column][n * V::LANES..]);
                            }
                        }
                    }
                }
                for row in 0..TILE.min(rows - y) {
                    let sums = [
                        values[2 * row][0],
                        values[2 * row][1],
                        values[2 * row + 1][0],
                        values[2 * row + 1][1],
                    ];
                    let at = ((y + row) * width + x) * co + first;
                    let end = at + C.min(co - first);
                    pool(&sums, bias, floor, &mut output[at..end], &mut winners[at..end]);
                }
            }
        }
    }
    STRIP.set(strip);
}

/// For each transformed row and `W` consecutive columns, two vectors of sums over the 3 * `ci` values that start there.
///
/// # Safety
/// Each of the six rows, `stride` apart, must have (`W` + 2) * `ci` values; `weights` are `[3 * ci][row][two vectors]`.
#[inline(always)]
unsafe fn products<V: Vector, const W: usize>(
    simd: Simd<V>,
    from: *const f32,
    stride: usize,
    ci: usize,
    weights: *const f32,
) -> [[[V; 2]; W]; PATCH] {
    // SAFETY: guaranteed by the caller.
    unsafe {
        let mut sums = [[[V::splat(simd, 0.0); 2]; W]; PATCH];
        for k in 0..3 * ci {
            for row in 0..PATCH {
                let mut values = [V::splat(simd, 0.0); W];
                for column in 0..W {
                    values[column] = V::splat(simd, *from.add(row * stride + k + column * ci));
                }
                for n in 0..2 {
                    let weight = V::load_at(simd, weights.add(((k * PATCH + row) * 2 + n) * V::LANES));
                    for column in 0..W {
                        sums[row][column][n] = sums[row][column][n].multiply_add(values[column], weight);
                    }
                }
            }
        }
        sums
    }
}
