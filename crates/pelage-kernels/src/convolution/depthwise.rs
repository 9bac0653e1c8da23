//! Depthwise convolution: one tile of channels at a time, several pixels of a row at once, directly from the input.

use std::mem::MaybeUninit;

use super::finish::Finish;
use super::pack::Tile;
use super::{Activation, Geometry, Packed};
use crate::isa::{Isa, for_each_isa};
use crate::scratch;
use crate::vector::{Simd, Vector};
use rayon::prelude::*;

/// Work items per thread, if there are fewer images than that.
const PIECES: usize = 4;

/// Approximate number of input values per work item: half of a typical 512 KiB L2 cache.
const BLOCK: usize = 1 << 16;

pub(super) fn forward(
    isa: Isa,
    g: &Geometry,
    input: &[f32],
    packed: &Packed,
    residual: Option<&[f32]>,
    activation: Activation,
    output: &mut [MaybeUninit<f32>],
) {
    let (height, width, co) = (g.output_height(), g.output_width(), g.out_channels);
    let share = height.div_ceil((PIECES * rayon::current_num_threads()).div_ceil(g.batch));
    let fit = (BLOCK / (g.width * co * g.stride[0]).max(1)).max(2 * g.kernel[0]);
    let rows = share.min(fit);
    let image = g.output_image_len();
    let blocks = output.par_chunks_mut(image).enumerate().flat_map(|(n, output)| {
        let blocks = output.par_chunks_mut(rows * width * co).enumerate();
        blocks.map(move |(block, output)| (n, block * rows, output))
    });
    blocks.for_each(|(n, first, output)| {
        let input = &input[n * g.image_len()..][..g.image_len()];
        let residual = residual.map(|residual| &residual[n * image + first * width * co..][..output.len()]);
        let tile = packed.tiles[0].width;
        if co >= tile {
            let block = Block {
                input,
                pixel: co,
                first,
                residual,
                activation,
            };
            return rows_of(isa, g, packed, &block, output);
        }
        // Fewer channels than a tile: copy the input with each pixel padded.
        scratch::with(g.height * g.width * tile, |copy| {
            for (to, from) in copy.chunks_exact_mut(tile).zip(input.chunks_exact(co)) {
                to.fill(0.0);
                to[..co].copy_from_slice(from);
            }
            let block = Block {
                input: copy,
                pixel: tile,
                first,
                residual,
                activation,
            };
            rows_of(isa, g, packed, &block, output);
        });
    });
}

pub(super) struct Block<'a> {
    /// One image.
    input: &'a [f32],
    /// Distance between its pixels, in values.
    pixel: usize,
    /// The first output row.
    first: usize,
    residual: Option<&'a [f32]>,
    activation: Activation,
}

/// Read instead of the input in the padding.
const ZEROS: [f32; 32] = [0.0; 32];

// The vector type; output pixels at once: the width of a map is often a multiple of 7.
for_each_isa!(vectors rows_of, rows_body,
    [avx512: 7; avx2: 7; neon: 7; simd128: 4; portable: 4],
    (g: &Geometry, packed: &Packed, block: &Block, output: &mut [MaybeUninit<f32>]));

/// Computes the output rows of `block`.
#[inline(always)]
fn rows_body<V: Vector, const P: usize>(
    simd: Simd<V>,
    g: &Geometry,
    packed: &Packed,
    block: &Block,
    output: &mut [MaybeUninit<f32>],
) {
    let (width, co, tile) = (g.output_width(), g.out_channels, 2 * V::LANES);
    let window = g.kernel[0] * g.kernel[1] * tile;
    assert!(block.input.len() == g.height * g.width * block.pixel);
    for (y, output) in output.chunks_exact_mut(width * co).enumerate() {
        let residual = block.residual.map(|residual| &residual[y * width * co..][..width * co]);
        let top = (block.first + y) * g.stride[0];
        let rows = [
            g.padding[0].saturating_sub(top),
            (g.height + g.padding[0]).saturating_sub(top).min(g.kernel[0]),
        ];
        let tiles = width.div_ceil(P);
        let (even, more) = (width / tiles, width % tiles);
        let mut x = 0;
        for strip in 0..tiles {
            let count = even + usize::from(strip < more);
            for (i, &Tile { first, width: channels }) in packed.tiles.iter().enumerate() {
                assert!(channels == tile && first + tile <= block.pixel);
                let valid = tile.min(co - first);
                let line = Line {
                    g,
                    // Empty if the input has no rows and everything is padding.
                    input: block.input.get(first..).unwrap_or_default(),
                    pixel: block.pixel,
                    top,
                    rows,
                    weights: &packed.weights[i * window..][..window],
                    bias: &packed.bias[i * tile..][..tile],
                    finish: Finish {
                        activation: block.activation,
                        residual,
                        first,
                        valid,
                        stride: co,
                    },
                };
                match (g.kernel[1], g.stride[1]) {
                    (3, 1) => line.over::<V, P, 3, 1>(simd, x, count, output),
                    (3, 2) => line.over::<V, P, 3, 2>(simd, x, count, output),
                    (5, 1) => line.over::<V, P, 5, 1>(simd, x, count, output),
                    (5, 2) => line.over::<V, P, 5, 2>(simd, x, count, output),
                    _ => line.over::<V, P, 0, 1>(simd, x, count, output),
                }
            }
            x += count;
        }
    }
}

