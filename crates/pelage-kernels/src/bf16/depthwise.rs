//! Depthwise convolution: two rows of a column at once, whose values are interleaved, and a column for all windows of
//! several pixels that it is in.

use std::mem::MaybeUninit;

use super::dot::{Dot, Has, LANES, activated, for_each_arm, store};
use super::{Activation, Packed, pack, stride};
use crate::convolution::Geometry;
use crate::narrow::{Tile, each, share};

pub(super) fn forward(
    g: &Geometry,
    input: &[u16],
    packed: &Packed,
    residual: Option<&[u16]>,
    activation: Activation,
    alone: bool,
    output: &mut [MaybeUninit<u16>],
) {
    let (height, width, values) = (g.output_height(), g.output_width(), stride(g.out_channels));
    let rows = share(g.batch * height, alone).min(height);
    let (blocks, row) = (height.div_ceil(rows), width * values);
    each(output, [height * row, rows * row], alone, |i, output| {
        let (n, first) = (i / blocks, i % blocks * rows);
        let image = g.height * g.width * values;
        let block = Block {
            input: &input[n * image..][..image],
            first,
            residual: residual.map(|residual| &residual[(n * height + first) * row..][..output.len()]),
            activation,
        };
        rows_of(packed.instructions, g, packed, &block, output);
    });
}

pub(super) struct Block<'a> {
    /// One image.
    input: &'a [u16],
    /// The first output row.
    first: usize,
    /// What is added to the rows of the block.
    residual: Option<&'a [u16]>,
    activation: Activation,
}

/// Read instead of pixels in the padding.
const ZEROS: [u16; 2 * LANES] = [0; 2 * LANES];

for_each_arm!(rows_of, rows_body, [avx512: ; portable: ],
    (g: &Geometry, packed: &Packed, block: &Block, output: &mut [MaybeUninit<u16>]));

/// Computes the output rows of `block`.
#[inline(always)]
fn rows_body<D: Dot>(has: Has<D>, g: &Geometry, packed: &Packed, block: &Block, output: &mut [MaybeUninit<u16>]) {
    let values = stride(g.out_channels);
    let row = g.output_width() * values;
    assert!(block.input.len() == g.height * g.width * values);
    assert!(block.residual.is_none_or(|residual| residual.len() == output.len()));
    for &tile in &packed.tiles {
        for (y, output) in output.chunks_exact_mut(row).enumerate() {
            let line = Line {
                g,
                packed,
                block,
                tile,
                top: (block.first + y) * g.stride[0],
                residual: block.residual.map(|residual| &residual[y * row..][..row]),
            };
            line.over(has, output);
        }
    }
}

/// One output row of one tile of channels.
struct Line<'a> {
    g: &'a Geometry,
    packed: &'a Packed,
    block: &'a Block<'a>,
    tile: Tile,
    /// The row of the padded input at which the windows start.
    top: usize,
    residual: Option<&'a [u16]>,
}

/// Where a row of the input is: its first value for the tile, and the distance between pixels.
type Row = (*const u16, usize);

