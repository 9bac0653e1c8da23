//! Gradients of weights and bias; dense and grouped weights as a matrix product over pixels, in register tiles.
//!
//! The window, `kh * kw * ci` values, is cut into pieces of two vectors, and where these are few, the pixels into
//! slices. One thread sums a piece over all pixels of a slice, so the order of summation does not depend on the number
//! of threads.

use std::ops::Range;

use super::Geometry;
use super::dense::copy_row;
use crate::isa::{Isa, for_each_isa};
use crate::scratch;
use crate::vector::{Simd, Vector};
use rayon::prelude::*;

/// Values of padded images that are prepared together, if several fit.
const PREPARED: usize = 1 << 19;

/// Pixels whose piece of the window stays in the L1 cache while looping over all output channels.
const DEPTH: usize = 128;

/// Fewest pieces of all slices, for as many threads.
const PIECES: usize = 8;

/// Overwrites `grad_weights` `[co, ci / groups, kh, kw]`.
pub(super) fn dense(isa: Isa, g: &Geometry, input: &[f32], grad_output: &[f32], grad_weights: &mut [f32]) {
    let (ci, co, width) = (g.group_inputs(), g.group_outputs(), 2 * isa.lanes());
    let area = g.kernel[0] * g.kernel[1];
    let window = area * ci;
    let tiles = window.div_ceil(width);
    let slices = PIECES.div_ceil(tiles);
    scratch::with(slices * tiles * co * width, |sums| {
        for group in 0..g.groups {
            sums.fill(0.0);
            let mut add = |first: usize, count: usize, source: &Source| {
                let pixels = count * g.output_height() * g.output_width();
                let from = |slice: usize| slice * pixels / slices;
                let gradients = &grad_output[first * g.output_image_len()..];
                sums.par_chunks_exact_mut(co * width).enumerate().for_each(|(i, sums)| {
                    let (slice, tile) = (i / tiles, i % tiles);
                    let piece = Piece {
                        g,
                        source,
                        gradients: &gradients[group * co..],
                        pixels: from(slice)..from(slice + 1),
                        from: tile * width,
                        window,
                    };
                    scratch::with(DEPTH * width, |packed| add_piece(isa, &piece, packed, sums));
                });
            };
            if g.groups == 1 && g.padding == [0; 4] {
                let (row, tall) = (g.width * g.in_channels, g.height);
                let source = Source {
                    values: input,
                    row,
                    tall,
                };
                add(0, g.batch, &source);
            } else {
                padded(g, group, input, add);
            }
            let grad_weights = &mut grad_weights[group * co * window..][..co * window];
            grad_weights
                .par_chunks_mut(window)
                .enumerate()
                .for_each(|(o, grad_weights)| {
                    grad_weights.fill(0.0);
                    for sums in sums.chunks_exact(tiles * co * width) {
                        let pieces = sums.chunks_exact(width).skip(o).step_by(co);
                        // By pixel of the kernel, then by channel; to be the other way round.
                        let (mut pixel, mut channel) = (0, 0);
                        for sum in pieces.flatten().take(window) {
                            grad_weights[channel * area + pixel] += sum;
                            channel += 1;
                            if channel == ci {
                                (pixel, channel) = (pixel + 1, 0);
                            }
                        }
                    }
                });
        }
    });
}

/// Calls `work` with the number of the first image, how many there are, and a padded copy of one group's channels,
/// until it has seen all images.
fn padded(g: &Geometry, group: usize, input: &[f32], mut work: impl FnMut(usize, usize, &Source)) {
    let ci = g.group_inputs();
    let row = ((g.output_width() - 1) * g.stride[1] + g.kernel[1]) * ci;
    let tall = (g.output_height() - 1) * g.stride[0] + g.kernel[0];
    let together = (PREPARED / (tall * row)).clamp(1, g.batch);
    scratch::with(together * tall * row, |values| {
        for first in (0..g.batch).step_by(together) {
            let count = together.min(g.batch - first);
            values[..count * tall * row]
                .par_chunks_mut(row)
                .enumerate()
                .for_each(|(i, copy)| {
                    let image = &input[(first + i / tall) * g.image_len()..][..g.image_len()];
                    copy_row(g, image, i % tall, group * ci, ci, copy);
                });
            work(first, count, &Source { values, row, tall });
        }
    });
}

/// Images without padding, or with it.
pub(super) struct Source<'a> {
    values: &'a [f32],
    /// Values in a row.
    row: usize,
    /// Rows of an image.
    tall: usize,
}

/// A piece of the window, and what it is summed over.
pub(super) struct Piece<'a> {
    g: &'a Geometry,
    /// Images of one group's channels.
    source: &'a Source<'a>,
    /// The output gradients, from the group's first channel on.
    gradients: &'a [f32],
    /// Pixels of the output, counted over the images.
    pixels: Range<usize>,
    /// The first window value of this piece.
    from: usize,
    /// Values in the window.
    window: usize,
}

// The vector type; output channels at once.
for_each_isa!(vectors add_piece, add_body,
    [avx512: 12; avx2: 6; neon: 8; simd128: 4; portable: 4],
    (piece: &Piece, packed: &mut [f32], sums: &mut [f32]));

