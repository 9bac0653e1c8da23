//! Forward by Winograd's minimal filtering F(2x2, 3x3) (Lavin and Gray 2016, section 4.1): the four convolution
//! outputs under a pooled value cost 16 multiply-adds for each pair of channels, where the definition takes 36.
//!
//! For a block of pooled pixels, each with its 4x4 patch `d` of the input: `U = B' d B` for each input channel, 16
//! small matrix products `M[i] = U[i] V[i]` with the weights `V = G g G'`, and `A' M A` for each output channel,
//! pooled at once. (`'` transposes; the matrices hold zeros, ones and halves, so the transforms are sums.)

use std::cell::Cell;

use super::direct::tile_channels;
use super::pool::pool;
use super::{Shape, copy_window};
use crate::isa::{Isa, for_each_isa, multiply_add};
use crate::scratch::Buffer;

/// Fewest input channels for which the saved multiply-adds outweigh the transforms.
const FEWEST: usize = 8;

/// Channels that the input transform takes at once.
const LANES: usize = 8;

/// Register tiles of pooled pixels in a block, so that its transforms stay near and the weights are used often.
const TILES: usize = 4;

thread_local!(static BLOCK: Cell<[Buffer; 3]> = Cell::default());

/// Whether this is the faster way.
pub(super) fn suits(shape: Shape) -> bool {
    shape.in_channels >= FEWEST
}

/// Numbers of the packed weights and bias.
pub(super) fn packed_len(isa: Isa, shape: Shape) -> usize {
    shape.out_channels.next_multiple_of(tile_channels(isa)) * (16 * shape.in_channels + 1)
}

/// For each tile of C channels, transformed weights as `[16][ci][C]` and bias as `[C]`; zeros fill up the last one.
pub(super) fn pack(isa: Isa, shape: Shape, weights: &[f32], bias: &[f32], packed: &mut [f32]) {
    let (tile, ci) = (tile_channels(isa), shape.in_channels);
    packed.fill(0.0);
    // G times a column of three.
    let transform = |[a, b, c]: [f32; 3]| [a, (a + b + c) / 2.0, (a - b + c) / 2.0, c];
    for (co, (weights, bias)) in weights.chunks_exact(9 * ci).zip(bias).enumerate() {
        let packed = &mut packed[co / tile * (16 * ci + 1) * tile + co % tile..];
        for (c, g) in weights.as_chunks::<9>().0.iter().enumerate() {
            let columns = [0, 1, 2].map(|x| transform([g[x], g[3 + x], g[6 + x]]));
            for i in 0..4 {
                let row = transform(columns.map(|column| column[i]));
                for (j, value) in row.into_iter().enumerate() {
                    packed[((4 * i + j) * ci + c) * tile] = value;
                }
            }
        }
        packed[16 * ci * tile] = *bias;
    }
}

// Channels and pooled pixels of the register tile.
for_each_isa!(image, image_body, [avx512: 32, 12; avx2: 16, 6; neon: 16, 6; portable: 8, 6], (
    shape: Shape,
    input: &[f32],
    packed: &[f32],
    output: &mut [f32],
    winners: &mut [u8],
));

#[inline(always)]
fn image_body<const C: usize, const T: usize, const FUSED: bool>(
    shape: Shape,
    input: &[f32],
    packed: &[f32],
    output: &mut [f32],
    winners: &mut [u8],
) {
    let (co, ci) = (shape.out_channels, shape.in_channels);
    let (pixels, block) = (shape.pooled_height() * shape.pooled_width(), TILES * T);
    let depth = ci.next_multiple_of(LANES);
    let mut kept = BLOCK.take();
    let [patch, transformed, products] = &mut kept;
    let patch = patch.get(16 * depth);
    // [16][block][depth] and [16][block][C].
    let (transformed, products) = (transformed.get(16 * block * depth), products.get(16 * block * C));
    for first in (0..pixels).step_by(block) {
        let count = block.min(pixels - first);
        for i in 0..count {
            transform_input(
                shape,
                input,
                first + i,
                patch,
                &mut transformed[i * depth..],
                block * depth,
            );
        }
        for (tile, packed) in packed.chunks_exact((16 * ci + 1) * C).enumerate() {
            let (weights, bias) = packed.split_at(16 * ci * C);
            let matrices = transformed
                .chunks_exact(block * depth)
                .zip(weights.chunks_exact(ci * C));
            for ((transformed, weights), products) in matrices.zip(products.chunks_exact_mut(block * C)) {
                let tiles = transformed
                    .chunks_exact(T * depth)
                    .zip(products.chunks_exact_mut(T * C));
                // The last block of a picture may leave register tiles unused, and fill its last one with old numbers.
                for (transformed, products) in tiles.take(count.div_ceil(T)) {
                    multiply::<C, T, FUSED>(transformed, depth, weights, products);
                }
            }
            let channels = (co - tile * C).min(C);
            for i in 0..count {
                let at = (first + i) * co + tile * C;
                let sums = transform_output::<C>(&products[i * C..], block * C);
                pool(
                    &sums,
                    bias,
                    &mut output[at..at + channels],
                    &mut winners[at..at + channels],
                );
            }
        }
    }
    BLOCK.set(kept);
}