impl Line<'_> {
    #[inline(always)]
    fn over<D: Dot>(&self, has: Has<D>, output: &mut [MaybeUninit<u16>]) {
        let g = self.g;
        let groups = g.kernel[0].div_ceil(2);
        let (values, window) = (stride(g.out_channels), groups * g.kernel[1]);
        // With the length of the input, which the caller has checked, these are all bounds below.
        assert!(self.tile.first + self.tile.valid <= values && self.tile.valid <= 2 * LANES);
        assert!(output.len() == g.output_width() * values);
        let weights = self.packed.weights[self.tile.lanes / LANES * window..][..2 * window].as_ptr();
        // SAFETY: as the function wants it.
        unsafe {
            match (g.kernel[1], g.stride[1]) {
                (3, 1) => self.strips::<D, 3, 1>(has, weights, output),
                (3, 2) => self.strips::<D, 3, 2>(has, weights, output),
                (5, 1) => self.strips::<D, 5, 1>(has, weights, output),
                (5, 2) => self.strips::<D, 5, 2>(has, weights, output),
                _ => self.strips::<D, 0, 1>(has, weights, output),
            }
        }
    }

    /// All pixels, several at once; windows of `K` columns at stride `S`, or any if `K` is 0.
    ///
    /// # Safety
    /// `weights` must have the tile's, and what [`Line::over`] checks must hold.
    #[inline(always)]
    unsafe fn strips<D: Dot, const K: usize, const S: usize>(
        &self,
        has: Has<D>,
        weights: *const pack::Line,
        output: &mut [MaybeUninit<u16>],
    ) {
        let (width, mut x) = (self.g.output_width(), 0);
        // SAFETY: guaranteed by the caller, and so many pixels are left.
        unsafe {
            while x < width {
                // The width of a map is often a multiple of 7.
                x += match width - x {
                    7.. => self.pixels::<D, 7, K, S>(has, weights, x, output),
                    4.. => self.pixels::<D, 4, K, S>(has, weights, x, output),
                    2.. => self.pixels::<D, 2, K, S>(has, weights, x, output),
                    _ => self.pixels::<D, 1, K, S>(has, weights, x, output),
                };
            }
        }
    }

    /// Two rows of the windows, starting with their row `from`.
    #[inline(always)]
    fn rows(&self, from: usize) -> [Row; 2] {
        let (g, values) = (self.g, stride(self.g.out_channels));
        let mut rows = [(ZEROS.as_ptr(), 0); 2];
        for (r, row) in rows.iter_mut().enumerate() {
            let y = (self.top + from + r).wrapping_sub(g.padding[0]);
            if from + r < g.kernel[0] && y < g.height {
                *row = (
                    self.block.input[y * g.width * values + self.tile.first..].as_ptr(),
                    values,
                );
            }
        }
        rows
    }

    /// Values of two rows at a column of the padded input.
    ///
    /// # Safety
    /// The rows must be those of [`Line::rows`].
    #[inline(always)]
    unsafe fn column<D: Dot>(&self, has: Has<D>, rows: &[Row; 2], column: usize) -> [D::Pairs; 2] {
        let x = column.wrapping_sub(self.g.padding[1]);
        let mut at = [ZEROS.as_ptr(); 2];
        if x < self.g.width {
            for r in 0..2 {
                at[r] = rows[r].0.wrapping_add(x * rows[r].1);
            }
        }
        // SAFETY: a pixel of the input from the tile's first channel on, of which `valid` are its own, or zeros.
        unsafe { D::interleave(has, at, self.tile.valid) }
    }

    /// `P` pixels from pixel `x` on; how many these are.
    ///
    /// # Safety
    /// As [`Line::strips`], and the output must have so many.
    #[inline(always)]
    unsafe fn pixels<D: Dot, const P: usize, const K: usize, const S: usize>(
        &self,
        has: Has<D>,
        weights: *const pack::Line,
        x: usize,
        output: &mut [MaybeUninit<u16>],
    ) -> usize {
        let ([kh, kw], stride) = (self.g.kernel, if K == 0 { self.g.stride[1] } else { S });
        let mut sums = [self.start::<D>(has); P];
        // SAFETY: guaranteed by the caller.
        unsafe {
            for i in 0..kh.div_ceil(2) {
                let rows = self.rows(2 * i);
                let weights = weights.add(i * kw * 2);
                if K == 0 {
                    for k in 0..kw {
                        for p in 0..P {
                            let values = self.column::<D>(has, &rows, (x + p) * stride + k);
                            for n in 0..2 {
                                let weights = D::pairs(has, weights.add(k * 2 + n).cast());
                                sums[p][n] = sums[p][n].add_dot(values[n], weights);
                            }
                        }
                    }
                    continue;
                }
                let mut row = [[D::pairs(has, weights.cast()); 2]; K];
                for k in 0..K {
                    for n in 0..2 {
                        row[k][n] = D::pairs(has, weights.add(k * 2 + n).cast());
                    }
                }
                // Each column is read once, for all windows that it is in. Not a loop: `sums` would be in memory.
                macro_rules! columns {
                    ($($column:literal)*) => {
                        $(if $column < (P - 1) * S + K {
                            let values = self.column::<D>(has, &rows, x * S + $column);
                            for k in 0..K {
                                if k <= $column && ($column - k) % S == 0 && ($column - k) / S < P {
                                    let p = ($column - k) / S;
                                    for n in 0..2 {
                                        sums[p][n] = sums[p][n].add_dot(values[n], row[k][n]);
                                    }
                                }
                            }
                        })*
                    };
                }
                columns!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16);
            }
        }
        // SAFETY: guaranteed by the caller.
        unsafe { self.finish(has, sums, x, output) };
        P
    }

    /// What the tile's sums begin with.
    #[inline(always)]
    fn start<D: Dot>(&self, has: Has<D>) -> [D; 2] {
        let bias = &self.packed.bias[self.tile.lanes..][..2 * LANES];
        // SAFETY: there are so many.
        unsafe {
            [
                D::load_at(has, bias.as_ptr()),
                D::load_at(has, bias.as_ptr().add(LANES)),
            ]
        }
    }

    /// # Safety
    /// As [`Line::pixels`].
    #[inline(always)]
    unsafe fn finish<D: Dot, const P: usize>(
        &self,
        has: Has<D>,
        mut sums: [[D; 2]; P],
        x: usize,
        output: &mut [MaybeUninit<u16>],
    ) {
        let stride = stride(self.g.out_channels);
        let start = x * stride + self.tile.first;
        // SAFETY: these pixels are the output's, and the residual's, which is as long; `valid` channels from the tile's
        // first on are its own.
        unsafe {
            if let Some(residual) = self.residual {
                for p in 0..P {
                    let from = residual.as_ptr().add(start + p * stride);
                    let added = D::interleave(has, [ZEROS.as_ptr(), from], self.tile.valid);
                    for n in 0..2 {
                        sums[p][n] = sums[p][n].add(D::second(added[n]));
                    }
                }
            }
            let to = output.as_mut_ptr().cast::<u16>().add(start);
            let sums = activated(has, sums, self.block.activation);
            store::<D, 2, P, true>(sums, to, stride, self.tile.valid);
        }
    }
}
