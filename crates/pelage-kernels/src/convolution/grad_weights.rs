//! Gradients of weights and bias; dense and grouped weights as a matrix product over pixels, in register tiles.
//!
//! The window, `kh * kw * ci` values, is cut into pieces of two vectors; one thread sums a piece over all pixels, so
//! the order of summation does not depend on the number of threads.

use super::Geometry;
use super::dense::copy_row;
use super::multiply::multiply;
use crate::isa::{Isa, for_each_isa};
use crate::scratch;
use crate::vector::{Simd, Vector};
use rayon::prelude::*;

/// Values of input and gradient that are prepared together, if several images fit.
const PREPARED: usize = 1 << 19;

/// Pixels whose piece of the window stays in the L1 cache while looping over all output channels.
const DEPTH: usize = 256;

/// Overwrites `grad_weights` `[co, ci / groups, kh, kw]`.
pub(super) fn dense(isa: Isa, g: &Geometry, input: &[f32], grad_output: &[f32], grad_weights: &mut [f32]) {
    let (ci, co) = (g.group_inputs(), g.group_outputs());
    let (pixels, width) = (g.output_height() * g.output_width(), 2 * isa.lanes());
    let padded = (g.output_width() - 1) * g.stride[1] + g.kernel[1];
    let row = padded * ci;
    let tall = (g.output_height() - 1) * g.stride[0] + g.kernel[0];
    let window = g.kernel[0] * g.kernel[1] * ci;
    let together = (PREPARED / (tall * row + pixels * co)).clamp(1, g.batch);
    let tiles = window.div_ceil(width);
    let lens = [together * tall * row, together * pixels * co, tiles * co * width];
    scratch::with(lens.iter().sum(), |buffer| {
        let (source, buffer) = buffer.split_at_mut(lens[0]);
        let (turned, sums) = buffer.split_at_mut(lens[1]);
        for group in 0..g.groups {
            sums.fill(0.0);
            for first in (0..g.batch).step_by(together) {
                let count = together.min(g.batch - first);
                source[..count * tall * row]
                    .par_chunks_mut(row)
                    .enumerate()
                    .for_each(|(i, copy)| {
                        let image = &input[(first + i / tall) * g.image_len()..][..g.image_len()];
                        copy_row(g, image, i % tall, group * ci, ci, copy);
                    });
                let turned = &mut turned[..count * pixels * co];
                turned
                    .par_chunks_mut(count * pixels)
                    .enumerate()
                    .for_each(|(o, turned)| {
                        let from = first * pixels * g.out_channels + group * co + o;
                        let values = grad_output[from..].iter().step_by(g.out_channels);
                        turned.iter_mut().zip(values).for_each(|(to, from)| *to = *from);
                    });
                sums.par_chunks_mut(co * width).enumerate().for_each(|(tile, sums)| {
                    let piece = Piece {
                        g,
                        source,
                        row,
                        tall,
                        turned,
                        from: tile * width,
                        window,
                    };
                    scratch::with(DEPTH * width, |packed| add(isa, &piece, packed, sums));
                });
            }
            let grad_weights = &mut grad_weights[group * co * window..][..co * window];
            grad_weights
                .par_chunks_mut(window)
                .enumerate()
                .for_each(|(o, grad_weights)| {
                    let area = g.kernel[0] * g.kernel[1];
                    for (at, to) in grad_weights.iter_mut().enumerate() {
                        let from = at % area * ci + at / area;
                        *to = sums[(from / width * co + o) * width + from % width];
                    }
                });
        }
    });
}

/// A piece of the window, and what it is summed over.
pub(super) struct Piece<'a> {
    g: &'a Geometry,
    /// Padded images, one group's channels only.
    source: &'a [f32],
    /// Values in a row of `source`.
    row: usize,
    /// Rows of an image in `source`.
    tall: usize,
    /// The output gradient, `[co][pixels of all images]`.
    turned: &'a [f32],
    /// The first window value of this piece.
    from: usize,
    /// Values in the window.
    window: usize,
}

