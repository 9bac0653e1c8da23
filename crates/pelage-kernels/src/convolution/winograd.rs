//! 3x3 convolution with stride 1 by Winograd's minimal filtering F(4x4, 3x3) (Lavin and Gray 2016): the 16 outputs of
//! a tile take 36 multiply-adds per pair of channels, against 144 by direct convolution.
//!
//! The 6x6 input patch `d` of a tile is transformed to `U = B' d B` for each input channel, and the weights `g` to
//! `V = G g G'`. The 36 matrix products `M[i] = U[i] V[i]`, tiles by channels, give the outputs `A' M A` of each output
//! channel. (`'` transposes.) `A`, `B` and `G` are in [`transform`].

mod grad_weights;
pub(crate) mod transform;
pub(crate) mod weights;

pub(super) use grad_weights::{grad_weights, suits as suits_gradient};
pub(crate) use transform::{outputs, transform_weights};
pub(crate) use weights::{MATRICES, PATCH, SIDE, filled, suits, weights_len};

use std::mem::MaybeUninit;
use std::ops::Range;

use super::finish::Finish;
use super::multiply::multiply;
use super::{Activation, Geometry, Packed};
use crate::isa::{Isa, for_each_isa};
use crate::scratch;
use crate::vector::{Simd, Vector};
use rayon::prelude::*;

/// Images and the grid of tiles over them: the tile in row y and column x computes the 4 output rows starting at 4y
/// and the 4 columns starting at 4x.
#[derive(Clone, Copy)]
pub(crate) struct Grid {
    /// Rows, columns and channels of an image.
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) channels: usize,
    /// Zero padding above and to the left.
    pub(crate) padding: [usize; 2],
    /// Rows and columns of tiles per image.
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

/// Values in a block's transformed patches and products, if that leaves enough tiles: a quarter of a typical L2 cache.
const BLOCK: usize = 1 << 15;

/// Number of transformed weights above which a block has more tiles: reading the weights, once per block, then
/// dominates.
const WEIGHTS: usize = 1 << 20;

/// Distance between a block's matrices, in values: the length of a matrix plus one cache line. Otherwise it would often
/// be a multiple of 4096 bytes, and the lines that a transform accesses together would map to the same set of the L1
/// cache.
pub(crate) fn matrix_len(tiles: usize, channels: usize) -> usize {
    tiles * channels + 16
}

impl Grid {
    /// The tiles of a convolution's outputs.
    fn of(g: &Geometry) -> Grid {
        Grid {
            height: g.height,
            width: g.width,
            channels: g.in_channels,
            padding: [g.padding[0], g.padding[1]],
            rows: g.output_height().div_ceil(SIDE),
            columns: g.output_width().div_ceil(SIDE),
        }
    }

    /// Tiles of a batch.
    fn tiles(&self, batch: usize) -> usize {
        batch * self.rows * self.columns
    }

    /// Tiles per block, for `filled` channels of the products.
    pub(crate) fn block(&self, filled: usize) -> usize {
        match MATRICES * self.channels * filled > WEIGHTS {
            true => 64,
            false => (BLOCK / (MATRICES * (self.channels + filled))).clamp(12, 96),
        }
    }

    /// Length of [`products`]' scratch memory for this many tiles.
    pub(crate) fn scratch_len(&self, tiles: usize) -> usize {
        MATRICES * matrix_len(tiles, self.channels) + self.channels
    }
}

// The vector type; tiles at once.
for_each_isa!(vectors products, products_body,
    [avx512: 12; avx2: 6; neon: 8; simd128: 4; portable: 4],
    (grid: &Grid, images: &[f32], tiles: Range<usize>, weights: &[f32], scratch: &mut [f32], products: &mut [f32]));

