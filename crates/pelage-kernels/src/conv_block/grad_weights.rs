//! Weight and bias gradients: for each output channel, a sum of input windows over its winners.

use super::{CUT, Shape};
use crate::isa::{for_each_isa, multiply_add};

/// Pooled pixels on a side of the square whose winners are walked together, small enough that its input stays in L1.
const SQUARE: usize = 8;

/// Running sums: weights as `[co][ky][kx][ci]`, bias as `[co]`.
pub(super) struct Sums {
    weights: Vec<f32>,
    bias: Vec<f32>,
}

impl Sums {
    pub(super) fn new(shape: Shape) -> Self {
        Sums {
            weights: vec![0.0; shape.weight_len()],
            bias: vec![0.0; shape.out_channels],
        }
    }

    /// Adds to gradients in the layout `[co, ci, 3, 3]`.
    pub(super) fn add_to(&self, shape: Shape, grad_weights: &mut [f32], grad_bias: &mut [f32]) {
        let ci = shape.in_channels;
        for co in 0..shape.out_channels {
            for k in 0..9 {
                for c in 0..ci {
                    grad_weights[(co * ci + c) * 9 + k] += self.weights[(co * 9 + k) * ci + c];
                }
            }
        }
        grad_bias.iter_mut().zip(&self.bias).for_each(|(sum, part)| *sum += part);
    }
}

for_each_isa!(image, image_body, (
    shape: Shape,
    padded: &[f32],
    grad_output: &[f32],
    winners: &[u8],
    sums: &mut Sums,
));

#[inline(always)]
fn image_body<const C: usize, const P: usize, const FUSED: bool>(
    shape: Shape,
    padded: &[f32],
    grad_output: &[f32],
    winners: &[u8],
    sums: &mut Sums,
) {
    let (height, width, co, ci) = (
        shape.pooled_height(),
        shape.pooled_width(),
        shape.out_channels,
        shape.in_channels,
    );
    let (row, window) = (shape.padded_row(), shape.window_row());
    let mut list = [(0usize, 0f32); SQUARE * SQUARE];
    for top in (0..height).step_by(SQUARE) {
        for left in (0..width).step_by(SQUARE) {
            for channel in 0..co {
                let mut count = 0;
                for y in top..(top + SQUARE).min(height) {
                    for x in left..(left + SQUARE).min(width) {
                        let at = (y * width + x) * co + channel;
                        let (winner, gradient) = (winners[at], grad_output[at]);
                        let q = usize::from(winner);
                        list[count] = ((2 * y + q / 2) * row + (2 * x + q % 2) * ci, gradient);
                        // Written always and kept only where something won: no branch to mispredict.
                        count += usize::from(winner != CUT);
                    }
                }
                let list = &list[..count];
                sums.bias[channel] += list.iter().map(|(_, gradient)| gradient).sum::<f32>();
                for ky in 0..3 {
                    let sums = &mut sums.weights[(channel * 3 + ky) * window..][..window];
                    let mut from = 0;
                    while from < window {
                        let (offset, sums) = (ky * row + from, &mut sums[from..]);
                        from += match sums.len() {
                            ..=16 => piece::<16, FUSED>(padded, list, offset, sums),
                            17..=48 => piece::<48, FUSED>(padded, list, offset, sums),
                            _ => piece::<96, FUSED>(padded, list, offset, sums),
                        };
                    }
                }
            }
        }
    }
}

/// Adds gradient times input over `list` to the first `W` of `sums` (or all, where it is shorter); `W`.
#[inline(always)]
fn piece<const W: usize, const FUSED: bool>(
    padded: &[f32],
    list: &[(usize, f32)],
    offset: usize,
    sums: &mut [f32],
) -> usize {
    let valid = sums.len().min(W);
    let mut local = [0.0f32; W];
    local[..valid].copy_from_slice(&sums[..valid]);
    for &(corner, gradient) in list {
        // A piece may reach past the window, into its neighbor or the slack; those sums are not kept.
        let values = &padded[corner + offset..corner + offset + W];
        for (sum, value) in local.iter_mut().zip(values) {
            *sum = multiply_add::<FUSED>(gradient, *value, *sum);
        }
    }
    sums[..valid].copy_from_slice(&local[..valid]);
    W
}
