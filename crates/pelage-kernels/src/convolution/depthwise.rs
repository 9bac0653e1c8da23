//! Depthwise convolution: a tile of channels at a time, whose input rows wait, padded and packed, in the L1 cache.

use super::finish::Finish;
use super::pack::Tile;
use super::{Activation, Geometry, Packed, scratch};
use crate::isa::{Isa, for_each_isa_with, multiply_add};
use rayon::prelude::*;

/// Pieces of work for each thread, where there are fewer pictures than that.
const PIECES: usize = 4;

/// Numbers of input that a piece of work should not exceed by much.
const BLOCK_INPUT: usize = 1 << 16;

pub(super) fn forward(
    isa: Isa,
    g: &Geometry,
    input: &[f32],
    packed: &Packed,
    residual: Option<&[f32]>,
    activation: Activation,
    output: &mut [f32],
) {
    let (height, width, co) = (g.output_height(), g.output_width(), g.out_channels);
    let share = height.div_ceil((PIECES * rayon::current_num_threads()).div_ceil(g.batch));
    let fit = (BLOCK_INPUT / (g.width * co * g.stride[0])).max(4 * g.kernel[0]);
    let rows = share.min(fit);
    let picture = g.output_picture_len();
    let blocks = output.par_chunks_mut(picture).enumerate().flat_map(|(n, output)| {
        let blocks = output.par_chunks_mut(rows * width * co).enumerate();
        blocks.map(move |(block, output)| (n, block * rows, output))
    });
    blocks.for_each(|(n, first, output)| {
        let residual = residual.map(|residual| &residual[n * picture + first * width * co..][..output.len()]);
        let block = Block { input: &input[n * g.picture_len()..][..g.picture_len()], first, residual, activation };
        let padded = (width - 1) * g.stride[1] + g.kernel[1];
        let widest = packed.tiles[0].width;
        scratch::with(g.kernel[0] * padded * widest, |ring| rows_of(isa, g, packed, &block, ring, output));
    });
}

pub(super) struct Block<'a> {
    /// One picture.
    input: &'a [f32],
    /// The first output row.
    first: usize,
    residual: Option<&'a [f32]>,
    activation: Activation,
}

// Channels of a tile, output pixels at once, fused multiply-add.
for_each_isa_with!(rows_of, rows_body,
    avx512: [32, 12, true], avx2: [16, 6, true], neon: [16, 6, true], portable: [8, 4, false],
    (g: &Geometry, packed: &Packed, block: &Block, ring: &mut [f32], output: &mut [f32]));

/// The output rows of `block`. `ring` holds the last `kh` padded input rows, `[padded width][C]` each.
#[inline(always)]
fn rows_body<const C: usize, const P: usize, const FUSED: bool>(
    g: &Geometry,
    packed: &Packed,
    block: &Block,
    ring: &mut [f32],
    output: &mut [f32],
) {
    let (width, co, kh) = (g.output_width(), g.out_channels, g.kernel[0]);
    let row = ring.len() / kh;
    let window = kh * g.kernel[1] * C;
    for (tile, &Tile { first, .. }) in packed.tiles.iter().enumerate() {
        let valid = C.min(co - first);
        let weights = &packed.weights[tile * window..][..window];
        let bias: &[f32; C] = packed.bias[first..].first_chunk().expect("a bias for each channel of the tile");
        let mut have = block.first * g.stride[0];
        for (y, output) in output.chunks_exact_mut(width * co).enumerate() {
            let top = (block.first + y) * g.stride[0];
            for r in have.max(top)..top + kh {
                copy_row::<C>(g, block.input, r, first, valid, &mut ring[r % kh * row..][..row]);
            }
            have = top + kh;
            let line = Line { g, ring, row, top, weights, bias };
            let residual = block.residual.map(|residual| &residual[y * width * co..][..width * co]);
            let finish = Finish { activation: block.activation, residual, first, valid };
            match g.stride[1] {
                1 => line.over::<C, P, 1, FUSED>(1, &finish, output),
                2 => line.over::<C, P, 2, FUSED>(2, &finish, output),
                stride => line.over::<C, P, 0, FUSED>(stride, &finish, output),
            }
        }
    }
}

