//! The transforms of F(4x4, 3x3), with the points 0, a, -a, b, -b and infinity.
//!
//! Lavin and Gray 2016 (section 4.2) use a = 1 and b = 2, which has four to five times the rounding error of direct
//! convolution. With `a = 1 / sqrt(2)` and `b = sqrt(2)` the error is about twice that of direct convolution: powers
//! of the points grow more slowly, and `ab = 1` keeps most factors powers of two. `benches/winograd.py` compares ten
//! pairs; the transforms cost the same for all of them.

use std::f32::consts::{FRAC_1_SQRT_2 as A, SQRT_2 as B};

use rayon::prelude::*;

use super::{MATRICES, PATCH, SIDE};
use crate::isa::Isa;
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
    tiles.for_each(|(mut parts, weights)| {
        let mut rows = [[0.0; MAX_TILE]; MATRICES];
        for c in 0..ci {
            for (o, weights) in weights.chunks_exact(9 * ci).enumerate() {
                let g = &weights[9 * c..][..9];
                let columns = [0, 1, 2].map(|x| weights_column([g[x], g[3 + x], g[6 + x]]));
                for i in 0..PATCH {
                    let row = weights_column(columns.map(|column| column[i]));
                    for (j, value) in row.into_iter().enumerate() {
                        rows[PATCH * i + j][o] = value;
                    }
                }
            }
            for (part, row) in parts.iter_mut().zip(&rows) {
                part[c * tile..][..tile].copy_from_slice(&row[..tile]);
            }
        }
    });
}

/// Channels of a tile where vectors are longest.
const MAX_TILE: usize = 32;

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
