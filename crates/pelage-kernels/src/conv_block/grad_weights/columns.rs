//! For few input channels: the gradient of [`columns`](crate::conv_block::columns), by Winograd's F(4, 3) along
//! columns. There are so many winners per window value that listing them would take longer than multiplying by zeros.
//!
//! The gradients `g` of a strip's four convolution rows are transformed to six rows `A g`; row by row, their products
//! with the transformed pixels are summed over all columns; `G'` times these sums gives the weight gradients.

use std::cell::Cell;

use crate::conv_block::columns::{Strip, TILE};
use crate::conv_block::{CUT, Shape};
use crate::convolution::winograd::transform::{grad_outputs_column, grad_weights_column};
use crate::convolution::winograd::{PATCH, SIDE};
use crate::isa::for_each_isa;
use crate::scratch::Buffer;
use crate::vector::{Simd, Vector};

thread_local!(static KEPT: Cell<(Strip, Buffer)> = Cell::default());

/// Pooled columns whose transformed gradients fit in the L1 cache.
const COLUMNS: usize = 16;

/// Whether this path is faster.
pub(super) fn suits(shape: Shape) -> bool {
    shape.in_channels < 8
}

/// Output channels including padding, so that the layout of the sums is the same for every instruction set.
fn filled(shape: Shape) -> usize {
    shape.out_channels.next_multiple_of(32)
}

/// Sums are `[row][kx][ci][filled]`, then `[filled]` for the bias.
pub(super) fn sums_len(shape: Shape) -> usize {
    (3 * PATCH * shape.in_channels + 1) * filled(shape)
}

/// Adds sums to gradients in the layout `[co, ci, 3, 3]` and `[co]`.
pub(super) fn add_to(shape: Shape, sums: &[f32], grad_weights: &mut [f32], grad_bias: &mut [f32]) {
    let (ci, filled) = (shape.in_channels, filled(shape));
    for (channel, grads) in grad_weights.chunks_exact_mut(9 * ci).enumerate() {
        for (c, grads) in grads.chunks_exact_mut(9).enumerate() {
            for kx in 0..3 {
                let sum = |row: usize| sums[((row * 3 + kx) * ci + c) * filled + channel];
                let column = grad_weights_column(std::array::from_fn(sum));
                for (ky, grad) in column.into_iter().enumerate() {
                    grads[3 * ky + kx] += grad;
                }
            }
        }
    }
    let bias = &sums[3 * PATCH * ci * filled..];
    grad_bias.iter_mut().zip(bias).for_each(|(grad, sum)| *grad += sum);
}

// The vector type; channels of a tile of two vectors; pixel values whose sums for such a tile fit in registers.
for_each_isa!(vectors image, image_body,
    [avx512: 32, 9; avx2: 16, 6; neon: 8, 9; simd128: 8, 3; portable: 8, 3],
    (shape: Shape, input: &[f32], grad_output: &[f32], winners: &[u8], sums: &mut [f32]));

/// Adds an image's sums.
#[inline(always)]
fn image_body<V: Vector, const C: usize, const R: usize>(
    simd: Simd<V>,
    shape: Shape,
    input: &[f32],
    grad_output: &[f32],
    winners: &[u8],
    sums: &mut [f32],
) {
    let (co, ci, filled) = (shape.out_channels, shape.in_channels, filled(shape));
    let [height, width] = [shape.pooled_height(), shape.pooled_width()];
    let (sums, bias) = sums.split_at_mut(3 * PATCH * ci * filled);
    assert!(C == 2 * V::LANES && filled.is_multiple_of(C));
    let (mut strip, mut buffer) = KEPT.take();
    let gradients = buffer.get(PATCH * 2 * COLUMNS * C);
    for top in (0..height).step_by(TILE) {
        let (pixels, stride) = strip.transform(simd, shape, top, input);
        for left in (0..width).step_by(COLUMNS) {
            let columns = COLUMNS.min(width - left);
            let pixels = &pixels[2 * left * ci..];
            for first in (0..co).step_by(C) {
                for x in 0..columns {
                    let (mut under, mut won) = ([[0.0f32; C]; TILE], [[CUT; C]; TILE]);
                    for y in 0..TILE.min(height - top) {
                        let at = ((top + y) * width + left + x) * co + first;
                        let channels = at..at + C.min(co - first);
                        copy(&grad_output[channels.clone()], &mut under[y]);
                        copy(&winners[channels], &mut won[y]);
                    }
                    transform(simd, &under, &won, x, gradients, &mut bias[first..first + C]);
                }
                let at = |row: usize, k: usize| (row * 3 * ci + k) * filled + first;
                for (row, gradients) in gradients.chunks_exact(2 * COLUMNS * C).enumerate() {
                    let gradients = &gradients[..2 * columns * C];
                    for k in (0..3 * ci).step_by(R) {
                        let (pixels, sums) = (&pixels[row * stride + k..], &mut sums[at(row, k)..]);
                        match 3 * ci - k {
                            3 => add::<V, 3>(simd, pixels, ci, gradients, sums, filled),
                            6 if R > 6 => add::<V, 6>(simd, pixels, ci, gradients, sums, filled),
                            _ => add::<V, R>(simd, pixels, ci, gradients, sums, filled),
                        }
                    }
                }
            }
        }
    }
    KEPT.set((strip, buffer));
}

