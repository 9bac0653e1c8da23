//! The transforms of F(4x4, 3x3), with the points 0, a, -a, b, -b and infinity.
//!
//! Lavin and Gray 2016 (section 4.2) use a = 1 and b = 2, which has four to five times the rounding error of direct
//! convolution. With `a = 1 / sqrt(2)` and `b = sqrt(2)` the error is about twice that of direct convolution: powers
//! of the points grow more slowly, and `ab = 1` keeps most factors powers of two. `benches/winograd.py` compares ten
//! pairs; the transforms cost the same for all of them.

use std::f32::consts::{FRAC_1_SQRT_2 as A, SQRT_2 as B};

use rayon::prelude::*;

use super::{MATRICES, PATCH, SIDE};
use crate::isa::{Isa, for_each_isa};
use crate::vector::{Simd, Vector};

/// Transforms `weights` `[co, ci, 3, 3]` to `[matrix][co / tile][ci][tile]`, where a tile is two vectors of channels.
/// Training does so in every step, so that tiles are shared among the threads, and whole rows of them are written.
pub(crate) fn transform_weights(isa: Isa, in_channels: usize, weights: &[f32], transformed: &mut [f32]) {
    let (ci, tile) = (in_channels, 2 * isa.lanes());
    let stride = transformed.len() / MATRICES;
    // What each tile has in every matrix.
    let mut tiles: Vec<Vec<&mut [f32]>> = (0..stride / (ci * tile)).map(|_| Vec::new()).collect();
    for matrix in transformed.chunks_exact_mut(stride) {
        let parts = matrix.chunks_exact_mut(ci * tile);
        tiles.iter_mut().zip(parts).for_each(|(tile, part)| tile.push(part));
    }
    let tiles = tiles.into_par_iter().zip(weights.par_chunks(9 * ci * tile));
    tiles.for_each(|(mut parts, weights)| transform_tile(isa, ci, weights, &mut parts));
}

/// Channels of a tile where vectors are longest.
const MAX_TILE: usize = 32;

for_each_isa!(vectors transform_tile, transform_tile_body,
    (in_channels: usize, weights: &[f32], parts: &mut [&mut [f32]]));

/// `G g G'` of a tile's output channels, of which the last may be missing, to the tile's part `[ci][tile]` of each
/// matrix.
#[inline(always)]
fn transform_tile_body<V: Vector>(simd: Simd<V>, in_channels: usize, weights: &[f32], parts: &mut [&mut [f32]]) {
    let mut taps = [[0.0; MAX_TILE]; 9];
    for c in 0..in_channels {
        for (o, weights) in weights.chunks_exact(9 * in_channels).enumerate() {
            for k in 0..9 {
                taps[k][o] = weights[9 * c + k];
            }
        }
        for n in 0..2 {
            let mut columns = [[V::splat(simd, 0.0); PATCH]; 3];
            for x in 0..3 {
                let mut column = [V::splat(simd, 0.0); 3];
                for y in 0..3 {
                    column[y] = V::load(simd, &taps[3 * y + x][n * V::LANES..]);
                }
                columns[x] = weights_column_vectors(simd, column);
            }
            for i in 0..PATCH {
                let row = weights_column_vectors(simd, [columns[0][i], columns[1][i], columns[2][i]]);
                for j in 0..PATCH {
                    row[j].store(&mut parts[PATCH * i + j][(2 * c + n) * V::LANES..]);
                }
            }
        }
    }
}

/// `B' d B` for `channels`; the 36 results are `stride` apart.
///
/// # Safety
/// `channels` must be whole vectors; that many values must be readable at each pointer of `patch` and writable at each
/// result.
#[inline(always)]
pub(super) unsafe fn transform_patch<V: Vector>(
    simd: Simd<V>,
    patch: &[*const f32; MATRICES],
    channels: usize,
    to: *mut f32,
    stride: usize,
) {
    // SAFETY: guaranteed by the caller. Loops, not `map` or `from_fn`: the compiler might not inline their closures
    // into a function compiled for an instruction set.
    unsafe {
        for c in (0..channels).step_by(V::LANES) {
            let mut rows = [[V::splat(simd, 0.0); PATCH]; PATCH];
            for x in 0..PATCH {
                let mut column = [V::splat(simd, 0.0); PATCH];
                for y in 0..PATCH {
                    column[y] = V::load_at(simd, patch[PATCH * y + x].add(c));
                }
                let column = patch_column(simd, column);
                for y in 0..PATCH {
                    rows[y][x] = column[y];
                }
            }
            for y in 0..PATCH {
                let row = patch_column(simd, rows[y]);
                for x in 0..PATCH {
                    row[x].store_at(to.add((PATCH * y + x) * stride + c));
                }
            }
        }
    }
}

