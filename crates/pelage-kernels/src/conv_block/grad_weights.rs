//! Weight and bias gradients: for each output channel, a sum of input windows over its winners.
//!
//! The picture is walked in squares small enough for the innermost cache. Of each, the input is copied next to a
//! zero border, so that a window is a few runs of consecutive numbers; each channel's winners become a list, and a
//! run of sums stays in registers while the list is walked.

use std::cell::Cell;

use super::{CUT, Shape, copy_window};
use crate::isa::{for_each_isa, multiply_add};
use crate::scratch::Buffer;

/// Pooled rows and columns of a square.
const ROWS: usize = 4;
const COLUMNS: usize = 8;

thread_local!(static SQUARE: Cell<[Buffer; 2]> = Cell::default());

/// Where the numbers of a window lie in the copy of a square, and its sums.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    /// From a convolution output's window to that of its right neighbor, and to that of the one below.
    pixel: usize,
    row: usize,
    /// A window is `runs` times `run` consecutive numbers, `row` apart.
    runs: usize,
    run: usize,
    /// Numbers of a run with those that fill up its last piece.
    padded: usize,
}

impl Layout {
    /// With few channels the nine pixels of every window are copied one after the other, so that a window is one run;
    /// with many, windows share their pixels, and a run is the three of one row.
    fn new(shape: Shape) -> Self {
        let windows = 9 * shape.in_channels <= 96;
        let (runs, run, pixel) = match windows {
            true => (1, 9 * shape.in_channels, (9 * shape.in_channels).next_multiple_of(16)),
            false => {
                let pixel = shape.in_channels.next_multiple_of(8);
                (3, 3 * pixel, pixel)
            }
        };
        let mut padded = 0;
        while padded < run {
            padded += piece_len(run - padded);
        }
        let row = pixel * (2 * COLUMNS + if windows { 0 } else { 2 });
        Layout {
            pixel,
            row,
            runs,
            run,
            padded,
        }
    }

    /// Numbers of a square's copy, with slack for the last piece.
    fn square_len(&self) -> usize {
        (2 * ROWS + 2) * self.row + self.padded
    }
}

/// Running sums: weights as `[co][runs][padded]`, then bias as `[co]`.
pub(super) fn sums_len(shape: Shape) -> usize {
    let layout = Layout::new(shape);
    shape.out_channels * (layout.runs * layout.padded + 1)
}

/// Adds sums to gradients in the layout `[co, ci, 3, 3]` and `[co]`.
pub(super) fn add_to(shape: Shape, sums: &[f32], grad_weights: &mut [f32], grad_bias: &mut [f32]) {
    let (layout, ci) = (Layout::new(shape), shape.in_channels);
    let (weights, bias) = sums.split_at(shape.out_channels * layout.runs * layout.padded);
    let channels = weights.chunks_exact(layout.runs * layout.padded);
    for (sums, grads) in channels.zip(grad_weights.chunks_exact_mut(9 * ci)) {
        for k in 0..9 {
            let from = match layout.runs {
                1 => k * ci,
                _ => k / 3 * layout.padded + k % 3 * layout.pixel,
            };
            for (c, sum) in sums[from..from + ci].iter().enumerate() {
                grads[c * 9 + k] += sum;
            }
        }
    }
    grad_bias.iter_mut().zip(bias).for_each(|(sum, part)| *sum += part);
}

// Independent sums of a wide and of a narrow piece, enough to hide the latency of multiply-add.
for_each_isa!(image, image_body, [avx512: 2, 4; avx2: 1, 2; neon: 1, 1; portable: 1, 1], (
    shape: Shape,
    input: &[f32],
    grad_output: &[f32],
    winners: &[u8],
    sums: &mut [f32],
));

