//! With few input channels: all nine pixels of every window are copied one after the other, so that a window is a
//! single short run of numbers.

use std::cell::Cell;

use super::{COLUMNS, ROWS, Square};
use crate::conv_block::list::{Entry, add_one, load, store};
use crate::conv_block::{CUT, Shape, copy_window};
use crate::isa::for_each_isa;
use crate::scratch::Buffer;
use crate::vector::Vector;

thread_local!(static SQUARE: Cell<(Buffer, Buffer, Vec<Entry>)> = Cell::default());

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
    let (len, co) = (N * V::LANES, shape.out_channels);
    let mut kept = SQUARE.take();
    let (windows, pixels, entries) = &mut kept;
    // A window more than is used, since copies overrun.
    let windows = windows.get((WINDOWS + 2) * len);
    entries.resize(ROWS * COLUMNS * co, Entry::default());
    for square in Square::all(shape) {
        load_windows(shape, input, square.at, len, windows, pixels);
        let count = list_winners(shape, square, len, grad_output, winners, entries);
        for (channel, sums) in sums.chunks_exact_mut(len).enumerate() {
            // Two sums, since a single one would wait for its own last addition.
            let (mut even, mut odd) = (load::<V, N>(sums), [V::splat(0.0); N]);
            for pair in entries[..count * co].chunks_exact(2 * co) {
                for (sums, (place, gradient)) in [(&mut even, pair[channel]), (&mut odd, pair[co + channel])] {
                    add_one(sums, &windows[place as usize..], gradient);
                }
            }
            for (even, odd) in even.iter_mut().zip(odd) {
                *even = even.add(odd);
            }
            store(even, sums);
        }
    }
    SQUARE.set(kept);
}

/// For each pooled pixel of the square, where the windows of its winners begin, and their gradients, `[pixel][co]`; filled
/// up with nothing to an even number of pixels, which is returned.
#[inline(always)]
fn list_winners(
    shape: Shape,
    square: Square,
    len: usize,
    grad_output: &[f32],
    winners: &[u8],
    entries: &mut [Entry],
) -> usize {
    let (co, [rows, columns]) = (shape.out_channels, square.pooled);
    let nothing = (WINDOWS * len) as u32;
    let mut entries = entries.chunks_exact_mut(co);
    for (y, x) in (0..rows).flat_map(|y| (0..columns).map(move |x| (y, x))) {
        let at = ((square.at[0] + y) * shape.pooled_width() + square.at[1] + x) * co;
        let (gradients, winners) = (&grad_output[at..at + co], &winners[at..at + co]);
        let corner = (2 * (y * 2 * COLUMNS + x) * len) as u32;
        let entries = entries.next().expect("an entry for each of the square's pixels");
        for (entry, (gradient, winner)) in entries.iter_mut().zip(gradients.iter().zip(winners)) {
            let winner = u32::from(*winner);
            let window = corner + (winner / 2 * (2 * COLUMNS as u32) + winner % 2) * len as u32;
            // What ReLU cut takes the zeros: no branch to mispredict.
            *entry = (if winner < u32::from(CUT) { window } else { nothing }, *gradient);
        }
    }
    let count = rows * columns;
    if !count.is_multiple_of(2) {
        entries.next().expect("an even number of places").fill((nothing, 0.0));
    }
    count.next_multiple_of(2)
}

/// Copies the windows under the square of pooled pixels from row and column `at` on.
#[inline(always)]
fn load_windows(shape: Shape, input: &[f32], at: [usize; 2], len: usize, square: &mut [f32], pixels: &mut Buffer) {
    let (ci, size) = (shape.in_channels, [2 * ROWS + 2, 2 * COLUMNS + 2]);
    let (run, row) = (3 * ci, size[1] * ci);
    let pixels = pixels.get(size[0] * row + len);
    copy_window(shape, input, at.map(|at| 2 * at as isize - 1), size, ci, pixels);
    match run {
        ..=16 => copy_windows::<16>(pixels, ci, row, len, square),
        _ => copy_windows::<32>(pixels, ci, row, len, square),
    }
    // The last copies ran into the zeros.
    square[WINDOWS * len..(WINDOWS + 1) * len].fill(0.0);
}

/// Of a square's pixels, `row` numbers a row, those of each window next to each other, at most `COPY` of each row.
#[inline(always)]
fn copy_windows<const COPY: usize>(pixels: &[f32], ci: usize, row: usize, len: usize, square: &mut [f32]) {
    let run = 3 * ci;
    for i in 0..WINDOWS {
        let (y, x) = (i / (2 * COLUMNS), i % (2 * COLUMNS));
        let from = &pixels[y * row + x * ci..];
        let to = &mut square[i * len..];
        for ky in 0..3 {
            // More than a run, so that the length is a constant; what comes next overwrites the rest.
            to[ky * run..][..COPY].copy_from_slice(&from[ky * row..][..COPY]);
        }
        to[3 * run] = 1.0;
    }
}