// The vector type; output channels at once.
for_each_isa!(vectors add, add_body,
    [avx512: 12; avx2: 6; neon: 8; simd128: 4; portable: 4],
    (piece: &Piece, packed: &mut [f32], sums: &mut [f32]));

/// Adds to `sums` `[co][two vectors]`.
#[inline(always)]
fn add_body<V: Vector, const P: usize>(simd: Simd<V>, piece: &Piece, packed: &mut [f32], sums: &mut [f32]) {
    let width = 2 * V::LANES;
    let co = sums.len() / width;
    let pixels = piece.turned.len() / co;
    for start in (0..pixels).step_by(DEPTH) {
        let depth = DEPTH.min(pixels - start);
        let packed = &mut packed[..depth * width];
        piece.pack(width, start, packed);
        let tiles = co.div_ceil(P);
        let mut channel = 0;
        for tile in 0..tiles {
            let next = (tile + 1) * co / tiles;
            let sums = &mut sums[channel * width..next * width];
            let turned = &piece.turned[channel * pixels + start..];
            macro_rules! one_of {
                ($($n:literal)*) => {
                    match next - channel {
                        $($n if $n <= P => channels::<V, $n>(simd, turned, pixels, packed, sums),)*
                        _ => unreachable!("no code for a tile of this many channels"),
                    }
                };
            }
            one_of!(1 2 3 4 5 6 7 8 9 10 11 12);
            channel = next;
        }
    }
}

/// Adds to the sums of `P` output channels, whose gradients are `stride` values apart in `turned`.
#[inline(always)]
fn channels<V: Vector, const P: usize>(simd: Simd<V>, turned: &[f32], stride: usize, packed: &[f32], sums: &mut [f32]) {
    let (width, depth) = (2 * V::LANES, packed.len() / (2 * V::LANES));
    assert!(sums.len() == P * width);
    let mut values = [std::ptr::null(); P];
    for p in 0..P {
        values[p] = turned[p * stride..][..depth].as_ptr();
    }
    let sums = sums.as_mut_ptr();
    // SAFETY: `sums` holds two vectors for each of P channels, `packed` two for each of `depth` pixels, and each of
    // `values` points to `depth` values.
    unsafe {
        let mut local = [[V::splat(simd, 0.0); 2]; P];
        for p in 0..P {
            for n in 0..2 {
                local[p][n] = V::load_at(simd, sums.add(p * width + n * V::LANES));
            }
        }
        local = multiply(simd, values, depth, packed.as_ptr(), local);
        for p in 0..P {
            for n in 0..2 {
                local[p][n].store_at(sums.add(p * width + n * V::LANES));
            }
        }
    }
}

impl Piece<'_> {
    /// Packs the piece for pixels starting at `start`, `[pixel][width]`; zeros beyond the window.
    #[inline(always)]
    fn pack(&self, width: usize, start: usize, packed: &mut [f32]) {
        let (g, channels) = (self.g, self.g.group_inputs());
        let run = g.kernel[1] * channels;
        let (ow, oh) = (g.output_width(), g.output_height());
        let (mut n, mut y, mut x) = (start / (oh * ow), start / ow % oh, start % ow);
        let valid = width.min(self.window - self.from);
        let (ky, within) = (self.from / run, self.from % run);
        for to in packed.chunks_exact_mut(width) {
            let corner = (n * self.tall + y * g.stride[0]) * self.row + x * g.stride[1] * channels;
            if within + width <= run {
                to.copy_from_slice(&self.source[corner + ky * self.row + within..][..width]);
            } else {
                let (mut ky, mut within, mut done) = (ky, within, 0);
                while done < valid {
                    let len = (run - within).min(valid - done);
                    to[done..done + len].copy_from_slice(&self.source[corner + ky * self.row + within..][..len]);
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
