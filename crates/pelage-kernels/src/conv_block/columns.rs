//! Forward of any channels, by Winograd's F(4, 3) along the columns alone: half of the multiply-adds of the definition; in each
//! transformed row, what a window sees is next to each other, as it is in the picture.
//!
//! In both directions, as [`winograd`](super::winograd) does it, there would be a quarter of the multiply-adds, but of so
//! few channels, or so odd a number, a transformed patch is no vector.

use std::cell::Cell;

use super::pool::pool;
use super::{Shape, copy_window};
#[cfg(target_arch = "aarch64")]
use crate::convolution::vector::Neon;
#[cfg(target_arch = "x86_64")]
use crate::convolution::vector::{Avx2, Avx512};
use crate::convolution::vector::{Portable, Vector};
use crate::convolution::winograd::transform::{outputs_column, patch_column, weights_column};
use crate::convolution::winograd::{PATCH, SIDE};
use crate::isa::{Isa, for_each_isa_with};
use crate::scratch::Buffer;

thread_local!(static STRIP: Cell<Strip> = Cell::default());

/// Channels that are computed at once: the C that [`rows_of`] is compiled with for `isa`.
pub(super) fn tile_channels(isa: Isa) -> usize {
    match isa.name() {
        "avx512" => 32,
        "avx2" => 16,
        "portable" => 4,
        _ => 8,
    }
}

/// Numbers of the packed weights and bias.
pub(super) fn packed_len(isa: Isa, shape: Shape) -> usize {
    shape.out_channels.next_multiple_of(tile_channels(isa)) * (3 * PATCH * shape.in_channels + 1)
}

/// For each tile of C channels, transformed weights as `[kx][ci][row][C]` and bias as `[C]`; zeros fill up the last one.
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

/// Pooled rows that a strip makes.
pub(super) const TILE: usize = SIDE / 2;

/// The rows that some pooled rows see, and what `B'` makes of each of their columns.
#[derive(Default)]
pub(super) struct Strip {
    pixels: Buffer,
    transformed: Buffer,
}

impl Strip {
    /// The transformed strip under [`TILE`] pooled rows from row `top` on, rows the returned length apart.
    ///
    /// # Safety
    /// Compiled for the instruction set of `V`.
    #[inline(always)]
    pub(super) unsafe fn transform<V: Vector>(&mut self, shape: Shape, top: usize, picture: &[f32]) -> (&[f32], usize) {
        let size = [PATCH, shape.width + 2];
        let row = size[1] * shape.in_channels;
        let stride = row.next_multiple_of(V::LANES);
        // The last vector of the last row may reach past it.
        let pixels = self.pixels.get(PATCH * row + V::LANES);
        copy_window(
            shape,
            picture,
            [2 * top as isize - 1, -1],
            size,
            shape.in_channels,
            pixels,
        );
        let transformed = self.transformed.get(PATCH * stride);
        for at in (0..stride).step_by(V::LANES) {
            // SAFETY: compiled for `V`, by the caller's promise; at + LANES <= stride < row + LANES.
            unsafe {
                let mut column = [V::splat(0.0); PATCH];
                for y in 0..PATCH {
                    column[y] = V::load(pixels[y * row + at..][..V::LANES].as_ptr());
                }
                let column = patch_column(column);
                for y in 0..PATCH {
                    column[y].store(transformed[y * stride + at..][..V::LANES].as_mut_ptr());
                }
            }
        }
        (transformed, stride)
    }
}

// The vector, vectors and channels of a tile, columns whose sums fit the registers.
for_each_isa_with!(rows_of, rows_body,
    avx512: [Avx512, 2, 32, 2], avx2: [Avx2, 2, 16, 1], neon: [Neon, 2, 8, 2], portable: [Portable, 1, 4, 1],
    (shape: Shape, top: usize, input: &[f32], packed: &[f32], output: &mut [f32], winners: &mut [u8]));

/// Pooled rows of one picture, from row `top` on, a multiple of [`TILE`].
#[inline(always)]
fn rows_body<V: Vector, const N: usize, const C: usize, const W: usize>(
    shape: Shape,
    top: usize,
    input: &[f32],
    packed: &[f32],
    output: &mut [f32],
    winners: &mut [u8],
) {
    let (co, ci, width) = (shape.out_channels, shape.in_channels, shape.pooled_width());
    let (weights_len, rows) = (3 * PATCH * ci * C, output.len() / (width * co));
    assert!(C == N * V::LANES && packed.len() == co.div_ceil(C) * (weights_len + C));
    let mut strip = STRIP.take();
    for y in (0..rows).step_by(TILE) {
        // SAFETY: compiled for the instruction set of `V`.
        let (transformed, stride) = unsafe { strip.transform::<V>(shape, top + y, input) };
        for (tile, packed) in packed.chunks_exact(weights_len + C).enumerate() {
            let (weights, bias) = packed.split_at(weights_len);
            let first = tile * C;
            for x in 0..width {
                // Of the two convolution columns under a pooled one, the rows' four outputs.
                let mut values = [[[0.0f32; C]; 2]; SIDE];
                let at = 2 * x * ci;
                assert!(PATCH * stride <= transformed.len() && at + 4 * ci <= stride);
                // SAFETY: the products read the 3 * ci numbers from `at` and `at + ci` on of rows `stride` apart, inside by the
                // assertion, and all of `weights`; compiled for the instruction set of `V`.
                unsafe {
                    for left in (0..2).step_by(W) {
                        let from = transformed.as_ptr().add(at + left * ci);
                        let products = products::<V, N, W>(from, stride, ci, weights.as_ptr());
                        for column in 0..W {
                            for n in 0..N {
                                let mut sums = [V::splat(0.0); PATCH];
                                for row in 0..PATCH {
                                    sums[row] = products[row][column][n];
                                }
                                let sums = outputs_column(sums);
                                for row in 0..SIDE {
                                    let values = &mut values[row][left + column];
                                    sums[row].store(values[n * V::LANES..][..V::LANES].as_mut_ptr());
                                }
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
                    pool(&sums, bias, &mut output[at..end], &mut winners[at..end]);
                }
            }
        }
    }
    STRIP.set(strip);
}

/// For each transformed row and `W` neighboring columns, the sums of `N` vectors over the 3 * `ci` numbers that begin
/// there.
///
/// # Safety
/// Each of the six rows, `stride` apart, has (`W` + 2) * `ci` numbers; `weights` are `[3 * ci][row][N vectors]`; compiled for
/// the instruction set of `V`.
#[inline(always)]
unsafe fn products<V: Vector, const N: usize, const W: usize>(
    from: *const f32,
    stride: usize,
    ci: usize,
    weights: *const f32,
) -> [[[V; N]; W]; PATCH] {
    // SAFETY: the caller's promise.
    unsafe {
        let mut sums = [[[V::splat(0.0); N]; W]; PATCH];
        for k in 0..3 * ci {
            for row in 0..PATCH {
                let mut values = [V::splat(0.0); W];
                for column in 0..W {
                    values[column] = V::splat(*from.add(row * stride + k + column * ci));
                }
                for n in 0..N {
                    let weight = V::load(weights.add(((k * PATCH + row) * N + n) * V::LANES));
                    for column in 0..W {
                        sums[row][column][n] = sums[row][column][n].multiply_add(values[column], weight);
                    }
                }
            }
        }
        sums
    }
}
