//! Depthwise convolution: two rows of a column at once, whose values are interleaved, and a column for all windows that
//! it is in.

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
        // SAFETY: as the functions want it.
        unsafe {
            match (groups, g.kernel[1], g.stride[1]) {
                (2, 3, 1) => self.slide::<D, 2, 3, 1>(has, weights, output),
                (2, 3, 2) => self.slide::<D, 2, 3, 2>(has, weights, output),
                (3, 5, 1) => self.slide::<D, 3, 5, 1>(has, weights, output),
                (3, 5, 2) => self.slide::<D, 3, 5, 2>(has, weights, output),
                _ => self.any::<D>(has, weights, output),
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

    /// Windows of `K` columns and `G` times two rows at stride `S`; a column is read once.
    ///
    /// # Safety
    /// `weights` must have the tile's, and what [`Line::over`] checks must hold.
    #[inline(always)]
    unsafe fn slide<D: Dot, const G: usize, const K: usize, const S: usize>(
        &self,
        has: Has<D>,
        weights: *const pack::Line,
        output: &mut [MaybeUninit<u16>],
    ) {
        let mut rows = [[(ZEROS.as_ptr(), 0); 2]; G];
        for (i, rows) in rows.iter_mut().enumerate() {
            *rows = self.rows(2 * i);
        }
        // SAFETY: guaranteed by the caller.
        unsafe {
            let mut columns = [[self.column::<D>(has, &rows[0], 0); G]; K];
            for k in 0..K - S {
                for i in 0..G {
                    columns[k + S][i] = self.column(has, &rows[i], k);
                }
            }
            for x in 0..self.g.output_width() {
                for k in 0..K - S {
                    columns[k] = columns[k + S];
                }
                for k in K - S..K {
                    for i in 0..G {
                        columns[k][i] = self.column(has, &rows[i], x * S + k);
                    }
                }
                let mut sums = self.start::<D>(has);
                for i in 0..G {
                    for k in 0..K {
                        for n in 0..2 {
                            let weights = D::pairs(has, weights.add((i * K + k) * 2 + n).cast());
                            sums[n] = sums[n].add_dot(columns[k][i][n], weights);
                        }
                    }
                }
                self.finish(has, sums, x, output);
            }
        }
    }

    /// Any windows.
    ///
    /// # Safety
    /// As [`Line::slide`].
    #[inline(always)]
    unsafe fn any<D: Dot>(&self, has: Has<D>, weights: *const pack::Line, output: &mut [MaybeUninit<u16>]) {
        let [kh, kw] = self.g.kernel;
        // SAFETY: guaranteed by the caller.
        unsafe {
            for x in 0..self.g.output_width() {
                let mut sums = self.start::<D>(has);
                for i in 0..kh.div_ceil(2) {
                    let rows = self.rows(2 * i);
                    for k in 0..kw {
                        let values = self.column::<D>(has, &rows, x * self.g.stride[1] + k);
                        for n in 0..2 {
                            let weights = D::pairs(has, weights.add((i * kw + k) * 2 + n).cast());
                            sums[n] = sums[n].add_dot(values[n], weights);
                        }
                    }
                }
                self.finish(has, sums, x, output);
            }
        }
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
    /// What [`Line::over`] checks must hold.
    #[inline(always)]
    unsafe fn finish<D: Dot>(&self, has: Has<D>, mut sums: [D; 2], x: usize, output: &mut [MaybeUninit<u16>]) {
        let start = x * stride(self.g.out_channels) + self.tile.first;
        // SAFETY: pixel `x` is one of the output's, and of the residual's, which is as long; `valid` channels from the
        // tile's first on are its own.
        unsafe {
            if let Some(residual) = self.residual {
                let added = D::interleave(has, [ZEROS.as_ptr(), residual.as_ptr().add(start)], self.tile.valid);
                for n in 0..2 {
                    sums[n] = sums[n].add(D::second(added[n]));
                }
            }
            let to = output.as_mut_ptr().cast::<u16>().add(start);
            let sums = activated(has, [sums], self.block.activation);
            store::<D, 2, 1, true>(sums, to, 0, self.tile.valid);
        }
    }
}
