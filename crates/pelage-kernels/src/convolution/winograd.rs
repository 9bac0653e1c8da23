//! 3x3 convolution with stride 1 by Winograd's minimal filtering F(4x4, 3x3) (Lavin and Gray 2016): the 16 outputs of
//! a tile cost 36 multiply-adds for each pair of channels, where the definition takes 144.
//!
//! For the 6x6 patch `d` of the input that a tile sees, `U = B' d B` for each input channel; with the weights
//! `V = G g G'`, the products `M[i] = U[i] V[i]` of 36 matrices, tiles by channels; and the outputs `A' M A` for each
//! output channel. (`'` transposes.) The three matrices are in [`transform`].

pub(crate) mod transform;
pub(crate) mod weights;

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

/// Images and the tiles over them: the tile in row y and column x makes the output's 4 rows from 4y on and 4
/// columns from 4x on.
#[derive(Clone, Copy)]
pub(crate) struct Grid {
    /// Rows, columns and channels of an image.
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) channels: usize,
    /// Zeros above and left of it.
    pub(crate) padding: [usize; 2],
    /// Rows and columns of tiles over an image.
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

/// Values of a block's transformed patches and products, if that leaves enough tiles: a quarter of a common L2 cache.
const BLOCK: usize = 1 << 15;

/// Weights above which a block has more tiles: reading them, once per block, is then what takes the time.
const WEIGHTS: usize = 1 << 20;

/// Values from one matrix of a block to the next: one cache line more than it has. Their distance would otherwise
/// often be a multiple of 4096 bytes, and the lines that a transform touches at once would all want the same few
/// places in the L1 cache.
pub(crate) fn matrix_len(tiles: usize, channels: usize) -> usize {
    tiles * channels + 16
}

impl Grid {
    /// Tiles of a block, for this many channels of the products.
    pub(crate) fn block(&self, filled: usize) -> usize {
        match MATRICES * self.channels * filled > WEIGHTS {
            true => 64,
            false => (BLOCK / (MATRICES * (self.channels + filled))).clamp(12, 96),
        }
    }

    /// Scratch memory of [`products`] in values, for this many tiles.
    pub(crate) fn scratch_len(&self, tiles: usize) -> usize {
        MATRICES * matrix_len(tiles, self.channels) + self.channels
    }
}

// The vector, tiles at once.
for_each_isa!(vectors products, products_body,
    [avx512: 12; avx2: 6; neon: 8; portable: 4],
    (grid: &Grid, images: &[f32], tiles: Range<usize>, weights: &[f32], scratch: &mut [f32], products: &mut [f32]));

/// The matrices `[tiles][filled channels]` of products, [`matrix_len`] apart, of the given tiles, counted over all
/// images.
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
        // SAFETY: each place of the patch has an image's or the zeros' `ci` values, whole vectors by the first
        // assertion; of each matrix, row i is written.
        unsafe { transform::transform_patch(simd, &patch, ci, transformed[i * ci..].as_mut_ptr(), transformed_len) };
    }
    let pairs = transformed
        .chunks_exact(transformed_len)
        .zip(weights.chunks_exact(ci * filled));
    for ((transformed, weights), products) in pairs.zip(products.chunks_exact_mut(products_len)) {
        for (tile, weights) in weights.chunks_exact(ci * width).enumerate() {
            // As few register tiles as possible, and all about equally large: small ones waste arithmetic.
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
                            // and `weights` two vectors for each of the `ci`.
                            $($n if $n <= P => unsafe {
                                rows_times::<V, $n>(simd, from.as_ptr(), ci, weights.as_ptr(), to.as_mut_ptr(), filled)
                            },)*
                            _ => unreachable!("more rows than there is code for"),
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
    /// Where the channels of a tile's patch are, by rows; at the zeros, what lies outside the image.
    #[inline(always)]
    fn patch(&self, images: &[f32], zeros: &[f32], tile: usize) -> [*const f32; MATRICES] {
        let (row, x) = (tile / self.columns, tile % self.columns);
        let (n, y) = (row / self.rows, row % self.rows);
        let image = &images[n * self.height * self.width * self.channels..][..self.height * self.width * self.channels];
        // Wrapping: above and left of the image is far below and right of it.
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
/// As stated at the call.
#[inline(always)]
unsafe fn rows_times<V: Vector, const P: usize>(
    simd: Simd<V>,
    rows: *const f32,
    len: usize,
    weights: *const f32,
    to: *mut f32,
    stride: usize,
) {
    // SAFETY: the caller's promise.
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

/// Pieces of work per thread.
const PIECES: usize = 4;

/// The convolution of `g`, whose weights were packed for this path.
pub(super) fn forward(
    isa: Isa,
    g: &Geometry,
    input: &[f32],
    packed: &Packed,
    residual: Option<&[f32]>,
    activation: Activation,
    output: &mut [MaybeUninit<f32>],
) {
    let (height, width) = (g.output_height(), g.output_width());
    let grid = Grid {
        height: g.height,
        width: g.width,
        channels: g.in_channels,
        padding: [g.padding[0], g.padding[1]],
        rows: height.div_ceil(SIDE),
        columns: width.div_ceil(SIDE),
    };
    let block = grid.block(packed.bias.len());
    // Rows of tiles over all images. A piece of work has at least a block where that leaves something to every thread.
    let (total, threads) = (g.batch * grid.rows, rayon::current_num_threads());
    let whole = (total * grid.columns / block).min(PIECES * threads) / threads * threads;
    let count = whole.max(threads).min(total);
    // Rows of the output above a row of tiles.
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

/// Some rows of the output.
pub(crate) struct Part<'a> {
    grid: Grid,
    /// Rows of the output of all images before the first one here.
    rows_above: usize,
    /// Rows and columns of an image of the output.
    size: [usize; 2],
    channels: usize,
    residual: Option<&'a [f32]>,
    activation: Activation,
}

for_each_isa!(vectors finish, finish_body,
    (part: &Part, tiles: Range<usize>, products: &[f32], bias: &[f32], output: &mut [MaybeUninit<f32>]));

/// From the products of some tiles to their outputs.
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
            // SAFETY: a vector from `first` on is in row i of each of the matrices.
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
