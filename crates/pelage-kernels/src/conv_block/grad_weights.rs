//! Weight and bias gradients: for each output channel, a sum of input windows over its winners.
//!
//! The picture is walked in squares small enough for the innermost cache, of each of which the input is copied next to
//! a zero border; each channel's winners then pick their windows from the copy, and the sums stay in registers.

mod pixels;
mod windows;

use super::Shape;
use crate::isa::Isa;

/// Pooled rows and columns of a square.
const ROWS: usize = 4;
const COLUMNS: usize = 8;

/// Numbers of the running sums, in a layout that depends on the number of channels.
pub(super) fn sums_len(shape: Shape) -> usize {
    match windows::suits(shape) {
        true => windows::sums_len(shape),
        false => pixels::sums_len(shape),
    }
}

/// Adds a picture's gradients to `sums`.
pub(super) fn image(isa: Isa, shape: Shape, input: &[f32], grad_output: &[f32], winners: &[u8], sums: &mut [f32]) {
    match windows::suits(shape) {
        true => windows::image(isa, shape, input, grad_output, winners, sums),
        false => pixels::image(isa, shape, input, grad_output, winners, sums),
    }
}

/// Adds sums to gradients in the layout `[co, ci, 3, 3]` and `[co]`.
pub(super) fn add_to(shape: Shape, sums: &[f32], grad_weights: &mut [f32], grad_bias: &mut [f32]) {
    let ci = shape.in_channels;
    for (channel, (grads, grad_bias)) in grad_weights.chunks_exact_mut(9 * ci).zip(grad_bias).enumerate() {
        let (tap, bias): (fn(Shape, usize, usize) -> usize, _) = match windows::suits(shape) {
            true => (windows::tap, windows::bias(shape, channel)),
            false => (pixels::tap, pixels::bias(shape, channel)),
        };
        for k in 0..9 {
            for (c, sum) in sums[tap(shape, channel, k)..][..ci].iter().enumerate() {
                grads[c * 9 + k] += sum;
            }
        }
        *grad_bias += sums[bias];
    }
}

/// The part of a picture under `pooled` rows and columns of the output from `at` on, small enough for the innermost cache.
#[derive(Clone, Copy)]
struct Square {
    at: [usize; 2],
    pooled: [usize; 2],
}

impl Square {
    /// All of a picture, from the top left.
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
