//! How convolutions of narrow values, bytes or bf16, are cut: output channels into tiles of registers, output pixels
//! into blocks whose input stays in the L2 cache. A window is `kh` runs of consecutive values.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use crate::convolution::Geometry;

/// Bytes of input and output per block: half of a typical 512 KiB L2 cache.
const BLOCK: usize = 1 << 18;

/// Work items per thread where others are to share in the work.
const PIECES: usize = 2;

/// Consecutive output channels that are computed together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tile {
    /// Its first channel.
    pub(crate) first: usize,
    /// 4, 2 or 1.
    pub(crate) vectors: usize,
    /// Values of each pixel that are its own: fewer than its lanes where the channels end.
    pub(crate) valid: usize,
    /// Lanes of the tiles before it.
    pub(crate) lanes: usize,
}

/// Splits `values` of a pixel into tiles, as wide as they may be: of at most `widest` vectors of `lanes`.
pub(crate) fn tiles(values: usize, lanes: usize, widest: usize) -> Vec<Tile> {
    let (mut first, mut filled) = (0, 0);
    let mut tiles = Vec::new();
    while first < values {
        let left = (values - first).div_ceil(lanes);
        let vectors = [4, 2].into_iter().find(|&n| n <= widest && n <= left).unwrap_or(1);
        tiles.push(Tile {
            first,
            vectors,
            valid: (vectors * lanes).min(values - first),
            lanes: filled,
        });
        first += vectors * lanes;
        filled += vectors * lanes;
    }
    tiles
}

/// Whether each channel is convolved alone.
pub(crate) fn is_depthwise(geometry: &Geometry) -> bool {
    geometry.groups == geometry.in_channels && geometry.groups == geometry.out_channels
}

/// The pixels of a block, and where their windows are.
pub(crate) struct Block<'a, T> {
    /// The values that the windows are in.
    pub(crate) source: &'a [T],
    /// Rows of a window, and values of each.
    pub(crate) window: [usize; 2],
    /// Distance between rows of a window.
    pub(crate) row: usize,
    /// Offset of each pixel's window in `source`.
    pub(crate) offsets: &'a [usize],
    /// Added before rounding: the same pixels of a map, and what follows them.
    pub(crate) residual: Option<&'a [T]>,
    /// Values of an output pixel.
    pub(crate) stride: usize,
}

/// A convolution of one group on its way from one map to another.
#[derive(Clone, Copy)]
pub(crate) struct Walk<'a, T> {
    pub(crate) geometry: &'a Geometry,
    pub(crate) input: &'a [T],
    /// Values of a pixel of the input and of the output.
    pub(crate) strides: [usize; 2],
    /// Added before rounding: a map like the output, followed by `slack` values more.
    pub(crate) residual: Option<&'a [T]>,
    pub(crate) slack: usize,
    /// What the padding holds.
    pub(crate) zero: T,
    /// On this thread, since others are busy.
    pub(crate) alone: bool,
}

