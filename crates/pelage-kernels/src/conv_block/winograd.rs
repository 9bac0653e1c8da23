//! Forward by Winograd's minimal filtering: a tile's four outputs are what lies under a pooled value.

use std::cell::Cell;
use std::ops::Range;

use super::Shape;
use super::pool::pool;
use crate::convolution::winograd::{self, Grid};
use crate::isa::{Isa, for_each_isa};
use crate::scratch::Buffer;

thread_local!(static BLOCK: Cell<[Buffer; 2]> = Cell::default());

/// Whether this is the faster way.
pub(super) fn suits(isa: Isa, shape: Shape) -> bool {
    winograd::suits(isa, shape.in_channels, shape.out_channels)
}

/// Numbers of the packed weights and bias.
pub(super) fn packed_len(isa: Isa, shape: Shape) -> usize {
    winograd::weights_len(isa, shape.in_channels, shape.out_channels) + winograd::filled(isa, shape.out_channels)
}

/// Transformed weights, then the bias, filled up with zeros.
pub(super) fn pack(isa: Isa, shape: Shape, weights: &[f32], bias: &[f32], packed: &mut [f32]) {
    let len = winograd::weights_len(isa, shape.in_channels, shape.out_channels);
    let (transformed, filled) = packed.split_at_mut(len);
    winograd::transform_weights(isa, shape.in_channels, weights, transformed);
    filled.fill(0.0);
    filled[..bias.len()].copy_from_slice(bias);
}

/// Pooled rows of one picture, from row `top` on.
pub(super) fn rows_of(
    isa: Isa,
    shape: Shape,
    top: usize,
    input: &[f32],
    packed: &[f32],
    output: &mut [f32],
    winners: &mut [u8],
) {
    let filled = winograd::filled(isa, shape.out_channels);
    let (weights, bias) = packed.split_at(packed.len() - filled);
    let grid = Grid {
        height: shape.height,
        width: shape.width,
        channels: shape.in_channels,
        padding: [1, 1],
        rows: shape.pooled_height(),
        columns: shape.pooled_width(),
    };
    let (start, most) = (top * grid.columns, grid.block(filled));
    let pixels = output.len() / shape.out_channels;
    let mut kept = BLOCK.take();
    let [scratch, products] = &mut kept;
    for first in (0..pixels).step_by(most) {
        let block = first..(first + most).min(pixels);
        let scratch = scratch.get(grid.scratch_len(block.len()));
        let products = products.get(16 * winograd::matrix_len(block.len(), filled));
        let tiles = start + block.start..start + block.end;
        winograd::products(isa, &grid, input, tiles, weights, scratch, products);
        pool_block(isa, shape.out_channels, block, products, bias, output, winners);
    }
    BLOCK.set(kept);
}

// Channels at once: the two vectors that the products are filled up to.
for_each_isa!(pool_block, pool_body, [avx512: 32; avx2: 16; neon: 8; portable: 8], (
    channels: usize,
    block: Range<usize>,
    products: &[f32],
    bias: &[f32],
    output: &mut [f32],
    winners: &mut [u8],
));

/// From the products of a block of pooled pixels to their values.
#[inline(always)]
fn pool_body<const C: usize, const FUSED: bool>(
    channels: usize,
    block: Range<usize>,
    products: &[f32],
    bias: &[f32],
    output: &mut [f32],
    winners: &mut [u8],
) {
    let (filled, stride) = (bias.len(), winograd::matrix_len(block.len(), bias.len()));
    for (i, pixel) in block.enumerate() {
        for first in (0..channels).step_by(C) {
            let sums = transform_output::<C>(&products[i * filled + first..], stride);
            let at = pixel * channels + first..pixel * channels + (first + C).min(channels);
            let (bias, output, winners) = (&bias[first..], &mut output[at.clone()], &mut winners[at]);
            if output.len() == C {
                pool::<C, true>(&sums, bias, output, winners);
            } else {
                pool::<C, false>(&sums, bias, output, winners);
            }
        }
    }
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
