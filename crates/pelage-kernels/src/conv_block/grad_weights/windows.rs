//! With few input channels: all nine pixels of every window are copied one after the other, so that a window is a
//! single short run of numbers.

use std::cell::Cell;

use super::{COLUMNS, ROWS};
use crate::conv_block::list::{add_one, load, store};
use crate::conv_block::{CUT, Shape, copy_window};
use crate::isa::for_each_isa;
use crate::scratch::Buffer;
use crate::vector::Vector;

thread_local!(static SQUARE: Cell<[Buffer; 2]> = Cell::default());

/// Windows of a square, and one of zeros.
const WINDOWS: usize = 4 * ROWS * COLUMNS;

/// Whether a window fits one piece held in registers, with a place to spare.
pub(super) fn suits(shape: Shape) -> bool {
    9 * shape.in_channels < 64
}

/// Length of a window with what fills it up: a one, whose sum is the bias gradient, and numbers without meaning.
fn window_len(shape: Shape) -> usize {
    match 9 * shape.in_channels {
        ..32 => 32,
        _ => 64,
    }
}

/// Sums are `[co][window]`.
pub(super) fn sums_len(shape: Shape) -> usize {
    shape.out_channels * window_len(shape)
}
/// Where in the sums the gradients of a channel's tap begin, one for each input channel.
pub(super) fn tap(shape: Shape, channel: usize, k: usize) -> usize {
    channel * window_len(shape) + k * shape.in_channels
}
/// Where in the sums the gradient of a channel's bias is.
pub(super) fn bias(shape: Shape, channel: usize) -> usize {
    channel * window_len(shape) + 9 * shape.in_channels
}

for_each_isa!(vectors image, image_body, (
    shape: Shape,
    input: &[f32],
    grad_output: &[f32],
    winners: &[u8],
    sums: &mut [f32],
));

#[inline(always)]
fn image_body<V: Vector>(shape: Shape, input: &[f32], grad_output: &[f32], winners: &[u8], sums: &mut [f32]) {
    match window_len(shape) / V::LANES {
        2 => squares::<V, 2>(shape, input, grad_output, winners, sums),
        4 => squares::<V, 4>(shape, input, grad_output, winners, sums),
        8 => squares::<V, 8>(shape, input, grad_output, winners, sums),
        _ => squares::<V, 16>(shape, input, grad_output, winners, sums),
    }
}

/// With windows of `N` vectors.
#[inline(always)]
fn squares<V: Vector, const N: usize>(
    shape: Shape,
    input: &[f32],
    grad_output: &[f32],
    winners: &[u8],
    sums: &mut [f32],
) {
    let (height, width, co) = (shape.pooled_height(), shape.pooled_width(), shape.out_channels);
    let len = N * V::LANES;
    let mut kept = SQUARE.take();
    let [square, pixels] = &mut kept;
    // A window more than is used, since copies overrun.
    let square = square.get((WINDOWS + 2) * len);
    for top in (0..height).step_by(ROWS) {
        for left in (0..width).step_by(COLUMNS) {
            load_windows(shape, input, [top, left], len, square, pixels);
            let (rows, columns) = (ROWS.min(height - top), COLUMNS.min(width - left));
            for (channel, sums) in sums.chunks_exact_mut(len).enumerate() {
                // Two sums, since a single one would wait for its own last addition.
                let (mut even, mut odd) = (load::<V, N>(sums), [V::splat(0.0); N]);
                for y in 0..rows {
                    let at = ((top + y) * width + left) * co;
                    let gradients = grad_output[at..][..columns * co].chunks_exact(co);
                    let winners = winners[at..][..columns * co].chunks_exact(co);
                    let mut values = gradients.zip(winners).enumerate();
                    while let Some((x, (gradient, winner))) = values.next() {
                        let window = window_of(y, x, winner[channel]) * len;
                        add_one(&mut even, &square[window..], gradient[channel]);
                        if let Some((x, (gradient, winner))) = values.next() {
                            let window = window_of(y, x, winner[channel]) * len;
                            add_one(&mut odd, &square[window..], gradient[channel]);
                        }
                    }
                }
                for (even, odd) in even.iter_mut().zip(odd) {
                    *even = even.add(odd);
                }
                store(even, sums);
            }
        }
    }
    SQUARE.set(kept);
}

/// Which window of a square won at the pooled pixel in row `y` and column `x`.
#[inline(always)]
fn window_of(y: usize, x: usize, winner: u8) -> usize {
    let q = usize::from(winner);
    let window = (2 * y + q / 2) * 2 * COLUMNS + 2 * x + q % 2;
    // What ReLU cut takes the zeros: no branch to mispredict.
    if winner < CUT { window } else { WINDOWS }
}

/// Copies the windows under the square of pooled pixels from row and column `at` on.
#[inline(always)]
fn load_windows(shape: Shape, input: &[f32], at: [usize; 2], len: usize, square: &mut [f32], pixels: &mut Buffer) {
    let (ci, size) = (shape.in_channels, [2 * ROWS + 2, 2 * COLUMNS + 2]);
    let (run, row) = (3 * ci, size[1] * ci);
    let pixels = pixels.get(size[0] * row + len);
    copy_window(shape, input, at.map(|at| 2 * at as isize - 1), size, ci, pixels);
    for i in 0..WINDOWS {
        let (y, x) = (i / (2 * COLUMNS), i % (2 * COLUMNS));
        for ky in 0..3 {
            let (from, to) = ((y + ky) * row + x * ci, i * len + ky * run);
            // More than a run, in steps of constant length; what comes next overwrites the rest.
            for step in (0..run).step_by(16) {
                let values: &[f32; 16] = pixels[from + step..].first_chunk().expect("slack");
                square[to + step..][..16].copy_from_slice(values);
            }
        }
        square[i * len + 3 * run] = 1.0;
    }
    // The last copies ran into the zeros.
    square[WINDOWS * len..(WINDOWS + 1) * len].fill(0.0);
}