#[inline(always)]
fn image_body<const WIDE: usize, const NARROW: usize, const FUSED: bool>(
    shape: Shape,
    input: &[f32],
    grad_output: &[f32],
    winners: &[u8],
    sums: &mut [f32],
) {
    let layout = Layout::new(shape);
    let (height, width, co) = (shape.pooled_height(), shape.pooled_width(), shape.out_channels);
    let (weights, bias) = sums.split_at_mut(co * layout.runs * layout.padded);
    for (gradients, winners) in grad_output.chunks_exact(co).zip(winners.chunks_exact(co)) {
        for (sum, (gradient, winner)) in bias.iter_mut().zip(gradients.iter().zip(winners)) {
            *sum += if *winner == CUT { 0.0 } else { *gradient };
        }
    }
    let mut kept = SQUARE.take();
    let [square, pixels] = &mut kept;
    let square = square.get(layout.square_len());
    for top in (0..height).step_by(ROWS) {
        for left in (0..width).step_by(COLUMNS) {
            load(shape, layout, input, [top, left], square, pixels);
            for (channel, sums) in weights.chunks_exact_mut(layout.runs * layout.padded).enumerate() {
                let mut list = [(0u32, 0f32); ROWS * COLUMNS];
                let mut count = 0;
                for y in top..(top + ROWS).min(height) {
                    for x in left..(left + COLUMNS).min(width) {
                        let at = (y * width + x) * co + channel;
                        let (winner, gradient) = (winners[at], grad_output[at]);
                        let q = usize::from(winner);
                        let corner = (2 * (y - top) + q / 2) * layout.row + (2 * (x - left) + q % 2) * layout.pixel;
                        list[count] = (corner as u32, gradient);
                        // Written always and kept only where something won: no branch to mispredict.
                        count += usize::from(winner != CUT);
                    }
                }
                let list = &list[..count];
                for (run, sums) in sums.chunks_exact_mut(layout.padded).enumerate() {
                    let mut from = 0;
                    while from < layout.run {
                        let (square, sums) = (&square[run * layout.row + from..], &mut sums[from..]);
                        let len = piece_len(layout.run - from);
                        match len {
                            96 => piece::<96, WIDE, FUSED>(square, list, sums),
                            64 => piece::<64, WIDE, FUSED>(square, list, sums),
                            48 => piece::<48, NARROW, FUSED>(square, list, sums),
                            _ => piece::<32, NARROW, FUSED>(square, list, sums),
                        }
                        from += len;
                    }
                }
            }
        }
    }
    SQUARE.set(kept);
}

/// Length of the piece, held in registers, that a run's `rest` begins with.
fn piece_len(rest: usize) -> usize {
    match rest {
        ..=32 => 32,
        33..=48 => 48,
        49..=64 => 64,
        _ => 96,
    }
}

/// Copies the input under the square of pooled pixels from row and column `at` on.
#[inline(always)]
fn load(shape: Shape, layout: Layout, input: &[f32], at: [usize; 2], square: &mut [f32], pixels: &mut Buffer) {
    let from = at.map(|at| 2 * at as isize - 1);
    let size = [2 * ROWS + 2, 2 * COLUMNS + 2];
    if layout.runs == 3 {
        return copy_window(shape, input, from, size, layout.pixel, square);
    }
    let run = 3 * shape.in_channels;
    let row = size[1] * shape.in_channels;
    let pixels = pixels.get(size[0] * row + 32);
    copy_window(shape, input, from, size, shape.in_channels, pixels);
    for (i, window) in square
        .chunks_exact_mut(layout.pixel)
        .take(4 * ROWS * COLUMNS)
        .enumerate()
    {
        let (y, x) = (i / (2 * COLUMNS), i % (2 * COLUMNS));
        for ky in 0..3 {
            let from = (y + ky) * row + x * shape.in_channels;
            window[ky * run..][..run].copy_from_slice(&pixels[from..from + run]);
        }
    }
}

/// Adds gradient times window over `list` to the first `W` of `sums`, in `SETS` independent sums.
#[inline(always)]
fn piece<const W: usize, const SETS: usize, const FUSED: bool>(square: &[f32], list: &[(u32, f32)], sums: &mut [f32]) {
    let sums: &mut [f32; W] = sums.first_chunk_mut().expect("sums are filled up to whole pieces");
    let mut local = [[0.0f32; W]; SETS];
    local[0] = *sums;
    let (groups, rest) = list.as_chunks::<SETS>();
    for group in groups {
        for (local, entry) in local.iter_mut().zip(group) {
            add::<W, FUSED>(square, *entry, local);
        }
    }
    for entry in rest {
        add::<W, FUSED>(square, *entry, &mut local[0]);
    }
    let [first, others @ ..] = &mut local[..] else { return };
    for other in others {
        first.iter_mut().zip(other).for_each(|(sum, other)| *sum += *other);
    }
    *sums = *first;
}

#[inline(always)]
fn add<const W: usize, const FUSED: bool>(square: &[f32], (corner, gradient): (u32, f32), sums: &mut [f32; W]) {
    // A piece may reach past the run, into what follows; those sums are not used.
    let values = &square[corner as usize..corner as usize + W];
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum = multiply_add::<FUSED>(gradient, *value, *sum);
    }
}
