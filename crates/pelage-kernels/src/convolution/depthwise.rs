//! Depthwise convolution: a tile of channels at a time, whose input rows wait, padded and packed, in the L1 cache.

use super::finish::Finish;
use super::pack::Tile;
#[cfg(target_arch = "aarch64")]
use super::vector::Neon;
#[cfg(target_arch = "x86_64")]
use super::vector::{Avx2, Avx512};
use super::vector::{Portable, Vector};
use super::{Activation, Geometry, Packed, scratch};
use crate::isa::{Isa, for_each_isa_with};
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
        let block = Block {
            input: &input[n * g.picture_len()..][..g.picture_len()],
            first,
            residual,
            activation,
        };
        let padded = (width - 1) * g.stride[1] + g.kernel[1];
        let widest = packed.tiles[0].width;
        scratch::with(g.kernel[0] * padded * widest, |ring| {
            rows_of(isa, g, packed, &block, ring, output)
        });
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

// The vector, output pixels at once.
for_each_isa_with!(rows_of, rows_body,
    avx512: [Avx512, 12], avx2: [Avx2, 6], neon: [Neon, 8], portable: [Portable, 4],
    (g: &Geometry, packed: &Packed, block: &Block, ring: &mut [f32], output: &mut [f32]));

/// The output rows of `block`. `ring` holds the last `kh` padded input rows, `[padded width][tile]` each.
#[inline(always)]
fn rows_body<V: Vector, const P: usize>(
    g: &Geometry,
    packed: &Packed,
    block: &Block,
    ring: &mut [f32],
    output: &mut [f32],
) {
    let (width, co, kh) = (g.output_width(), g.out_channels, g.kernel[0]);
    let (row, window) = (ring.len() / kh, kh * g.kernel[1] * 2 * V::LANES);
    for (tile, &Tile { first, width: channels }) in packed.tiles.iter().enumerate() {
        assert!(channels == 2 * V::LANES);
        let weights = &packed.weights[tile * window..][..window];
        let bias = &packed.bias[first..first + channels];
        let mut have = block.first * g.stride[0];
        for (y, output) in output.chunks_exact_mut(width * co).enumerate() {
            let top = (block.first + y) * g.stride[0];
            for r in have.max(top)..top + kh {
                copy_row::<V>(g, block.input, r, first, &mut ring[r % kh * row..][..row]);
            }
            have = top + kh;
            let line = Line {
                g,
                ring,
                row,
                top,
                weights,
                bias,
            };
            let residual = block.residual.map(|residual| &residual[y * width * co..][..width * co]);
            let valid = channels.min(co - first);
            let finish = Finish {
                activation: block.activation,
                residual,
                first,
                valid,
                stride: co,
            };
            match g.stride[1] {
                1 => line.over::<V, P, 1>(1, &finish, output),
                2 => line.over::<V, P, 2>(2, &finish, output),
                stride => line.over::<V, P, 0>(stride, &finish, output),
            }
        }
    }
}

/// Row `row` of the padded input, the tile of channels from `first` on; what is not there is zero.
#[inline(always)]
pub(super) fn copy_row<V: Vector>(g: &Geometry, input: &[f32], row: usize, first: usize, copy: &mut [f32]) {
    let (tile, ci) = (2 * V::LANES, g.in_channels);
    let Some(y) = row.checked_sub(g.padding[0]).filter(|&y| y < g.height) else {
        return copy.fill(0.0);
    };
    let left = (g.padding[1] * tile).min(copy.len());
    let (border, copy) = copy.split_at_mut(left);
    border.fill(0.0);
    let (copy, border) = copy.split_at_mut((g.width * tile).min(copy.len()));
    border.fill(0.0);
    let input = &input[y * g.width * ci..][..g.width * ci];
    if first + tile <= ci {
        let pixels = copy.len() / tile;
        for x in 0..pixels {
            // SAFETY: compiled for the instruction set of `V`; `copy` has `pixels` tiles, and the input at least as many
            // pixels, whose tile from `first` on ends within their channels.
            unsafe {
                let (from, to) = (input.as_ptr().add(x * ci + first), copy.as_mut_ptr().add(x * tile));
                V::load(from).store(to);
                V::load(from.add(V::LANES)).store(to.add(V::LANES));
            }
        }
    } else {
        for (to, from) in copy.chunks_exact_mut(tile).zip(input.chunks_exact(ci)) {
            to.fill(0.0);
            to[..ci - first].copy_from_slice(&from[first..]);
        }
    }
}

/// One output row of one tile of channels.
struct Line<'a> {
    g: &'a Geometry,
    ring: &'a [f32],
    /// Numbers in a row of the ring.
    row: usize,
    /// The padded input row that the first row of the window lies on.
    top: usize,
    weights: &'a [f32],
    bias: &'a [f32],
}

impl Line<'_> {
    /// The whole row, in tiles of up to `P` pixels; stride `S`, or `stride` where `S` is 0.
    #[inline(always)]
    fn over<V: Vector, const P: usize, const S: usize>(&self, stride: usize, finish: &Finish, output: &mut [f32]) {
        let width = self.g.output_width();
        let tiles = width.div_ceil(P);
        let mut x = 0;
        for tile in 0..tiles {
            let next = (tile + 1) * width / tiles;
            macro_rules! one_of {
                ($($n:literal)*) => {
                    match next - x {
                        $($n if $n <= P => self.pixels::<V, $n, S>(stride, x, finish, output),)*
                        _ => unreachable!("a tile of more pixels than there is code for"),
                    }
                };
            }
            one_of!(1 2 3 4 5 6 7 8 9 10 11 12);
            x = next;
        }
    }

    #[inline(always)]
    fn pixels<V: Vector, const P: usize, const S: usize>(
        &self,
        stride: usize,
        x: usize,
        finish: &Finish,
        output: &mut [f32],
    ) {
        let (stride, kw, tile) = (if S == 0 { stride } else { S }, self.g.kernel[1], 2 * V::LANES);
        assert!(self.bias.len() == tile && self.weights.len() == self.g.kernel[0] * kw * tile);
        // SAFETY: compiled for the instruction set of `V`, and the bias has two vectors.
        let bias = unsafe { [V::load(self.bias.as_ptr()), V::load(self.bias.as_ptr().add(V::LANES))] };
        let mut sums = [bias; P];
        let mut weights = self.weights.as_ptr();
        for ky in 0..self.g.kernel[0] {
            let line = &self.ring[(self.top + ky) % self.g.kernel[0] * self.row..][..self.row];
            let line = line[x * stride * tile..][..((P - 1) * stride + kw) * tile].as_ptr();
            for kx in 0..kw {
                // SAFETY: compiled for the instruction set of `V`; `weights` has two vectors for each ky and kx, and the
                // line, cut to its length above, for each column up to (P - 1) * stride + kw.
                unsafe {
                    let w = [V::load(weights), V::load(weights.add(V::LANES))];
                    weights = weights.add(tile);
                    for p in 0..P {
                        for n in 0..2 {
                            let value = V::load(line.add((p * stride + kx) * tile + n * V::LANES));
                            sums[p][n] = sums[p][n].multiply_add(value, w[n]);
                        }
                    }
                }
            }
        }
        // SAFETY: compiled for the instruction set of `V`.
        unsafe { finish.pixels(sums, x, output) };
    }
}
