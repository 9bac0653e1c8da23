//! Dense and grouped convolution as an implicit matrix product: (output pixels x window) times (window x channels).
//!
//! A window is `kh` runs of `kw * ci` consecutive values, so the offset of a pixel's window is all that is needed.
//! Work is divided into blocks of pixels whose input stays in the L2 cache; [`tile::block`] computes one block.

use std::mem::MaybeUninit;

use super::tile::{self, Block};
use super::{Activation, Geometry, Packed};
use crate::isa::Isa;
use crate::scratch;
use rayon::prelude::*;

/// Values of input and output per block: half of a typical 512 KiB L2 cache.
const BLOCK: usize = 1 << 16;

/// Work items per thread, if there is more than one.
const PIECES: usize = 4;

/// How many of `all` pixels or rows a work item has at most.
fn share(all: usize) -> usize {
    match rayon::current_num_threads() {
        1 => all,
        threads => all.div_ceil(PIECES * threads),
    }
}

/// Directly from the input: no padding, one group. A block is any range of output pixels.
pub(super) fn direct(
    isa: Isa,
    g: &Geometry,
    input: &[f32],
    packed: &Packed,
    residual: Option<&[f32]>,
    activation: Activation,
    output: &mut [MaybeUninit<f32>],
) {
    let (mut height, mut width, co) = (g.output_height(), g.output_width(), g.out_channels);
    let (row, step) = (g.width * g.in_channels, g.stride[1] * g.in_channels);
    let pixels = g.batch * height * width;
    if g.kernel == [1, 1] && g.stride == [1, 1] {
        // Treat all pixels of all images as one row.
        (height, width) = (1, pixels);
    }
    let many = (BLOCK / (g.stride[0] * g.stride[1] * g.in_channels + co))
        .clamp(48, 960)
        .min(share(pixels).max(12));
    output
        .par_chunks_mut(many * co)
        .enumerate()
        .for_each_init(Vec::new, |offsets, (block, output)| {
            let (first, end) = (block * many, block * many + output.len() / co);
            offsets.clear();
            let mut pixel = first;
            while pixel < end {
                let (n, y, x) = (pixel / (height * width), pixel / width % height, pixel % width);
                let corner = n * g.image_len() + y * g.stride[0] * row;
                let count = (width - x).min(end - pixel);
                offsets.extend((x..x + count).map(|x| corner + x * step));
                pixel += count;
            }
            let residual = residual.map(|residual| &residual[first * co..][..output.len()]);
            let block = Block {
                source: input,
                row,
                offsets,
                residual,
                activation,
                stride: co,
            };
            scratch::with(tile::WAITING, |waiting| {
                tile::block(isa, g, packed, 0, &block, waiting, output)
            });
        });
}

/// From a zero-padded copy of the input rows that a block of output rows needs, one group at a time.
pub(super) fn copied(
    isa: Isa,
    g: &Geometry,
    input: &[f32],
    packed: &Packed,
    residual: Option<&[f32]>,
    activation: Activation,
    output: &mut [MaybeUninit<f32>],
) {
    let (height, width, co, ci) = (g.output_height(), g.output_width(), g.out_channels, g.group_inputs());
    let padded = (width - 1) * g.stride[1] + g.kernel[1];
    let share = share(g.batch * height);
    let fit = (BLOCK / (padded * ci)).saturating_sub(g.kernel[0]) / g.stride[0] + 1;
    let rows = fit.min(share);
    let image = g.output_image_len();
    let blocks = output.par_chunks_mut(image).enumerate().flat_map(|(n, output)| {
        let blocks = output.par_chunks_mut(rows * width * co).enumerate();
        blocks.map(move |(block, output)| (n, block * rows, output))
    });
    blocks.for_each_init(Vec::new, |offsets, (n, first, output)| {
        let rows = output.len() / (width * co);
        offsets.clear();
        for y in 0..rows {
            offsets.extend((0..width).map(|x| (y * g.stride[0] * padded + x * g.stride[1]) * ci));
        }
        let residual = residual.map(|residual| &residual[n * image + first * width * co..][..output.len()]);
        let (tall, row) = ((rows - 1) * g.stride[0] + g.kernel[0], padded * ci);
        let input = &input[n * g.image_len()..][..g.image_len()];
        scratch::with(tile::WAITING + tall * row, |buffer| {
            let (waiting, copy) = buffer.split_at_mut(tile::WAITING);
            for group in 0..g.groups {
                for (i, copy) in copy.chunks_exact_mut(row).enumerate() {
                    copy_row(g, input, first * g.stride[0] + i, group * ci, ci, copy);
                }
                let block = Block {
                    source: copy,
                    row,
                    offsets,
                    residual,
                    activation,
                    stride: co,
                };
                tile::block(isa, g, packed, group, &block, waiting, output);
            }
        });
    });
}

/// Copies row `row` of the padded input (row 0 is the first padding row), channels starting at `first`, as much as
/// `copy` holds.
pub(super) fn copy_row(g: &Geometry, input: &[f32], row: usize, first: usize, channels: usize, copy: &mut [f32]) {
    let Some(y) = row.checked_sub(g.padding[0]).filter(|&y| y < g.height) else {
        return copy.fill(0.0);
    };
    let input = &input[y * g.width * g.in_channels..][..g.width * g.in_channels];
    let left = (g.padding[1] * channels).min(copy.len());
    let (border, copy) = copy.split_at_mut(left);
    border.fill(0.0);
    let (copy, border) = copy.split_at_mut((g.width * channels).min(copy.len()));
    border.fill(0.0);
    if channels == g.in_channels {
        return copy.copy_from_slice(&input[..copy.len()]);
    }
    for (to, from) in copy.chunks_exact_mut(channels).zip(input.chunks_exact(g.in_channels)) {
        to.copy_from_slice(&from[first..first + channels]);
    }
}
