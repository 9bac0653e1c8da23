//! For many input channels: a sum of input windows over the winners of each output channel.
//!
//! The image is processed in squares that fit in the L1 cache; each channel's winners select their windows from it,
//! and the sums stay in registers. Windows overlap; each row of a window, three pixels, is a run of consecutive values.

use std::cell::Cell;

use crate::conv_block::list::{Entry, add, add_one, add_pairs, load, store};
use crate::conv_block::{CUT, Shape, copy_window};
use crate::isa::for_each_isa;
use crate::scratch::Buffer;
use crate::vector::{Simd, Vector};

thread_local!(static SQUARE: Cell<Buffer> = Cell::default());

/// Pooled rows and columns of a square.
const ROWS: usize = 4;
const COLUMNS: usize = 8;

/// Values in a piece of a run, kept in registers.
const WIDE_PIECE: usize = 96;
const NARROW_PIECE: usize = 48;

/// So few vectors do not hide the latency of multiply-add; they are summed in two halves.
const FEW: usize = 6;

/// Values in a cache line.
const LINE: usize = 16;

/// Distance between pixels, in values: a whole number of vectors.
fn pixel_len(shape: Shape) -> usize {
    shape.in_channels.next_multiple_of(8)
}

/// Length of a run including the padding of its last piece.
fn run_len(shape: Shape) -> usize {
    let (run, mut len) = (3 * pixel_len(shape), 0);
    while len < run {
        len += piece_len(run - len);
    }
    len
}

/// Length of the next piece of a run, of which `rest` values are left.
fn piece_len(rest: usize) -> usize {
    match rest {
        ..=NARROW_PIECE => NARROW_PIECE,
        _ => WIDE_PIECE,
    }
}

/// Sums are `[co][ky][run]`, then `[co]`.
pub(super) fn sums_len(shape: Shape) -> usize {
    shape.out_channels * (3 * run_len(shape) + 1)
}

/// Adds sums to gradients in the layout `[co, ci, 3, 3]` and `[co]`.
pub(super) fn add_to(shape: Shape, sums: &[f32], grad_weights: &mut [f32], grad_bias: &mut [f32]) {
    let (ci, len, pixel) = (shape.in_channels, run_len(shape), pixel_len(shape));
    let (sums, bias) = sums.split_at(3 * shape.out_channels * len);
    for (grads, sums) in grad_weights.chunks_exact_mut(9 * ci).zip(sums.chunks_exact(3 * len)) {
        for k in 0..9 {
            for (c, sum) in sums[k / 3 * len + k % 3 * pixel..][..ci].iter().enumerate() {
                grads[c * 9 + k] += sum;
            }
        }
    }
    grad_bias.iter_mut().zip(bias).for_each(|(grad, sum)| *grad += sum);
}

/// The part of an image under `pooled` rows and columns of the output starting at `at`, small enough for the L1 cache.
#[derive(Clone, Copy)]
struct Square {
    at: [usize; 2],
    pooled: [usize; 2],
}

impl Square {
    /// Its input with a border of one pixel, and the distance between rows: in place, or, if that extends past the
    /// image or pixels are not whole cache lines, a zero-padded copy. Even the last runs have `len` readable values.
    #[inline(always)]
    fn pixels<'a>(
        self,
        shape: Shape,
        input: &'a [f32],
        pixel: usize,
        len: usize,
        copy: &'a mut Buffer,
    ) -> (&'a [f32], usize) {
        let size = [2 * ROWS + 2, 2 * COLUMNS + 2];
        let corner = self.at.map(|at| 2 * at as isize - 1);
        let row = shape.width * shape.in_channels;
        if let [Ok(y), Ok(x)] = corner.map(usize::try_from)
            && let Some(square) = input.get(y * row + x * shape.in_channels..)
            && shape.in_channels.is_multiple_of(LINE)
            && square.as_ptr().addr().is_multiple_of(4 * LINE)
            && x + size[1] <= shape.width
            && y + size[0] <= shape.height
        {
            return (square, row);
        }
        let row = size[1] * pixel;
        let square = copy.get(size[0] * row + len);
        copy_window(shape, input, corner, size, pixel, square);
        (square, row)
    }

    /// All squares of an image, from the top left.
    fn all(shape: Shape) -> impl Iterator<Item = Square> {
        let (height, width) = (shape.pooled_height(), shape.pooled_width());
        let corners = (0..height)
            .step_by(ROWS)
            .flat_map(move |top| (0..width).step_by(COLUMNS).map(move |left| [top, left]));
        corners.map(move |at| Square {
            at,
            pooled: [ROWS.min(height - at[0]), COLUMNS.min(width - at[1])],
        })
    }
}

