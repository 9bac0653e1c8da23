//! The weight gradient of a depthwise convolution: one thread sums a tile of channels over all pixels; where tiles are
//! few, over those of a slice of the images.

use super::Geometry;
use crate::isa::{Isa, for_each_isa};
use crate::scratch;
use crate::vector::{Simd, Vector};
use rayon::prelude::*;

/// Fewest tiles of all slices, for as many threads.
const PIECES: usize = 8;

/// Overwrites `grad_weights` `[channels, 1, kh, kw]`.
pub(super) fn weights(isa: Isa, g: &Geometry, input: &[f32], grad_output: &[f32], grad_weights: &mut [f32]) {
    let (width, area) = (2 * isa.lanes(), g.kernel[0] * g.kernel[1]);
    let padded = (g.output_width() - 1) * g.stride[1] + g.kernel[1];
    let lens = [g.kernel[0] * padded * width, g.output_width() * width];
    let tiles = g.in_channels.div_ceil(width);
    let slices = PIECES.div_ceil(tiles).min(g.batch);
    scratch::with(slices * tiles * area * width, |sums| {
        sums.par_chunks_exact_mut(area * width)
            .enumerate()
            .for_each(|(i, sums)| {
                let (slice, tile) = (i / tiles, i % tiles);
                let images = slice * g.batch / slices..(slice + 1) * g.batch / slices;
                let input = &input[images.start * g.image_len()..images.end * g.image_len()];
                let grad_output = &grad_output[images.start * g.output_image_len()..images.end * g.output_image_len()];
                scratch::with(lens.iter().sum(), |buffer| {
                    let (ring, line) = buffer.split_at_mut(lens[0]);
                    sums.fill(0.0);
                    add(isa, g, input, grad_output, tile * width, ring, line, sums);
                });
            });
        for (channel, grads) in grad_weights.chunks_exact_mut(area).enumerate() {
            for (k, to) in grads.iter_mut().enumerate() {
                let at = (channel / width * area + k) * width + channel % width;
                *to = sums.chunks_exact(tiles * area * width).map(|sums| sums[at]).sum();
            }
        }
    });
}

for_each_isa!(vectors add, add_body, (
    g: &Geometry,
    input: &[f32],
    grad_output: &[f32],
    first: usize,
    ring: &mut [f32],
    line: &mut [f32],
    sums: &mut [f32],
));

/// Adds to `sums` `[kh][kw][two vectors]` for the channels starting at `first`. `ring` holds the last `kh` padded input
/// rows and `line` one row of the gradient, both with the tile's channels only.
#[inline(always)]
fn add_body<V: Vector>(
    simd: Simd<V>,
    g: &Geometry,
    input: &[f32],
    grad_output: &[f32],
    first: usize,
    ring: &mut [f32],
    line: &mut [f32],
    sums: &mut [f32],
) {
    let (kh, kw, width) = (g.kernel[0], g.kernel[1], 2 * V::LANES);
    let row = ring.len() / kh;
    // The gradient as if it were an input, so that the same function copies its rows.
    let outputs = Geometry {
        height: g.output_height(),
        width: g.output_width(),
        padding: [0; 4],
        ..*g
    };
    let images = input
        .chunks_exact(g.image_len())
        .zip(grad_output.chunks_exact(g.output_image_len()));
    for (input, grad_output) in images {
        let mut have = 0;
        for y in 0..outputs.height {
            let top = y * g.stride[0];
            for r in have.max(top)..top + kh {
                copy_row(simd, g, input, r, first, &mut ring[r % kh * row..][..row]);
            }
            have = top + kh;
            copy_row(simd, &outputs, grad_output, y, first, line);
            for ky in 0..kh {
                let values = &ring[(top + ky) % kh * row..][..row];
                for kx in (0..kw).step_by(6) {
                    let sums = &mut sums[(ky * kw + kx) * width..(ky * kw + kw.min(kx + 6)) * width];
                    let values = &values[kx * width..];
                    let stride = g.stride[1];
                    match sums.len() / width {
                        1 => taps::<V, 1>(simd, line, values, stride, sums),
                        2 => taps::<V, 2>(simd, line, values, stride, sums),
                        3 => taps::<V, 3>(simd, line, values, stride, sums),
                        4 => taps::<V, 4>(simd, line, values, stride, sums),
                        5 => taps::<V, 5>(simd, line, values, stride, sums),
                        _ => taps::<V, 6>(simd, line, values, stride, sums),
                    }
                }
            }
        }
    }
}

/// Adds the products of one gradient row with the input under each of `K` consecutive weights.
#[inline(always)]
fn taps<V: Vector, const K: usize>(simd: Simd<V>, line: &[f32], values: &[f32], stride: usize, sums: &mut [f32]) {
    let width = 2 * V::LANES;
    let pixels = line.len() / width;
    assert!(sums.len() == K * width && values.len() >= ((pixels - 1) * stride + K) * width);
    let (line, values, sums) = (line.as_ptr(), values.as_ptr(), sums.as_mut_ptr());
    // SAFETY: `sums` holds two vectors for each of K weights, `line` two for each of `pixels`, and `values` two for
    // each column up to (pixels - 1) * stride + K.
    unsafe {
        let mut local = [[V::splat(simd, 0.0); 2]; K];
        for k in 0..K {
            for n in 0..2 {
                local[k][n] = V::load_at(simd, sums.add(k * width + n * V::LANES));
            }
        }
        for x in 0..pixels {
            for n in 0..2 {
                let grad = V::load_at(simd, line.add(x * width + n * V::LANES));
                for k in 0..K {
                    let value = V::load_at(simd, values.add((x * stride + k) * width + n * V::LANES));
                    local[k][n] = local[k][n].multiply_add(grad, value);
                }
            }
        }
        for k in 0..K {
            for n in 0..2 {
                local[k][n].store_at(sums.add(k * width + n * V::LANES));
            }
        }
    }
}

/// Copies row `row` of the padded input, the tile of channels starting at `first`; zeros outside the input.
#[inline(always)]
fn copy_row<V: Vector>(simd: Simd<V>, g: &Geometry, input: &[f32], row: usize, first: usize, copy: &mut [f32]) {
    let (tile, ci) = (2 * V::LANES, g.in_channels);
    let Some(y) = row.checked_sub(g.padding[0]).filter(|&y| y < g.height) else {
        return copy.fill(0.0);
    };
    let left = (g.padding[1] * tile).min(copy.len());
    let (border, copy) = copy.split_at_mut(left);
    border.fill(0.0);
    let (copy, border) = copy.split_at_mut((g.width * tile).min(copy.len()));
    border.fill(0.0);
    let input = &input[y * g.width * ci..][..g.width * ci];
    if first + tile <= ci {
        for (to, from) in copy.chunks_exact_mut(tile).zip(input.chunks_exact(ci)) {
            V::load(simd, &from[first..]).store(to);
            V::load(simd, &from[first + V::LANES..]).store(&mut to[V::LANES..]);
        }
    } else {
        for (to, from) in copy.chunks_exact_mut(tile).zip(input.chunks_exact(ci)) {
            to.fill(0.0);
            to[..ci - first].copy_from_slice(&from[first..]);
        }
    }
}
