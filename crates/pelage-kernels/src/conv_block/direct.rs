//! Forward as the definition has it: a register tile of the four convolution outputs under a pooled value, by channels.

use std::cell::Cell;

use super::pool::pool;
use super::{Shape, copy_window};
use crate::isa::{Isa, for_each_isa_with};
use crate::scratch::Buffer;
use crate::vector::Vector;

thread_local!(static STRIP: Cell<Buffer> = Cell::default());

/// Channels of a tile: the C that [`for_each_isa`] compiles for `isa`.
pub(super) fn tile_channels(isa: Isa) -> usize {
    match isa.name() {
        "avx512" => 32,
        "portable" => 8,
        _ => 16,
    }
}

/// Numbers of the packed weights and bias.
pub(super) fn packed_len(isa: Isa, shape: Shape) -> usize {
    shape.out_channels.next_multiple_of(tile_channels(isa)) * (9 * shape.in_channels + 1)
}

/// For each tile of C channels, weights as `[ky][kx][ci][C]` and bias as `[C]`; zeros fill up the last one.
pub(super) fn pack(isa: Isa, shape: Shape, weights: &[f32], bias: &[f32], packed: &mut [f32]) {
    let (tile, ci) = (tile_channels(isa), shape.in_channels);
    packed.fill(0.0);
    for (co, (weights, bias)) in weights.chunks_exact(9 * ci).zip(bias).enumerate() {
        let packed = &mut packed[co / tile * (9 * ci + 1) * tile + co % tile..];
        for (c, weights) in weights.chunks_exact(9).enumerate() {
            for (k, weight) in weights.iter().enumerate() {
                packed[(k * ci + c) * tile] = *weight;
            }
        }
        packed[9 * ci * tile] = *bias;
    }
}

// The vector, vectors and channels of a tile, pooled pixels of a tile.
for_each_isa_with!(rows_of, rows_body,
    avx512: [std::arch::x86_64::__m512, 2, 32, 3], avx2: [std::arch::x86_64::__m256, 2, 16, 1],
    neon: [std::arch::aarch64::float32x4_t, 4, 16, 1], portable: [[f32; 4], 2, 8, 1],
    (shape: Shape, top: usize, input: &[f32], packed: &[f32], output: &mut [f32], winners: &mut [u8]));

/// Pooled rows of one picture, from row `top` on.
#[inline(always)]
fn rows_body<V: Vector, const N: usize, const C: usize, const P: usize>(
    shape: Shape,
    top: usize,
    input: &[f32],
    packed: &[f32],
    output: &mut [f32],
    winners: &mut [u8],
) {
    let (co, ci, width) = (shape.out_channels, shape.in_channels, shape.pooled_width());
    let size = [4, shape.width + 2];
    let mut kept = STRIP.take();
    let strip = &mut kept;
    let strip = strip.get(4 * size[1] * ci);
    for y in 0..output.len() / (width * co) {
        copy_window(shape, input, [2 * (top + y) as isize - 1, -1], size, ci, strip);
        for (tile, packed) in packed.chunks_exact((9 * ci + 1) * C).enumerate() {
            let mut x = 0;
            while x < width {
                let at = (y * width + x) * co + tile * C;
                let (out, won) = (&mut output[at..], &mut winners[at..]);
                let channels = (co - tile * C).min(C);
                let step = if x + P <= width { P } else { 1 };
                match (step == P, channels == C) {
                    (true, true) => pixels::<V, N, C, P, true>(shape, strip, x, packed, channels, out, won),
                    (true, false) => pixels::<V, N, C, P, false>(shape, strip, x, packed, channels, out, won),
                    (false, true) => pixels::<V, N, C, 1, true>(shape, strip, x, packed, channels, out, won),
                    (false, false) => pixels::<V, N, C, 1, false>(shape, strip, x, packed, channels, out, won),
                }
                x += step;
            }
        }
    }
    STRIP.set(kept);
}

/// `P` pooled pixels of `C` channels, from pooled column `x` on, of which the first `channels` are wanted.
#[inline(always)]
fn pixels<V: Vector, const N: usize, const C: usize, const P: usize, const ALL: bool>(
    shape: Shape,
    strip: &[f32],
    x: usize,
    packed: &[f32],
    channels: usize,
    output: &mut [f32],
    winners: &mut [u8],
) {
    let (ci, row) = (shape.in_channels, (shape.width + 2) * shape.in_channels);
    let (weights, bias) = packed.split_at(9 * ci * C);
    let mut sums = [[[V::splat(0.0); N]; 4]; P];
    for (ky, weights) in weights.chunks_exact(3 * ci * C).enumerate() {
        let corner = ky * row + 2 * x * ci;
        // The last index read below; one check here stands for all of them.
        assert!(corner + row + (2 * P - 1) * ci + 3 * ci <= strip.len());
        for (k, weights) in weights.chunks_exact(C).enumerate() {
            let weights: [V; N] = std::array::from_fn(|n| V::load(&weights[n * V::LANES..]));
            for (p, sums) in sums.iter_mut().enumerate() {
                for (q, sums) in sums.iter_mut().enumerate() {
                    let index = corner + (q / 2) * row + (2 * p + q % 2) * ci + k;
                    // SAFETY: k < 3 * ci, p < P, q < 4, so the index is below the bound asserted above.
                    let value = V::splat(unsafe { *strip.get_unchecked(index) });
                    for (sum, weight) in sums.iter_mut().zip(weights) {
                        *sum = value.multiply_add(weight, *sum);
                    }
                }
            }
        }
    }
    for (p, sums) in sums.iter().enumerate() {
        let mut values = [[0.0f32; C]; 4];
        for (values, sums) in values.iter_mut().zip(sums) {
            for (to, sum) in values.chunks_exact_mut(V::LANES).zip(sums) {
                sum.store(to);
            }
        }
        let to = p * shape.out_channels;
        pool::<C, ALL>(
            &values,
            bias,
            &mut output[to..to + channels],
            &mut winners[to..to + channels],
        );
    }
}
