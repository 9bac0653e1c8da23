//! Forward by Winograd's minimal filtering: each pooled value is the maximum of four outputs of one tile.

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::ops::Range;

use super::Shape;
use super::pool::pool;
use crate::convolution::winograd::{self, Grid};
use crate::isa::{Isa, for_each_isa};
use crate::scratch::Buffer;
use crate::vector::{Simd, Vector};

thread_local!(static BLOCK: Cell<[Buffer; 2]> = Cell::default());

/// Whether this path is faster.
pub(super) fn suits(isa: Isa, shape: Shape) -> bool {
    winograd::suits(isa, shape.in_channels, shape.out_channels)
}

/// Length of the packed weights and bias.
pub(super) fn packed_len(isa: Isa, shape: Shape) -> usize {
    winograd::weights_len(isa, shape.in_channels, shape.out_channels) + winograd::filled(isa, shape.out_channels)
}

/// Packs the transformed weights, then the zero-padded bias.
pub(super) fn pack(isa: Isa, shape: Shape, weights: &[f32], bias: &[f32], packed: &mut [f32]) {
    let len = winograd::weights_len(isa, shape.in_channels, shape.out_channels);
    let (transformed, filled) = packed.split_at_mut(len);
    winograd::transform_weights(isa, shape.in_channels, weights, transformed);
    filled.fill(0.0);
    filled[..bias.len()].copy_from_slice(bias);
}

/// Pooled rows and columns per tile.
pub(super) const TILE: usize = winograd::SIDE / 2;

/// Computes pooled rows of one image, starting at row `top`, a multiple of [`TILE`].
pub(super) fn rows_of(
    isa: Isa,
    shape: Shape,
    floor: f32,
    top: usize,
    input: &[f32],
    packed: &[f32],
    output: &mut [MaybeUninit<f32>],
    winners: &mut [MaybeUninit<u8>],
) {
    let filled = winograd::filled(isa, shape.out_channels);
    let (weights, bias) = packed.split_at(packed.len() - filled);
    let grid = Grid {
        height: shape.height,
        width: shape.width,
        channels: shape.in_channels,
        padding: [1, 1],
        rows: shape.pooled_height().div_ceil(TILE),
        columns: shape.pooled_width().div_ceil(TILE),
    };
    let rows = output.len() / (shape.pooled_width() * shape.out_channels);
    let tiles = top / TILE * grid.columns..(top + rows).div_ceil(TILE) * grid.columns;
    let most = grid.block(filled);
    let mut kept = BLOCK.take();
    let [scratch, products] = &mut kept;
    for first in tiles.clone().step_by(most) {
        let block = first..(first + most).min(tiles.end);
        let scratch = scratch.get(grid.scratch_len(block.len()));
        let products = products.get(winograd::MATRICES * winograd::matrix_len(block.len(), filled));
        winograd::products(isa, &grid, input, block.clone(), weights, scratch, products);
        let part = Part {
            shape,
            floor,
            grid,
            top,
        };
        pool_block(isa, &part, block, products, bias, output, winners);
    }
    BLOCK.set(kept);
}

/// A range of pooled rows of an image, starting at row `top`.
pub(crate) struct Part {
    shape: Shape,
    floor: f32,
    grid: Grid,
    top: usize,
}

// The vector type and its lanes.
for_each_isa!(vectors pool_block, pool_body,
[avx512: 16; avx2: 8; neon: 4; simd128: 4; portable: 4],
(
    part: &Part,
    block: Range<usize>,
    products: &[f32],
    bias: &[f32],
    output: &mut [MaybeUninit<f32>],
    winners: &mut [MaybeUninit<u8>],
));

/// Turns the products of a block of tiles into pooled values.
#[inline(always)]
fn pool_body<V: Vector, const C: usize>(
    simd: Simd<V>,
    part: &Part,
    block: Range<usize>,
    products: &[f32],
    bias: &[f32],
    output: &mut [MaybeUninit<f32>],
    winners: &mut [MaybeUninit<u8>],
) {
    let (width, channels, filled) = (part.shape.pooled_width(), part.shape.out_channels, bias.len());
    let rows = output.len() / (width * channels);
    let stride = winograd::matrix_len(block.len(), filled);
    assert!(C == V::LANES && filled.is_multiple_of(C) && channels <= filled);
    assert!(products.len() == winograd::MATRICES * stride);
    for (i, tile) in block.enumerate() {
        // The tile's first pooled row, relative to the part, and column.
        let (y, x) = (
            tile / part.grid.columns * TILE - part.top,
            tile % part.grid.columns * TILE,
        );
        for first in (0..channels).step_by(C) {
            let mut values = [[[0.0f32; C]; 2 * TILE]; 2 * TILE];
            // SAFETY: row i of each matrix has a vector at `first`.
            let outputs = unsafe {
                let products = products.as_ptr().add(i * filled + first);
                winograd::outputs(simd, products, stride, V::splat(simd, 0.0))
            };
            for (values, output) in values.as_flattened_mut().iter_mut().zip(outputs.as_flattened()) {
                output.store(values);
            }
            for row in 0..TILE.min(rows - y) {
                let [upper, lower] = [values[2 * row], values[2 * row + 1]];
                for column in 0..TILE.min(width - x) {
                    let sums = [
                        upper[2 * column],
                        upper[2 * column + 1],
                        lower[2 * column],
                        lower[2 * column + 1],
                    ];
                    let at = ((y + row) * width + x + column) * channels + first;
                    let end = at + C.min(channels - first);
                    let bias = &bias[first..];
                    pool(&sums, bias, part.floor, &mut output[at..end], &mut winners[at..end]);
                }
            }
        }
    }
}
