//! Depthwise convolution: four rows of a column at once, whose bytes are interleaved, and a column for all windows that
//! it is in.

use std::mem::MaybeUninit;

use super::dot::{Dot, Has, for_each_arm};
use super::{Packed, SLACK, stride, tile};
use crate::convolution::Geometry;
use crate::narrow::{Tile, each, share};

pub(super) fn forward(
    g: &Geometry,
    input: &[u8],
    packed: &Packed,
    residual: Option<&[u8]>,
    alone: bool,
    output: &mut [MaybeUninit<u8>],
) {
    let (height, width, bytes) = (g.output_height(), g.output_width(), stride(g.out_channels));
    let rows = share(g.batch * height, alone).min(height);
    let (blocks, row) = (height.div_ceil(rows), width * bytes);
    each(output, [height * row, rows * row], alone, |i, output| {
        let (n, first) = (i / blocks, i % blocks * rows);
        let image = g.height * g.width * bytes;
        let block = Block {
            input: &input[n * image..][..image + SLACK],
            first,
            residual: residual.map(|residual| &residual[(n * height + first) * row..][..output.len() + SLACK]),
            padding: &[packed.zero; SLACK],
        };
        rows_of(packed.arm, g, packed, &block, output);
    });
}

pub(super) struct Block<'a> {
    /// One image and what follows it.
    input: &'a [u8],
    /// The first output row.
    first: usize,
    /// What is added to the rows of the block, and what follows it.
    residual: Option<&'a [u8]>,
    /// Read instead of pixels in the padding.
    padding: &'a [u8; SLACK],
}

for_each_arm!(rows_of, rows_body, [vnni: ; avx2: ; portable: ],
    (g: &Geometry, packed: &Packed, block: &Block, output: &mut [MaybeUninit<u8>]));