impl<T: Copy + Send + Sync> Walk<'_, T> {
    /// Lets `work` compute each block of `output`.
    pub(crate) fn over(&self, output: &mut [MaybeUninit<T>], work: impl Fn(&Block<T>, &mut [MaybeUninit<T>]) + Sync) {
        match self.geometry.padding {
            [0, 0, 0, 0] => self.direct(output, work),
            _ => self.copied(output, work),
        }
    }

    /// Straight from the input: no padding.
    fn direct(&self, output: &mut [MaybeUninit<T>], work: impl Fn(&Block<T>, &mut [MaybeUninit<T>]) + Sync) {
        let (g, [ci, co]) = (self.geometry, self.strides);
        let (mut height, mut width) = (g.output_height(), g.output_width());
        let pixels = g.batch * height * width;
        if g.kernel == [1, 1] && g.stride == [1, 1] {
            // Treat all pixels of all images as one row.
            (height, width) = (1, pixels);
        }
        let fit = (BLOCK / size_of::<T>() / (g.stride[0] * g.stride[1] * ci + co)).max(48);
        let many = fit.min(share(pixels, self.alone).max(12));
        let one = |block: usize, output: &mut [MaybeUninit<T>]| {
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
                source: self.input,
                window: [g.kernel[0], g.kernel[1] * ci],
                row: g.width * ci,
                offsets: &offsets,
                residual: self.residual_of(first * co, output.len()),
                stride: co,
            };
            work(&block, output);
        };
        each(output, [pixels * co, many * co], self.alone, one);
    }

    /// From a copy of the input rows that a block of output rows needs, padded with what means 0.
    fn copied(&self, output: &mut [MaybeUninit<T>], work: impl Fn(&Block<T>, &mut [MaybeUninit<T>]) + Sync) {
        let (g, [ci, co]) = (self.geometry, self.strides);
        let (height, width) = (g.output_height(), g.output_width());
        let row = ((width - 1) * g.stride[1] + g.kernel[1]) * ci;
        let fit = (BLOCK / size_of::<T>() / row).saturating_sub(g.kernel[0]) / g.stride[0] + 1;
        let rows = fit.min(share(g.batch * height, self.alone)).min(height);
        // Of each image.
        let blocks = height.div_ceil(rows);
        let one = |i: usize, output: &mut [MaybeUninit<T>]| {
            let (n, first) = (i / blocks, i % blocks * rows);
            let rows = output.len() / (width * co);
            let mut offsets = Vec::with_capacity(rows * width);
            for y in 0..rows {
                offsets.extend((0..width).map(|x| y * g.stride[0] * row + x * g.stride[1] * ci));
            }
            let tall = (rows - 1) * g.stride[0] + g.kernel[0];
            let image = &self.input[n * g.height * g.width * ci..][..g.height * g.width * ci];
            let mut copy = vec![self.zero; tall * row];
            for (i, copy) in copy.chunks_exact_mut(row).enumerate() {
                let y = (first * g.stride[0] + i).wrapping_sub(g.padding[0]);
                if y < g.height {
                    let left = (g.padding[1] * ci).min(row);
                    let length = (g.width * ci).min(row - left);
                    copy[left..left + length].copy_from_slice(&image[y * g.width * ci..][..length]);
                }
            }
            let block = Block {
                source: &copy,
                window: [g.kernel[0], g.kernel[1] * ci],
                row,
                offsets: &offsets,
                residual: self.residual_of((n * height + first) * width * co, output.len()),
                stride: co,
            };
            work(&block, output);
        };
        each(output, [height * width * co, rows * width * co], self.alone, one);
    }

    fn residual_of(&self, start: usize, length: usize) -> Option<&[T]> {
        self.residual.map(|residual| &residual[start..][..length + self.slack])
    }
}

/// How many of `all` pixels or rows a work item has at most.
pub(crate) fn share(all: usize, alone: bool) -> usize {
    match alone {
        true => all,
        false => all.div_ceil(PIECES * rayon::current_num_threads()),
    }
}

/// Cuts the images of `output`, each of `image` values, into pieces of `size`, the last of each image shorter, and
/// calls `work` with the number of each among all and the piece: on this thread `alone`, or on all.
pub(crate) fn each<T: Send>(
    output: &mut [MaybeUninit<T>],
    [image, size]: [usize; 2],
    alone: bool,
    work: impl Fn(usize, &mut [MaybeUninit<T>]) + Sync,
) {
    let pieces = output.chunks_mut(image).flat_map(|image| image.chunks_mut(size));
    match alone {
        true => pieces.enumerate().for_each(|(i, piece)| work(i, piece)),
        false => {
            let pieces: Vec<_> = pieces.enumerate().collect();
            pieces.into_par_iter().for_each(|(i, piece)| work(i, piece));
        }
    }
}