/// Row `row` of the padded input, `valid` channels from `first` on, each pixel filled up to `C`.
#[inline(always)]
fn copy_row<const C: usize>(g: &Geometry, input: &[f32], row: usize, first: usize, valid: usize, copy: &mut [f32]) {
    let (pixels, _) = copy.as_chunks_mut::<C>();
    let Some(y) = row.checked_sub(g.padding[0]).filter(|&y| y < g.height) else {
        return pixels.fill([0.0; C]);
    };
    let left = g.padding[1].min(pixels.len());
    let (border, pixels) = pixels.split_at_mut(left);
    border.fill([0.0; C]);
    let (pixels, border) = pixels.split_at_mut(g.width.min(pixels.len()));
    border.fill([0.0; C]);
    let input = input[y * g.width * g.in_channels..][..g.width * g.in_channels].chunks_exact(g.in_channels);
    if valid == C {
        for (to, from) in pixels.iter_mut().zip(input) {
            *to = *from[first..].first_chunk().expect("a whole tile of channels");
        }
    } else {
        for (to, from) in pixels.iter_mut().zip(input) {
            *to = [0.0; C];
            to[..valid].copy_from_slice(&from[first..first + valid]);
        }
    }
}

/// One output row of one tile of channels.
struct Line<'a, const C: usize> {
    g: &'a Geometry,
    ring: &'a [f32],
    /// Numbers in a row of the ring.
    row: usize,
    /// The padded input row that the first row of the window lies on.
    top: usize,
    weights: &'a [f32],
    bias: &'a [f32; C],
}

impl<const C: usize> Line<'_, C> {
    /// The whole row, in tiles of up to `P` pixels; stride `S`, or `stride` where `S` is 0.
    #[inline(always)]
    fn over<const D: usize, const P: usize, const S: usize, const FUSED: bool>(
        &self,
        stride: usize,
        finish: &Finish,
        output: &mut [f32],
    ) {
        let width = self.g.output_width();
        let tiles = width.div_ceil(P);
        let mut x = 0;
        for tile in 0..tiles {
            let next = (tile + 1) * width / tiles;
            macro_rules! one_of {
                ($($n:literal)*) => {
                    match next - x {
                        $($n if $n <= P => self.pixels::<$n, S, FUSED>(stride, x, finish, output),)*
                        _ => unreachable!("a tile of more pixels than there is code for"),
                    }
                };
            }
            one_of!(1 2 3 4 5 6 7 8 9 10 11 12);
            x = next;
        }
    }

    #[inline(always)]
    fn pixels<const P: usize, const S: usize, const FUSED: bool>(
        &self,
        stride: usize,
        x: usize,
        finish: &Finish,
        output: &mut [f32],
    ) {
        let stride = if S == 0 { stride } else { S };
        let mut sums = [*self.bias; P];
        for (ky, weights) in self.weights.chunks_exact(self.g.kernel[1] * C).enumerate() {
            let line = &self.ring[(self.top + ky) % self.g.kernel[0] * self.row..][..self.row];
            multiply::<C, P, FUSED>(&line[x * stride * C..], stride, weights, &mut sums);
        }
        for (p, sums) in sums.iter_mut().enumerate() {
            finish.channels::<C, FUSED>((x + p) * self.g.out_channels, sums, output);
        }
    }
}

/// Adds one row of the window to the sums of `P` pixels.
#[inline(always)]
fn multiply<const C: usize, const P: usize, const FUSED: bool>(line: &[f32], stride: usize, weights: &[f32], sums: &mut [[f32; C]; P]) {
    let mut local = *sums;
    // The last number read below; one check here stands for all of them.
    assert!((P - 1) * stride * C + weights.len() <= line.len());
    for (kx, weights) in weights.chunks_exact(C).enumerate() {
        for (p, sums) in local.iter_mut().enumerate() {
            // SAFETY: p < P and kx * C < weights.len(), so the end is within the bound asserted above.
            let values = unsafe { line.get_unchecked((p * stride + kx) * C..(p * stride + kx + 1) * C) };
            for ((sum, value), weight) in sums.iter_mut().zip(values).zip(weights) {
                *sum = multiply_add::<FUSED>(*value, *weight, *sum);
            }
        }
    }
    *sums = local;
}