/// `A d A'` of the gradients of a tile's outputs, for `channels`; the 36 results are `stride` apart.
///
/// # Safety
/// As of [`transform_patch`].
#[inline(always)]
pub(super) unsafe fn transform_gradient<V: Vector>(
    simd: Simd<V>,
    gradients: &[*const f32; SIDE * SIDE],
    channels: usize,
    to: *mut f32,
    stride: usize,
) {
    // SAFETY: guaranteed by the caller.
    unsafe {
        for c in (0..channels).step_by(V::LANES) {
            let mut rows = [[V::splat(simd, 0.0); SIDE]; PATCH];
            for x in 0..SIDE {
                let mut column = [V::splat(simd, 0.0); SIDE];
                for y in 0..SIDE {
                    column[y] = V::load_at(simd, gradients[SIDE * y + x].add(c));
                }
                let column = grad_outputs_column(simd, column);
                for y in 0..PATCH {
                    rows[y][x] = column[y];
                }
            }
            for y in 0..PATCH {
                let row = grad_outputs_column(simd, rows[y]);
                for x in 0..PATCH {
                    row[x].store_at(to.add((PATCH * y + x) * stride + c));
                }
            }
        }
    }
}

/// `G' S G`: the gradients of the weights, row by row, of one vector of sums.
///
/// # Safety
/// A vector must be readable at each of the 36 `sums`, `stride` apart.
#[inline(always)]
pub(super) unsafe fn grad_weights_vectors<V: Vector>(simd: Simd<V>, sums: *const f32, stride: usize) -> [V; 9] {
    let mut rows = [[V::splat(simd, 0.0); PATCH]; 3];
    for x in 0..PATCH {
        let mut column = [V::splat(simd, 0.0); PATCH];
        for y in 0..PATCH {
            // SAFETY: guaranteed by the caller.
            column[y] = unsafe { V::load_at(simd, sums.add((PATCH * y + x) * stride)) };
        }
        let column = grad_weights_column_vectors(simd, column);
        for y in 0..3 {
            rows[y][x] = column[y];
        }
    }
    let mut found = [V::splat(simd, 0.0); 9];
    for y in 0..3 {
        let row = grad_weights_column_vectors(simd, rows[y]);
        for x in 0..3 {
            found[3 * y + x] = row[x];
        }
    }
    found
}

/// `A' M A` plus the bias: the outputs of a tile, row by row, for one vector of channels.
///
/// # Safety
/// A vector must be readable at each of the 36 `products`, `stride` apart.
#[inline(always)]
pub(crate) unsafe fn outputs<V: Vector>(
    simd: Simd<V>,
    products: *const f32,
    stride: usize,
    bias: V,
) -> [[V; SIDE]; SIDE] {
    let mut outputs = [[bias; SIDE]; SIDE];
    // SAFETY: guaranteed by the caller.
    unsafe {
        let mut rows = [[bias; PATCH]; SIDE];
        for x in 0..PATCH {
            let mut column = [bias; PATCH];
            for y in 0..PATCH {
                column[y] = V::load_at(simd, products.add((PATCH * y + x) * stride));
            }
            let column = outputs_column(simd, column);
            for y in 0..SIDE {
                rows[y][x] = column[y];
            }
        }
        for y in 0..SIDE {
            let row = outputs_column(simd, rows[y]);
            for x in 0..SIDE {
                outputs[y][x] = bias.add(row[x]);
            }
        }
    }
    outputs
}

/// `G` times a column of three: the polynomial with these coefficients evaluated at each point, divided by the product
/// of the point's differences from the others.
pub(crate) fn weights_column([a, b, c]: [f32; 3]) -> [f32; 6] {
    let (even, odd) = (a + c / 2.0, b * A);
    let (even_b, odd_b) = (a + c * 2.0, b * B);
    [
        a,
        (even + odd) / -1.5,
        (even - odd) / -1.5,
        (even_b + odd_b) / 6.0,
        (even_b - odd_b) / 6.0,
        c,
    ]
}

/// [`weights_column`] of vectors.
#[inline(always)]
fn weights_column_vectors<V: Vector>(simd: Simd<V>, [a, b, c]: [V; 3]) -> [V; 6] {
    let zero = V::splat(simd, 0.0);
    let even = zero
        .multiply_add(V::splat(simd, -2.0 / 3.0), a)
        .multiply_add(V::splat(simd, -1.0 / 3.0), c);
    let even_b = zero
        .multiply_add(V::splat(simd, 1.0 / 6.0), a)
        .multiply_add(V::splat(simd, 1.0 / 3.0), c);
    [
        a,
        even.multiply_add(V::splat(simd, A / -1.5), b),
        even.multiply_add(V::splat(simd, A / 1.5), b),
        even_b.multiply_add(V::splat(simd, B / 6.0), b),
        even_b.multiply_add(V::splat(simd, B / -6.0), b),
        c,
    ]
}