/// `B' d B` of the 4x4 patch under a pooled pixel, for all channels; the 16 results are `stride` apart.
#[inline(always)]
fn transform_input(
    shape: Shape,
    input: &[f32],
    pixel: usize,
    patch: &mut [f32],
    transformed: &mut [f32],
    stride: usize,
) {
    let (ci, depth) = (shape.in_channels, shape.in_channels.next_multiple_of(LANES));
    let (y, x) = (pixel / shape.pooled_width(), pixel % shape.pooled_width());
    let inside = y > 0 && x > 0 && 2 * y + 2 < shape.height && 2 * x + 2 < shape.width;
    let (patch, row) = if inside && ci == depth {
        (&input[((2 * y - 1) * shape.width + 2 * x - 1) * ci..], shape.width * ci)
    } else {
        copy_window(shape, input, [y, x].map(|at| 2 * at as isize - 1), [4, 4], depth, patch);
        (&*patch, 4 * depth)
    };
    for c in (0..depth).step_by(LANES) {
        let mut columns = [[[0.0; LANES]; 4]; 4];
        for (x, column) in columns.iter_mut().enumerate() {
            for (y, values) in column.iter_mut().enumerate() {
                *values = *patch[y * row + x * depth + c..]
                    .first_chunk()
                    .expect("a patch of whole vectors");
            }
            *column = times_b(column);
        }
        for i in 0..4 {
            let rows = times_b(&[columns[0][i], columns[1][i], columns[2][i], columns[3][i]]);
            for (j, values) in rows.iter().enumerate() {
                transformed[(4 * i + j) * stride + c..][..LANES].copy_from_slice(values);
            }
        }
    }
}

/// `B'` times a column of four.
#[inline(always)]
fn times_b(d: &[[f32; LANES]; 4]) -> [[f32; LANES]; 4] {
    let mut result = [[0.0; LANES]; 4];
    for l in 0..LANES {
        result[0][l] = d[0][l] - d[2][l];
        result[1][l] = d[1][l] + d[2][l];
        result[2][l] = d[2][l] - d[1][l];
        result[3][l] = d[1][l] - d[3][l];
    }
    result
}

/// `T` pooled pixels of `C` channels of one matrix product.
#[inline(always)]
fn multiply<const C: usize, const T: usize, const FUSED: bool>(
    transformed: &[f32],
    depth: usize,
    weights: &[f32],
    products: &mut [f32],
) {
    let weights = weights.as_chunks::<C>().0;
    // The last index read below; one check here stands for all of them.
    assert!(weights.len() <= depth && transformed.len() >= T * depth);
    let mut sums = [[0.0f32; C]; T];
    for (k, weights) in weights.iter().enumerate() {
        for (t, sums) in sums.iter_mut().enumerate() {
            // SAFETY: t < T and k < weights.len() <= depth, so the index is below T * depth, asserted above.
            let value = unsafe { *transformed.get_unchecked(t * depth + k) };
            for (sum, weight) in sums.iter_mut().zip(weights) {
                *sum = multiply_add::<FUSED>(value, *weight, *sum);
            }
        }
    }
    products.as_chunks_mut::<C>().0.copy_from_slice(&sums);
}

/// `A' M A`: the four convolution outputs of a pooled pixel; the 16 products are `stride` apart.
#[inline(always)]
fn transform_output<const C: usize>(products: &[f32], stride: usize) -> [[f32; C]; 4] {
    let mut outputs = [[0.0f32; C]; 4];
    for column in 0..4 {
        let products = &products[column * stride..];
        let (a, b, c, d) = (
            &products[..C],
            &products[4 * stride..][..C],
            &products[8 * stride..][..C],
            &products[12 * stride..][..C],
        );
        for l in 0..C {
            let (upper, lower) = (a[l] + b[l] + c[l], b[l] - c[l] - d[l]);
            if column < 3 {
                outputs[0][l] += upper;
                outputs[2][l] += lower;
            }
            match column {
                0 => {}
                1 => {
                    outputs[1][l] += upper;
                    outputs[3][l] += lower;
                }
                _ => {
                    outputs[1][l] -= upper;
                    outputs[3][l] -= lower;
                }
            }
        }
    }
    outputs
}