/// Computes the product matrices `[tiles][filled channels]`, [`matrix_len`] apart, of the given tiles, which are
/// numbered across all images.
#[inline(always)]
fn products_body<V: Vector, const P: usize>(
    simd: Simd<V>,
    grid: &Grid,
    images: &[f32],
    tiles: Range<usize>,
    weights: &[f32],
    scratch: &mut [f32],
    products: &mut [f32],
) {
    let (ci, count) = (grid.channels, tiles.len());
    let filled = weights.len() / (MATRICES * ci);
    let width = 2 * V::LANES;
    assert!(ci.is_multiple_of(V::LANES) && filled.is_multiple_of(width) && weights.len() == MATRICES * ci * filled);
    assert!(tiles.end <= images.len() / (grid.height * grid.width * ci) * grid.rows * grid.columns);
    let [transformed_len, products_len] = [ci, filled].map(|channels| matrix_len(count, channels));
    assert!(products.len() == MATRICES * products_len);
    let (transformed, zeros) = scratch[..grid.scratch_len(count)].split_at_mut(MATRICES * transformed_len);
    zeros.fill(0.0);
    for (i, tile) in tiles.enumerate() {
        let patch = grid.patch(images, zeros, tile);
        // SAFETY: each pointer of the patch is to `ci` values of an image or of the zeros, whole vectors by the first
        // assertion; row i of each matrix is written.
        unsafe { transform::transform_patch(simd, &patch, ci, transformed[i * ci..].as_mut_ptr(), transformed_len) };
    }
    let pairs = transformed
        .chunks_exact(transformed_len)
        .zip(weights.chunks_exact(ci * filled));
    for ((transformed, weights), products) in pairs.zip(products.chunks_exact_mut(products_len)) {
        for (tile, weights) in weights.chunks_exact(ci * width).enumerate() {
            // As few register tiles as possible, of nearly equal size: small tiles waste arithmetic.
            let pieces = count.div_ceil(P);
            let (even, more) = (count / pieces, count % pieces);
            let mut at = 0;
            for piece in 0..pieces {
                let rows = even + usize::from(piece < more);
                let from = &transformed[at * ci..(at + rows) * ci];
                let to = &mut products[at * filled + tile * width..][..(rows - 1) * filled + width];
                macro_rules! one_of {
                    ($($n:literal)*) => {
                        match rows {
                            // SAFETY: `from` has n rows of `ci` values, `to` n rows of two vectors, `filled` apart,
                            // and `weights` two vectors for each of the `ci` channels.
                            $($n if $n <= P => unsafe {
                                rows_times::<V, $n>(simd, from.as_ptr(), ci, weights.as_ptr(), to.as_mut_ptr(), filled)
                            },)*
                            _ => unreachable!("no code for this many rows"),
                        }
                    };
                }
                one_of!(1 2 3 4 5 6 7 8 9 10 11 12);
                at += rows;
            }
        }
    }
}

impl Grid {
    /// Pointers to the channels of each pixel of a tile's patch, row by row; to `zeros` outside the image.
    #[inline(always)]
    fn patch(&self, images: &[f32], zeros: &[f32], tile: usize) -> [*const f32; MATRICES] {
        let (row, x) = (tile / self.columns, tile % self.columns);
        let (n, y) = (row / self.rows, row % self.rows);
        let image = &images[n * self.height * self.width * self.channels..][..self.height * self.width * self.channels];
        // Wrapping: a negative index becomes a huge one, outside the image too.
        let [top, left] =
            [[y, self.padding[0]], [x, self.padding[1]]].map(|[at, border]| (SIDE * at).wrapping_sub(border));
        let mut patch = [zeros.as_ptr(); MATRICES];
        for (i, row) in patch.chunks_exact_mut(PATCH).enumerate() {
            let y = top.wrapping_add(i);
            for (j, place) in row.iter_mut().enumerate() {
                let x = left.wrapping_add(j);
                if y < self.height && x < self.width {
                    *place = image[(y * self.width + x) * self.channels..].as_ptr();
                }
            }
        }
        patch
    }
}

/// `P` rows of `len` values times weights `[len][two vectors]`, into rows `stride` apart.
///
/// # Safety
/// See the call site.
#[inline(always)]
unsafe fn rows_times<V: Vector, const P: usize>(
    simd: Simd<V>,
    rows: *const f32,
    len: usize,
    weights: *const f32,
    to: *mut f32,
    stride: usize,
) {
    // SAFETY: guaranteed by the caller.
    unsafe {
        let mut values = [rows; P];
        for p in 0..P {
            values[p] = rows.add(p * len);
        }
        let sums = multiply(simd, values, len, weights, [[V::splat(simd, 0.0); 2]; P]);
        for p in 0..P {
            for n in 0..2 {
                sums[p][n].store_at(to.add(p * stride + n * V::LANES));
            }
        }
    }
}

/// Work items per thread.
const PIECES: usize = 4;

