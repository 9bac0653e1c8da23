//! With many input channels: windows share their pixels, and each row of a window, three pixels, is a run of numbers.

use std::cell::Cell;

use super::{COLUMNS, ROWS, Square};
use crate::conv_block::list::{Entry, add, add_pairs, load, store};
use crate::conv_block::{CUT, Shape, copy_window};
use crate::isa::for_each_isa;
use crate::scratch::Buffer;
use crate::vector::Vector;

thread_local!(static SQUARE: Cell<Buffer> = Cell::default());

/// Numbers from a pixel to the next: a whole number of vectors.
fn pixel_len(shape: Shape) -> usize {
    shape.in_channels.next_multiple_of(8)
}

/// Length of a run with what fills up its last piece.
fn run_len(shape: Shape) -> usize {
    let (run, mut len) = (3 * pixel_len(shape), 0);
    while len < run {
        len += piece_len(run - len);
    }
    len
}

/// Length of the piece, held in registers, that a run's `rest` begins with.
fn piece_len(rest: usize) -> usize {
    match rest {
        ..=48 => 48,
        _ => 96,
    }
}

/// Sums are `[co][ky][run]`, then `[co]`.
pub(super) fn sums_len(shape: Shape) -> usize {
    shape.out_channels * (3 * run_len(shape) + 1)
}
/// Where in the sums the gradients of a channel's tap begin, one for each input channel.
pub(super) fn tap(shape: Shape, channel: usize, k: usize) -> usize {
    (channel * 3 + k / 3) * run_len(shape) + k % 3 * pixel_len(shape)
}
/// Where in the sums the gradient of a channel's bias is.
pub(super) fn bias(shape: Shape, channel: usize) -> usize {
    3 * shape.out_channels * run_len(shape) + channel
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
    let co = shape.out_channels;
    let (run, len, pixel) = (3 * pixel_len(shape), run_len(shape), pixel_len(shape));
    let size = [2 * ROWS + 2, 2 * COLUMNS + 2];
    let row = size[1] * pixel;
    let (sums, bias) = sums.split_at_mut(3 * co * len);
    for (gradients, winners) in grad_output.chunks_exact(co).zip(winners.chunks_exact(co)) {
        for (sum, (gradient, winner)) in bias.iter_mut().zip(gradients.iter().zip(winners)) {
            *sum += if *winner < CUT { *gradient } else { 0.0 };
        }
    }
    let mut kept = SQUARE.take();
    // The last piece of the last run may reach past the square.
    let square = kept.get(size[0] * row + len);
    let mut list = [Entry::default(); ROWS * COLUMNS];
    for part in Square::all(shape) {
        let corner = part.at.map(|at| 2 * at as isize - 1);
        copy_window(shape, input, corner, size, pixel, square);
        for (channel, sums) in sums.chunks_exact_mut(3 * len).enumerate() {
            let list = winners_of(shape, part, channel, [row, pixel], grad_output, winners, &mut list);
            for (ky, sums) in sums.chunks_exact_mut(len).enumerate() {
                let mut from = 0;
                while from < run {
                    let (square, sums) = (&square[ky * row + from..], &mut sums[from..]);
                    let len = piece_len(run - from);
                    match len / V::LANES {
                        24 => piece::<V, 24>(square, list, sums),
                        12 => piece::<V, 12>(square, list, sums),
                        6 => pair_piece::<V, 6>(square, list, sums),
                        _ => pair_piece::<V, 3>(square, list, sums),
                    }
                    from += len;
                }
            }
        }
    }
    SQUARE.set(kept);
}

/// The winners of one channel: where their windows begin in the copy of a square, and their gradients.
#[inline(always)]
fn winners_of<'a>(
    shape: Shape,
    square: Square,
    channel: usize,
    [row, column]: [usize; 2],
    grad_output: &[f32],
    winners: &[u8],
    list: &'a mut [Entry; ROWS * COLUMNS],
) -> &'a [Entry] {
    let co = shape.out_channels;
    // From the window of the upper left of the four positions.
    let shifts = [0, column, row, row + column, 0].map(|shift| shift as u32);
    let mut count = 0;
    for y in 0..square.pooled[0] {
        let at = ((square.at[0] + y) * shape.pooled_width() + square.at[1]) * co;
        let gradients = grad_output[at..][..square.pooled[1] * co].chunks_exact(co);
        let winners = winners[at..][..square.pooled[1] * co].chunks_exact(co);
        let mut corner = (2 * y * row) as u32;
        for (gradient, winner) in gradients.zip(winners) {
            let winner = winner[channel].min(CUT);
            list[count] = (corner + shifts[usize::from(winner)], gradient[channel]);
            // Written always and kept only where something won: no branch to mispredict.
            count += usize::from(winner < CUT);
            corner += 2 * column as u32;
        }
    }
    &list[..count]
}

/// Adds gradient times window over `list` to the first `N` vectors of `sums`.
#[inline(always)]
fn piece<V: Vector, const N: usize>(square: &[f32], list: &[Entry], sums: &mut [f32]) {
    store(add(load::<V, N>(sums), square, list, 0), sums);
}

/// The same in two sums, where `N` is too few to hide the latency of multiply-add.
#[inline(always)]
fn pair_piece<V: Vector, const N: usize>(square: &[f32], list: &[Entry], sums: &mut [f32]) {
    store(add_pairs(load::<V, N>(sums), square, list), sums);
}