/// Adds to `sums` `[co][two vectors]`.
#[inline(always)]
fn add_body<V: Vector, const P: usize>(simd: Simd<V>, piece: &Piece, packed: &mut [f32], sums: &mut [f32]) {
    let (width, stride) = (2 * V::LANES, piece.g.out_channels);
    for start in piece.pixels.clone().step_by(DEPTH) {
        let depth = DEPTH.min(piece.pixels.end - start);
        let packed = &mut packed[..depth * width];
        piece.pack(width, start, packed);
        let gradients = &piece.gradients[start * stride..];
        add::<V, P>(simd, depth, stride, packed, gradients, sums);
    }
}

/// Adds to `sums` `[channels][two vectors]` the products of the gradients of `depth` pixels or tiles, `stride` apart,
/// with two vectors for each.
#[inline(always)]
pub(super) fn add<V: Vector, const P: usize>(
    simd: Simd<V>,
    depth: usize,
    stride: usize,
    vectors: &[f32],
    gradients: &[f32],
    sums: &mut [f32],
) {
    let width = 2 * V::LANES;
    let channels = sums.len() / width;
    assert!(depth > 0 && vectors.len() >= depth * width && gradients.len() >= (depth - 1) * stride + channels);
    let (tiles, mut channel) = (channels.div_ceil(P), 0);
    for tile in 0..tiles {
        let next = (tile + 1) * channels / tiles;
        let sums = &mut sums[channel * width..next * width];
        macro_rules! one_of {
            ($($n:literal)*) => {
                match next - channel {
                    // SAFETY: `sums` has n rows of two vectors, and by the assertion there are two vectors, and the
                    // gradients of n channels, for each of `depth`.
                    $($n if $n <= P => unsafe {
                        let gradients = gradients.as_ptr().add(channel);
                        add_channels::<V, $n>(simd, depth, stride, vectors.as_ptr(), gradients, sums.as_mut_ptr())
                    },)*
                    _ => unreachable!("no code for a tile of this many channels"),
                }
            };
        }
        one_of!(1 2 3 4 5 6 7 8 9 10 11 12);
        channel = next;
    }
}

/// [`add`] for `P` output channels.
///
/// # Safety
/// See the call site.
#[inline(always)]
unsafe fn add_channels<V: Vector, const P: usize>(
    simd: Simd<V>,
    depth: usize,
    stride: usize,
    vectors: *const f32,
    gradients: *const f32,
    to: *mut f32,
) {
    // SAFETY: guaranteed by the caller.
    unsafe {
        let mut sums = [[V::splat(simd, 0.0); 2]; P];
        for p in 0..P {
            for n in 0..2 {
                sums[p][n] = V::load_at(simd, to.add((2 * p + n) * V::LANES));
            }
        }
        for k in 0..depth {
            let mut row = [V::splat(simd, 0.0); 2];
            for n in 0..2 {
                row[n] = V::load_at(simd, vectors.add((2 * k + n) * V::LANES));
            }
            for p in 0..P {
                let gradient = V::splat(simd, *gradients.add(k * stride + p));
                for n in 0..2 {
                    sums[p][n] = sums[p][n].multiply_add(gradient, row[n]);
                }
            }
        }
        for p in 0..P {
            for n in 0..2 {
                sums[p][n].store_at(to.add((2 * p + n) * V::LANES));
            }
        }
    }
}

impl Piece<'_> {
    /// Packs the piece for pixels starting at `start`, `[pixel][width]`; zeros beyond the window.
    #[inline(always)]
    fn pack(&self, width: usize, start: usize, packed: &mut [f32]) {
        let (g, channels, source) = (self.g, self.g.group_inputs(), self.source);
        let run = g.kernel[1] * channels;
        let (ow, oh) = (g.output_width(), g.output_height());
        let (mut n, mut y, mut x) = (start / (oh * ow), start / ow % oh, start % ow);
        let valid = width.min(self.window - self.from);
        let (ky, within) = (self.from / run, self.from % run);
        for to in packed.chunks_exact_mut(width) {
            let corner = (n * source.tall + y * g.stride[0]) * source.row + x * g.stride[1] * channels;
            if within + width <= run {
                to.copy_from_slice(&source.values[corner + ky * source.row + within..][..width]);
            } else {
                let (mut ky, mut within, mut done) = (ky, within, 0);
                while done < valid {
                    let len = (run - within).min(valid - done);
                    to[done..done + len].copy_from_slice(&source.values[corner + ky * source.row + within..][..len]);
                    (ky, within, done) = (ky + 1, 0, done + len);
                }
                to[valid..].fill(0.0);
            }
            x += 1;
            if x == ow {
                (x, y) = (0, y + 1);
            }
            if y == oh {
                (y, n) = (0, n + 1);
            }
        }
    }
}

/// Pixels whose gradients are summed by one thread. Constant, so that the order of summation does not depend on the
/// number of threads.
const PIXELS: usize = 1024;

/// Overwrites `grad_bias` with the sums of `grad_output` over all pixels.
pub(super) fn bias(grad_output: &[f32], grad_bias: &mut [f32]) {
    let co = grad_bias.len();
    let parts: Vec<Vec<f32>> = grad_output
        .par_chunks(PIXELS * co)
        .map(|grad_output| {
            let mut sums = vec![0.0; co];
            for grad in grad_output.chunks_exact(co) {
                sums.iter_mut().zip(grad).for_each(|(sum, grad)| *sum += grad);
            }
            sums
        })
        .collect();
    grad_bias.fill(0.0);
    for part in parts {
        grad_bias.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
    }
}