/// Copies as many values as both have.
#[inline(always)]
fn copy<T: Copy, const C: usize>(from: &[T], to: &mut [T; C]) {
    match from.first_chunk() {
        Some(all) => *to = *all,
        None => to[..from.len()].copy_from_slice(from),
    }
}

/// Transforms the gradients of the two convolution columns under pooled column `x` to `[row][column][C]`, and adds to
/// the bias sums. Of the four convolution outputs under a pooled pixel, the winner gets its gradient.
#[inline(always)]
fn transform<V: Vector, const C: usize>(
    simd: Simd<V>,
    under: &[[f32; C]; TILE],
    won: &[[u8; C]; TILE],
    x: usize,
    gradients: &mut [f32],
    bias: &mut [f32],
) {
    for n in (0..C).step_by(V::LANES) {
        let mut sum = V::load(simd, &bias[n..]);
        for column in 0..2 {
            let mut four = [V::splat(simd, 0.0); SIDE];
            for row in 0..SIDE {
                let (under, won) = (&under[row / 2][n..], &won[row / 2][n..]);
                four[row] = V::load(simd, under).where_equal(won, (row % 2 * 2 + column) as u8);
                sum = sum.add(four[row]);
            }
            let six = grad_outputs_column(simd, four);
            for row in 0..PATCH {
                six[row].store(&mut gradients[((row * COLUMNS + x) * 2 + column) * C + n..]);
            }
        }
        sum.store(&mut bias[n..]);
    }
}

/// Adds to `R` rows of `sums`, `filled` apart, the products of `R` consecutive pixel values with the gradients of each
/// column; the pixel values advance by `ci` per column.
#[inline(always)]
fn add<V: Vector, const R: usize>(
    simd: Simd<V>,
    pixels: &[f32],
    ci: usize,
    gradients: &[f32],
    sums: &mut [f32],
    filled: usize,
) {
    let tile = 2 * V::LANES;
    let columns = gradients.len() / tile;
    assert!(columns > 0 && (columns - 1) * ci + R <= pixels.len() && (R - 1) * filled + tile <= sums.len());
    // SAFETY: all accesses are in bounds by the assertion.
    unsafe {
        let (pixels, gradients, to) = (pixels.as_ptr(), gradients.as_ptr(), sums.as_mut_ptr());
        let mut sums = [[V::splat(simd, 0.0); 2]; R];
        for r in 0..R {
            for n in 0..2 {
                sums[r][n] = V::load_at(simd, to.add(r * filled + n * V::LANES));
            }
        }
        for column in 0..columns {
            let mut gradient = [V::splat(simd, 0.0); 2];
            for n in 0..2 {
                gradient[n] = V::load_at(simd, gradients.add(column * tile + n * V::LANES));
            }
            for r in 0..R {
                let value = V::splat(simd, *pixels.add(column * ci + r));
                for n in 0..2 {
                    sums[r][n] = sums[r][n].multiply_add(value, gradient[n]);
                }
            }
        }
        for r in 0..R {
            for n in 0..2 {
                sums[r][n].store_at(to.add(r * filled + n * V::LANES));
            }
        }
    }
}