/// Computes the convolution `g`, whose weights were packed for this path.
pub(super) fn forward(
    isa: Isa,
    g: &Geometry,
    input: &[f32],
    packed: &Packed,
    residual: Option<&[f32]>,
    activation: Activation,
    output: &mut [MaybeUninit<f32>],
) {
    let (height, width, grid) = (g.output_height(), g.output_width(), Grid::of(g));
    let block = grid.block(packed.bias.len());
    // Rows of tiles across all images. A work item is at least a block, if that leaves work for every thread.
    let (total, threads) = (g.batch * grid.rows, rayon::current_num_threads());
    let whole = (total * grid.columns / block).min(PIECES * threads) / threads * threads;
    let count = whole.max(threads).min(total);
    // Output rows above a row of tiles.
    let above = |row: usize| row / grid.rows * height + SIDE * (row % grid.rows);
    let (mut pieces, mut rest) = (Vec::new(), output);
    for piece in 0..count {
        let rows = total * piece / count..total * (piece + 1) / count;
        let (output, later) = rest.split_at_mut((above(rows.end) - above(rows.start)) * width * g.out_channels);
        pieces.push((rows, output));
        rest = later;
    }
    pieces.into_par_iter().for_each(|(rows, output)| {
        let start = above(rows.start) * width * g.out_channels;
        let part = Part {
            grid,
            rows_above: above(rows.start),
            size: [height, width],
            channels: g.out_channels,
            residual: residual.map(|residual| &residual[start..][..output.len()]),
            activation,
        };
        let tiles = rows.start * grid.columns..rows.end * grid.columns;
        let blocks = tiles.len().div_ceil(block);
        let cut = |i: usize| tiles.start + tiles.len() * i / blocks;
        let most = tiles.len().div_ceil(blocks);
        scratch::with(
            grid.scratch_len(most) + MATRICES * matrix_len(most, packed.bias.len()),
            |buffer| {
                for i in 0..blocks {
                    let tiles = cut(i)..cut(i + 1);
                    let (buffer, made) = buffer.split_at_mut(grid.scratch_len(most));
                    let made = &mut made[..MATRICES * matrix_len(tiles.len(), packed.bias.len())];
                    products(isa, &grid, input, tiles.clone(), &packed.weights, buffer, made);
                    finish(isa, &part, tiles, made, &packed.bias, output);
                }
            },
        );
    });
}

/// A range of output rows.
pub(crate) struct Part<'a> {
    grid: Grid,
    /// Output rows, across all images, before the first row of this part.
    rows_above: usize,
    /// Rows and columns of an output image.
    size: [usize; 2],
    channels: usize,
    residual: Option<&'a [f32]>,
    activation: Activation,
}

for_each_isa!(vectors finish, finish_body,
    (part: &Part, tiles: Range<usize>, products: &[f32], bias: &[f32], output: &mut [MaybeUninit<f32>]));

/// Turns the products of some tiles into their outputs.
#[inline(always)]
fn finish_body<V: Vector>(
    simd: Simd<V>,
    part: &Part,
    tiles: Range<usize>,
    products: &[f32],
    bias: &[f32],
    output: &mut [MaybeUninit<f32>],
) {
    let (grid, [height, width], filled) = (&part.grid, part.size, bias.len());
    let stride = matrix_len(tiles.len(), filled);
    assert!(products.len() == MATRICES * stride && filled.is_multiple_of(V::LANES) && part.channels <= filled);
    for (i, tile) in tiles.enumerate() {
        let (row, x) = (tile / grid.columns, SIDE * (tile % grid.columns));
        let y = SIDE * (row % grid.rows);
        let at = (row / grid.rows * height + y - part.rows_above) * width + x;
        for first in (0..part.channels).step_by(V::LANES) {
            let finish = Finish {
                activation: part.activation,
                residual: part.residual,
                first,
                valid: V::LANES.min(part.channels - first),
                stride: part.channels,
            };
            let bias = V::load(simd, &bias[first..]);
            // SAFETY: row i of each matrix has a vector at `first`.
            let outputs = unsafe { outputs(simd, products.as_ptr().add(i * filled + first), stride, bias) };
            for (row, outputs) in outputs.iter().enumerate().take(height - y) {
                let at = at + row * width;
                if x + SIDE <= width {
                    finish.pixels(simd, outputs.map(|output| [output]), at, output);
                } else {
                    for (column, made) in outputs.iter().enumerate().take(width - x) {
                        finish.pixels(simd, [[*made]], at + column, output);
                    }
                }
            }
        }
    }
}