// The vector type; the number of vectors in a wide and in a narrow piece of a run; whether there are registers for
// three pieces.
for_each_isa!(vectors image, image_body,
    [avx512: 6, 3, true; avx2: 12, 6, false; neon: 24, 12, false; simd128: 24, 12, false; portable: 24, 12, false], (
    shape: Shape,
    input: &[f32],
    grad_output: &[f32],
    winners: &[u8],
    sums: &mut [f32],
));

#[inline(always)]
fn image_body<V: Vector, const WIDE: usize, const NARROW: usize, const THREE: bool>(
    simd: Simd<V>,
    shape: Shape,
    input: &[f32],
    grad_output: &[f32],
    winners: &[u8],
    sums: &mut [f32],
) {
    assert!([WIDE * V::LANES, NARROW * V::LANES] == [WIDE_PIECE, NARROW_PIECE]);
    let co = shape.out_channels;
    let (run, len, pixel) = (3 * pixel_len(shape), run_len(shape), pixel_len(shape));
    let (sums, bias) = sums.split_at_mut(3 * co * len);
    for (gradients, winners) in grad_output.chunks_exact(co).zip(winners.chunks_exact(co)) {
        for (sum, (gradient, winner)) in bias.iter_mut().zip(gradients.iter().zip(winners)) {
            *sum += if *winner < CUT { *gradient } else { 0.0 };
        }
    }
    let mut kept = SQUARE.take();
    let mut list = [Entry::default(); ROWS * COLUMNS];
    for part in Square::all(shape) {
        let (square, row) = part.pixels(shape, input, pixel, len, &mut kept);
        for (channel, sums) in sums.chunks_exact_mut(3 * len).enumerate() {
            let list = winners_of(shape, part, channel, [row, pixel], grad_output, winners, &mut list);
            let mut from = 0;
            while from < run {
                let (piece, square) = (piece_len(run - from), &square[from..]);
                let sums = &mut sums[from..];
                match (THREE, piece) {
                    (true, WIDE_PIECE) => rows::<V, WIDE>(simd, square, row, list, sums, len),
                    (true, _) => rows::<V, NARROW>(simd, square, row, list, sums, len),
                    (false, _) => {
                        for (ky, sums) in sums.chunks_mut(len).enumerate() {
                            let square = &square[ky * row..];
                            if piece == WIDE_PIECE {
                                store(add(simd, load::<V, WIDE>(simd, sums), square, list, 0), sums);
                            } else if NARROW > FEW {
                                store(add(simd, load::<V, NARROW>(simd, sums), square, list, 0), sums);
                            } else {
                                store(add_pairs(simd, load::<V, NARROW>(simd, sums), square, list), sums);
                            }
                        }
                    }
                }
                from += piece;
            }
        }
    }
    SQUARE.set(kept);
}

/// The winners of one channel: the offsets of their windows in a square, and their gradients.
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
    // Relative to the window of the upper left position.
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
            // Always written, but kept only if something won: no branch to mispredict.
            count += usize::from(winner < CUT);
            corner += 2 * column as u32;
        }
    }
    &list[..count]
}

/// Adds gradient times window, over `list`, to the first `N` vectors of each of the three rows of `sums`, `len` apart.
/// For instruction sets with registers for all three.
#[inline(always)]
fn rows<V: Vector, const N: usize>(
    simd: Simd<V>,
    square: &[f32],
    row: usize,
    list: &[Entry],
    sums: &mut [f32],
    len: usize,
) {
    let mut kept = [[V::splat(simd, 0.0); N]; 3];
    // No `map`: the compiler might not inline its closure into a function compiled for an instruction set.
    for ky in 0..3 {
        kept[ky] = load(simd, &sums[ky * len..]);
    }
    for &(place, gradient) in list {
        for ky in 0..3 {
            add_one(simd, &mut kept[ky], &square[place as usize + ky * row..], gradient);
        }
    }
    for ky in 0..3 {
        store(kept[ky], &mut sums[ky * len..]);
    }
}