/// One output row of one tile of channels.
struct Line<'a> {
    g: &'a Geometry,
    /// One image, starting at the tile's first channel.
    input: &'a [f32],
    /// Distance between its pixels, in values.
    pixel: usize,
    /// The row of the padded input at which the window starts.
    top: usize,
    /// Start and end of the window's rows that are within the input.
    rows: [usize; 2],
    weights: &'a [f32],
    bias: &'a [f32],
    finish: Finish<'a>,
}

impl Line<'_> {
    /// `count` pixels starting at pixel `x`, at most `P`; windows of `K` columns at stride `S`, or any if `K` is 0.
    #[inline(always)]
    fn over<V: Vector, const P: usize, const K: usize, const S: usize>(
        &self,
        simd: Simd<V>,
        x: usize,
        count: usize,
        output: &mut [MaybeUninit<f32>],
    ) {
        macro_rules! one_of {
            ($($n:literal)*) => {
                match count {
                    $($n if $n <= P => self.pixels::<V, $n, K, S>(simd, x, output),)*
                    _ => unreachable!("no code for a tile of this many pixels"),
                }
            };
        }
        one_of!(1 2 3 4 5 6 7);
    }

    /// `P` pixels starting at pixel `x`.
    #[inline(always)]
    fn pixels<V: Vector, const P: usize, const K: usize, const S: usize>(
        &self,
        simd: Simd<V>,
        x: usize,
        output: &mut [MaybeUninit<f32>],
    ) {
        let (g, tile) = (self.g, 2 * V::LANES);
        assert!(
            self.bias.len() == tile
                && self.weights.len() == g.kernel[0] * g.kernel[1] * tile
                && self.rows[1] <= g.kernel[0]
                && (K == 0 || [K, S] == [g.kernel[1], g.stride[1]])
        );
        let stride = if K == 0 { g.stride[1] } else { S };
        let mut sums = [[V::load(simd, self.bias), V::load(simd, &self.bias[V::LANES..])]; P];
        let left = (x * stride).wrapping_sub(g.padding[1]);
        // SAFETY: `weights` has two vectors for each row and column of the window. Only input rows below `height` (by
        // `rows`) and columns below `width` are read, two vectors starting at the tile's first channel, and a pixel is
        // at least that long.
        unsafe {
            for ky in self.rows[0]..self.rows[1] {
                let y = self.top + ky - g.padding[0];
                let line = self.input.as_ptr().add(y * g.width * self.pixel);
                let weights = self.weights.as_ptr().add(ky * g.kernel[1] * tile);
                if K == 0 {
                    for kx in 0..g.kernel[1] {
                        for p in 0..P {
                            let values = self.column(line, left.wrapping_add(p * stride + kx));
                            for n in 0..2 {
                                let weight = V::load_at(simd, weights.add(kx * tile + n * V::LANES));
                                sums[p][n] =
                                    sums[p][n].multiply_add(V::load_at(simd, values.add(n * V::LANES)), weight);
                            }
                        }
                    }
                    continue;
                }
                let mut row = [[V::splat(simd, 0.0); 2]; K];
                for kx in 0..K {
                    for n in 0..2 {
                        row[kx][n] = V::load_at(simd, weights.add(kx * tile + n * V::LANES));
                    }
                }
                // Each column is read once, for all windows that it is in. Not a loop: `sums` would be in memory.
                macro_rules! columns {
                    ($($column:literal)*) => {
                        $(if $column < (P - 1) * S + K {
                            let values = self.column(line, left.wrapping_add($column));
                            let values = [V::load_at(simd, values), V::load_at(simd, values.add(V::LANES))];
                            for kx in 0..K {
                                if kx <= $column && ($column - kx) % S == 0 && ($column - kx) / S < P {
                                    let p = ($column - kx) / S;
                                    for n in 0..2 {
                                        sums[p][n] = sums[p][n].multiply_add(values[n], row[kx][n]);
                                    }
                                }
                            }
                        })*
                    };
                }
                columns!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16);
            }
        }
        self.finish.pixels(simd, sums, x, output);
    }

    /// Where the values of a column are: in the row that begins at `line`, or zeros in the padding.
    ///
    /// # Safety
    /// `line` must point to a row of the input.
    #[inline(always)]
    unsafe fn column(&self, line: *const f32, column: usize) -> *const f32 {
        match column < self.g.width {
            // SAFETY: the row has that many pixels.
            true => unsafe { line.add(column * self.pixel) },
            false => ZEROS.as_ptr(),
        }
    }
}