/// Computes the output rows of `block`.
#[inline(always)]
fn rows_body<D: Dot>(has: Has<D>, g: &Geometry, packed: &Packed, block: &Block, output: &mut [MaybeUninit<u8>]) {
    let bytes = stride(g.out_channels);
    let row = g.output_width() * bytes;
    assert!(block.input.len() == g.height * g.width * bytes + SLACK);
    assert!(
        block
            .residual
            .is_none_or(|residual| residual.len() == output.len() + SLACK)
    );
    for &tile in &packed.tiles {
        for (y, output) in output.chunks_exact_mut(row).enumerate() {
            let line = Line {
                g,
                packed,
                block,
                tile,
                top: (block.first + y) * g.stride[0],
                residual: block.residual.map(|residual| &residual[y * row..]),
            };
            match tile.vectors {
                // A constant, so that nothing is compiled for what is not there.
                4 if const { D::WIDEST == 4 } => line.of::<D, 4>(has, output),
                2 => line.of::<D, 2>(has, output),
                _ => line.of::<D, 1>(has, output),
            }
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
    residual: Option<&'a [u8]>,
}

/// Where a row of the input is: its first byte for the tile, and the distance between pixels.
type Row = (*const u8, usize);

impl Line<'_> {
    #[inline(always)]
    fn of<D: Dot, const N: usize>(&self, has: Has<D>, output: &mut [MaybeUninit<u8>]) {
        let (g, width) = (self.g, N * D::LANES);
        let groups = g.kernel[0].div_ceil(4);
        let (bytes, window) = (stride(g.out_channels), groups * g.kernel[1] * 4);
        // With the length of the input, which the caller has checked, these are all bounds below.
        assert!(self.tile.vectors == N && width <= SLACK && self.tile.first + self.tile.valid <= bytes);
        assert!(self.tile.valid <= width && output.len() == g.output_width() * bytes);
        assert!(
            self.residual
                .is_none_or(|residual| residual.len() >= output.len() + SLACK)
        );
        let weights = &self.packed.weights[self.tile.lanes * window..][..width * window];
        // SAFETY: as the functions want it.
        unsafe {
            match (groups, g.kernel[1], g.stride[1]) {
                (1, 3, 1) => self.slide::<D, N, 1, 3, 1>(has, weights.as_ptr(), output),
                (1, 3, 2) => self.slide::<D, N, 1, 3, 2>(has, weights.as_ptr(), output),
                (2, 5, 1) => self.slide::<D, N, 2, 5, 1>(has, weights.as_ptr(), output),
                (2, 5, 2) => self.slide::<D, N, 2, 5, 2>(has, weights.as_ptr(), output),
                _ => self.any::<D, N>(has, weights.as_ptr(), output),
            }
        }
    }

    /// Four rows of the windows, starting with their row `from`.
    #[inline(always)]
    fn rows(&self, from: usize) -> [Row; 4] {
        let (g, bytes) = (self.g, stride(self.g.out_channels));
        let mut rows = [(self.block.padding.as_ptr(), 0); 4];
        for (r, row) in rows.iter_mut().enumerate() {
            let y = (self.top + from + r).wrapping_sub(g.padding[0]);
            if from + r < g.kernel[0] && y < g.height {
                *row = (
                    self.block.input[y * g.width * bytes + self.tile.first..].as_ptr(),
                    bytes,
                );
            }
        }
        rows
    }

    /// Bytes of four rows at a column of the padded input.
    ///
    /// # Safety
    /// The rows must be those of [`Line::rows`].
    #[inline(always)]
    unsafe fn column<D: Dot, const N: usize>(&self, has: Has<D>, rows: &[Row; 4], column: usize) -> [D::Values; N] {
        let x = column.wrapping_sub(self.g.padding[1]);
        let mut at = [self.block.padding.as_ptr(); 4];
        if x < self.g.width {
            for r in 0..4 {
                at[r] = rows[r].0.wrapping_add(x * rows[r].1);
            }
        }
        // SAFETY: a pixel of the input from the tile's first channel on, or the padding, with 64 bytes at least.
        unsafe { D::interleave(has, at) }
    }

    /// Windows of `K` columns and `G` times four rows at stride `S`; a column is read once.
    ///
    /// # Safety
    /// `weights` must have the tile's, and what [`Line::of`] checks must hold.
    #[inline(always)]
    unsafe fn slide<D: Dot, const N: usize, const G: usize, const K: usize, const S: usize>(
        &self,
        has: Has<D>,
        weights: *const i8,
        output: &mut [MaybeUninit<u8>],
    ) {
        let mut rows = [[(self.block.padding.as_ptr(), 0); 4]; G];
        for (i, rows) in rows.iter_mut().enumerate() {
            *rows = self.rows(4 * i);
        }
        // SAFETY: guaranteed by the caller.
        unsafe {
            let mut columns = [[self.column::<D, N>(has, &rows[0], 0); G]; K];
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
                let mut sums = self.start::<D, N>(has);
                for i in 0..G {
                    for k in 0..K {
                        for n in 0..N {
                            let weights = D::weights(has, weights.add(((i * K + k) * N + n) * 4 * D::LANES));
                            sums[n] = sums[n].add_dot(columns[k][i][n], weights);
                        }
                    }
                }
                self.finish(sums, x, output);
            }
        }
    }

    /// Any windows.
    ///
    /// # Safety
    /// As [`Line::slide`].
    #[inline(always)]
    unsafe fn any<D: Dot, const N: usize>(&self, has: Has<D>, weights: *const i8, output: &mut [MaybeUninit<u8>]) {
        let [kh, kw] = self.g.kernel;
        // SAFETY: guaranteed by the caller.
        unsafe {
            for x in 0..self.g.output_width() {
                let mut sums = self.start::<D, N>(has);
                for i in 0..kh.div_ceil(4) {
                    let rows = self.rows(4 * i);
                    for k in 0..kw {
                        let values: [D::Values; N] = self.column(has, &rows, x * self.g.stride[1] + k);
                        for n in 0..N {
                            let weights = D::weights(has, weights.add(((i * kw + k) * N + n) * 4 * D::LANES));
                            sums[n] = sums[n].add_dot(values[n], weights);
                        }
                    }
                }
                self.finish(sums, x, output);
            }
        }
    }

    /// What the tile's sums begin with.
    #[inline(always)]
    fn start<D: Dot, const N: usize>(&self, has: Has<D>) -> [D; N] {
        let start = &self.packed.start[self.tile.lanes..][..N * D::LANES];
        // SAFETY: there are so many.
        unsafe {
            let mut sums = [D::load_at(has, start.as_ptr()); N];
            for n in 1..N {
                sums[n] = D::load_at(has, start.as_ptr().add(n * D::LANES));
            }
            sums
        }
    }

    /// # Safety
    /// What [`Line::of`] checks must hold.
    #[inline(always)]
    unsafe fn finish<D: Dot, const N: usize>(&self, sums: [D; N], x: usize, output: &mut [MaybeUninit<u8>]) {
        let start = x * stride(self.g.out_channels) + self.tile.first;
        let multipliers = &self.packed.multipliers[self.tile.lanes..][..N * D::LANES];
        // SAFETY: within it, and 64 bytes before its end.
        let residual = self.residual.map(|residual| unsafe { residual.as_ptr().add(start) });
        // SAFETY: pixel `x` is one of the output's, and `valid` channels from the tile's first on are its own.
        unsafe {
            let to = output.as_mut_ptr().cast::<u8>().add(start);
            tile::finish(sums, multipliers, self.packed, residual, to, self.tile.valid);
        }
    }
}