/// `G'` times a column of six: the gradient of [`weights_column`].
pub(crate) fn grad_weights_column(s: [f32; 6]) -> [f32; 3] {
    let (even, odd) = ((s[1] + s[2]) / -1.5, (s[1] - s[2]) / -1.5);
    let (even_b, odd_b) = ((s[3] + s[4]) / 6.0, (s[3] - s[4]) / 6.0);
    [
        s[0] + even + even_b,
        A * odd + B * odd_b,
        s[5] + even / 2.0 + even_b * 2.0,
    ]
}

/// [`grad_weights_column`] of vectors.
#[inline(always)]
fn grad_weights_column_vectors<V: Vector>(simd: Simd<V>, s: [V; 6]) -> [V; 3] {
    let zero = V::splat(simd, 0.0);
    [
        s[0].multiply_add(V::splat(simd, -2.0 / 3.0), s[1].add(s[2]))
            .multiply_add(V::splat(simd, 1.0 / 6.0), s[3].add(s[4])),
        zero.multiply_add(V::splat(simd, A / -1.5), s[1].sub(s[2]))
            .multiply_add(V::splat(simd, B / 6.0), s[3].sub(s[4])),
        s[5].multiply_add(V::splat(simd, -1.0 / 3.0), s[1].add(s[2]))
            .multiply_add(V::splat(simd, 1.0 / 3.0), s[3].add(s[4])),
    ]
}

/// `B'` times a column of six.
#[inline(always)]
pub(crate) fn patch_column<V: Vector>(simd: Simd<V>, d: [V; 6]) -> [V; 6] {
    // -a * a, -b * b and their sum.
    let [minus_aa, minus_bb, minus_both] = [V::splat(simd, -0.5), V::splat(simd, -2.0), V::splat(simd, -2.5)];
    let (even, odd) = (d[4].multiply_add(minus_bb, d[2]), d[3].multiply_add(minus_bb, d[1]));
    let (even_b, odd_b) = (d[4].multiply_add(minus_aa, d[2]), d[3].multiply_add(minus_aa, d[1]));
    [
        d[0].add(d[4]).multiply_add(minus_both, d[2]),
        even.multiply_add(V::splat(simd, A), odd),
        even.multiply_add(V::splat(simd, -A), odd),
        even_b.multiply_add(V::splat(simd, B), odd_b),
        even_b.multiply_add(V::splat(simd, -B), odd_b),
        d[1].add(d[5]).multiply_add(minus_both, d[3]),
    ]
}

/// `A'` times a column of six.
#[inline(always)]
pub(crate) fn outputs_column<V: Vector>(simd: Simd<V>, m: [V; 6]) -> [V; 4] {
    let zero = V::splat(simd, 0.0);
    let (even, odd) = (m[1].add(m[2]), m[1].sub(m[2]));
    let (even_b, odd_b) = (m[3].add(m[4]), m[3].sub(m[4]));
    [
        m[0].add(even.add(even_b)),
        zero.multiply_add(V::splat(simd, A), odd)
            .multiply_add(V::splat(simd, B), odd_b),
        zero.multiply_add(V::splat(simd, 0.5), even)
            .multiply_add(V::splat(simd, 2.0), even_b),
        m[5].multiply_add(V::splat(simd, A / 2.0), odd)
            .multiply_add(V::splat(simd, B * 2.0), odd_b),
    ]
}

/// `A` times a column of four: the gradient of [`outputs_column`].
#[inline(always)]
pub(crate) fn grad_outputs_column<V: Vector>(simd: Simd<V>, g: [V; 4]) -> [V; 6] {
    let zero = V::splat(simd, 0.0);
    let even = g[0].multiply_add(V::splat(simd, 0.5), g[2]);
    let odd = zero
        .multiply_add(V::splat(simd, A), g[1])
        .multiply_add(V::splat(simd, A / 2.0), g[3]);
    let even_b = g[0].multiply_add(V::splat(simd, 2.0), g[2]);
    let odd_b = zero
        .multiply_add(V::splat(simd, B), g[1])
        .multiply_add(V::splat(simd, B * 2.0), g[3]);
    [
        g[0],
        even.add(odd),
        even.sub(odd),
        even_b.add(odd_b),
        even_b.sub(odd_b),
        g[3],
    ]
}
