//! Convolution of one group as an implicit matrix product, as in [`crate::convolution`]: a window is `kh` runs of
//! consecutive bytes.

use std::mem::MaybeUninit;

use super::tile::{self, Block};
use super::{Packed, SLACK, each, stride};
use crate::convolution::Geometry;

/// Bytes of input and output per block: half of a typical 512 KiB L2 cache.
const BLOCK: usize = 1 << 18;

/// Work items per thread where others are to share in the work.
const PIECES: usize = 2;

/// How many of `all` pixels or rows a work item has at most.
fn share(all: usize, alone: bool) -> usize {
    match alone {
        true => all,
        false => all.div_ceil(PIECES * rayon::current_num_threads()),
    }
}

/// Straight from the input: no padding.
pub(super) fn direct(
    g: &Geometry,
    input: &[u8],
    packed: &Packed,
    residual: Option<&[u8]>,
    alone: bool,
    output: &mut [MaybeUninit<u8>],
) {
    let (ci, co) = (stride(g.in_channels), stride(g.out_channels));
    let (mut height, mut width) = (g.output_height(), g.output_width());
    let pixels = g.batch * height * width;
    if g.kernel == [1, 1] && g.stride == [1, 1] {
        // Treat all pixels of all images as one row.
        (height, width) = (1, pixels);
    }
    let fit = (BLOCK / (g.stride[0] * g.stride[1] * ci + co)).max(48);
    let many = fit.min(share(pixels, alone).max(12));
    let work = |block: usize, output: &mut [MaybeUninit<u8>]| {
        let (first, end) = (block * many, block * many + output.len() / co);
        let mut offsets = Vec::with_capacity(many);
        let mut pixel = first;
        while pixel < end {
            let (n, y, x) = (pixel / (height * width), pixel / width % height, pixel % width);
            let corner = (n * g.height + y * g.stride[0]) * g.width * ci;
            let count = (width - x).min(end - pixel);
            offsets.extend((x..x + count).map(|x| corner + x * g.stride[1] * ci));
            pixel += count;
        }
        let block = Block {
            source: input,
            window: [g.kernel[0], g.kernel[1] * ci],
            row: g.width * ci,
            offsets: &offsets,
            residual: residual.map(|residual| &residual[first * co..][..output.len() + SLACK]),
            stride: co,
        };
        tile::block(packed.arm, packed, &block, output);
    };
    each(output, [pixels * co, many * co], alone, work);
}

/// From a copy of the input rows that a block of output rows needs, padded with what means 0.
pub(super) fn copied(
    g: &Geometry,
    input: &[u8],
    packed: &Packed,
    residual: Option<&[u8]>,
    alone: bool,
    output: &mut [MaybeUninit<u8>],
) {
    let (ci, co) = (stride(g.in_channels), stride(g.out_channels));
    let (height, width) = (g.output_height(), g.output_width());
    let row = ((width - 1) * g.stride[1] + g.kernel[1]) * ci;
    let fit = (BLOCK / row).saturating_sub(g.kernel[0]) / g.stride[0] + 1;
    let rows = fit.min(share(g.batch * height, alone)).min(height);
    // Of each image.
    let blocks = height.div_ceil(rows);
    let work = |i: usize, output: &mut [MaybeUninit<u8>]| {
        let (n, first) = (i / blocks, i % blocks * rows);
        let rows = output.len() / (width * co);
        let mut offsets = Vec::with_capacity(rows * width);
        for y in 0..rows {
            offsets.extend((0..width).map(|x| y * g.stride[0] * row + x * g.stride[1] * ci));
        }
        let tall = (rows - 1) * g.stride[0] + g.kernel[0];
        let image = &input[n * g.height * g.width * ci..][..g.height * g.width * ci];
        let mut copy = vec![packed.zero; tall * row];
        for (i, copy) in copy.chunks_exact_mut(row).enumerate() {
            let y = (first * g.stride[0] + i).wrapping_sub(g.padding[0]);
            if y < g.height {
                let left = (g.padding[1] * ci).min(row);
                let length = (g.width * ci).min(row - left);
                copy[left..left + length].copy_from_slice(&image[y * g.width * ci..][..length]);
            }
        }
        let start = (n * height + first) * width * co;
        let block = Block {
            source: &copy,
            window: [g.kernel[0], g.kernel[1] * ci],
            row,
            offsets: &offsets,
            residual: residual.map(|residual| &residual[start..][..output.len() + SLACK]),
            stride: co,
        };
        tile::block(packed.arm, packed, &block, output);
    };
    each(output, [height * width * co, rows * width * co], alone, work);
}
