//! Forward: a register tile of pooled pixels by output channels.

use super::{CUT, Shape};
use crate::isa::{Isa, for_each_isa, multiply_add};

/// Weights as `[co / C][ky][kx][ci][C]` and bias as `[co / C][C]`, filled up with zeros to whole tiles of C channels.
pub(super) struct Packed {
    weights: Vec<f32>,
    bias: Vec<f32>,
}

/// Channels of a tile: the C that [`for_each_isa`] compiles for `isa`.
fn tile_channels(isa: Isa) -> usize {
    match isa.name() {
        "avx512" => 32,
        "portable" => 8,
        _ => 16,
    }
}

pub(super) fn pack(isa: Isa, shape: Shape, weights: &[f32], bias: &[f32]) -> Packed {
    let (tile, ci) = (tile_channels(isa), shape.in_channels);
    let tiles = shape.out_channels.div_ceil(tile);
    let mut packed = Packed {
        weights: vec![0.0; tiles * 9 * ci * tile],
        bias: vec![0.0; tiles * tile],
    };
    packed.bias[..bias.len()].copy_from_slice(bias);
    for co in 0..shape.out_channels {
        for c in 0..ci {
            for k in 0..9 {
                let to = ((co / tile * 9 + k) * ci + c) * tile + co % tile;
                packed.weights[to] = weights[(co * ci + c) * 9 + k];
            }
        }
    }
    packed
}

for_each_isa!(image, image_body, (
    shape: Shape,
    padded: &[f32],
    packed: &Packed,
    output: &mut [f32],
    winners: &mut [u8],
));

#[inline(always)]
fn image_body<const C: usize, const P: usize, const FUSED: bool>(
    shape: Shape,
    padded: &[f32],
    packed: &Packed,
    output: &mut [f32],
    winners: &mut [u8],
) {
    let co = shape.out_channels;
    let tiles = packed.weights.chunks_exact(9 * shape.in_channels * C);
    for (tile, (weights, bias)) in tiles.zip(packed.bias.chunks_exact(C)).enumerate() {
        let (first, width) = (tile * C, (co - tile * C).min(C));
        for y in 0..shape.pooled_height() {
            let mut x = 0;
            while x < shape.pooled_width() {
                let at = (y * shape.pooled_width() + x) * co + first;
                let (out, won) = (&mut output[at..], &mut winners[at..]);
                if x + P <= shape.pooled_width() {
                    pixels::<C, P, FUSED>(shape, padded, [y, x], weights, bias, width, out, won);
                    x += P;
                } else {
                    pixels::<C, 1, FUSED>(shape, padded, [y, x], weights, bias, width, out, won);
                    x += 1;
                }
            }
        }
    }
}

/// `P` pooled pixels of `C` channels, from pooled row and column `at` on.
#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "a register tile")]
fn pixels<const C: usize, const P: usize, const FUSED: bool>(
    shape: Shape,
    padded: &[f32],
    at: [usize; 2],
    weights: &[f32],
    bias: &[f32],
    width: usize,
    output: &mut [f32],
    winners: &mut [u8],
) {
    let (row, ci, window) = (shape.padded_row(), shape.in_channels, shape.window_row());
    let mut sums = [[[0.0f32; C]; 4]; P];
    for (ky, weights) in weights.chunks_exact(window * C).enumerate() {
        let corner = (2 * at[0] + ky) * row + 2 * at[1] * ci;
        // The last index read below; one check here stands for all of them.
        assert!(corner + row + (2 * P - 1) * ci + window <= padded.len());
        for (k, weights) in weights.chunks_exact(C).enumerate() {
            for (p, sums) in sums.iter_mut().enumerate() {
                for (q, sums) in sums.iter_mut().enumerate() {
                    let index = corner + (q / 2) * row + (2 * p + q % 2) * ci + k;
                    // SAFETY: k < window, p < P, q < 4, so the index is below the bound asserted above.
                    let value = unsafe { *padded.get_unchecked(index) };
                    for (sum, weight) in sums.iter_mut().zip(weights) {
                        *sum = multiply_add::<FUSED>(value, *weight, *sum);
                    }
                }
            }
        }
    }
    for (p, sums) in sums.iter().enumerate() {
        let (mut best, mut won) = (sums[0], [0u32; C]);
        for (q, sums) in sums.iter().enumerate().skip(1) {
            for j in 0..C {
                let better = sums[j] > best[j];
                won[j] = if better { q as u32 } else { won[j] };
                best[j] = if better { sums[j] } else { best[j] };
            }
        }
        let mut narrow = [0u8; C];
        for j in 0..C {
            best[j] += bias[j];
            let alive = best[j] > 0.0;
            narrow[j] = if alive { won[j] as u8 } else { CUT };
            // Not max(): a NaN has to stay one, so that training notices.
            best[j] = if best[j] <= 0.0 { 0.0 } else { best[j] };
        }
        let to = p * shape.out_channels;
        output[to..to + width].copy_from_slice(&best[..width]);
        winners[to..to + width].copy_from_slice(&narrow[..width]);
    }
}
