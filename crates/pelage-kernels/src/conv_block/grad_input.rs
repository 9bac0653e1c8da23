//! Input gradient: each pooled pixel's channels are sorted by winning position; each position's weights are summed in
//! registers and added to its 3x3 window once.

use super::{CUT, SLACK, Shape};
use crate::isa::{for_each_isa, multiply_add};

/// Weights as `[co][ky][kx][ci]`, with slack at the end.
pub(super) fn pack(shape: Shape, weights: &[f32]) -> Vec<f32> {
    let ci = shape.in_channels;
    let mut packed = vec![0.0; shape.weight_len() + SLACK];
    for co in 0..shape.out_channels {
        for k in 0..9 {
            for c in 0..ci {
                packed[(co * 9 + k) * ci + c] = weights[(co * ci + c) * 9 + k];
            }
        }
    }
    packed
}

for_each_isa!(image, image_body, (
    shape: Shape,
    packed: &[f32],
    grad_output: &[f32],
    winners: &[u8],
    padded: &mut [f32],
));

#[inline(always)]
fn image_body<const C: usize, const P: usize, const FUSED: bool>(
    shape: Shape,
    packed: &[f32],
    grad_output: &[f32],
    winners: &[u8],
    padded: &mut [f32],
) {
    let (co, ci) = (shape.out_channels, shape.in_channels);
    let (row, window) = (shape.padded_row(), shape.window_row());
    let mut lists: [Vec<(usize, f32)>; 4] = std::array::from_fn(|_| vec![(0, 0.0); co]);
    let pixels = grad_output.chunks_exact(co).zip(winners.chunks_exact(co)).enumerate();
    for (pixel, (gradients, winners)) in pixels {
        let (y, x) = (pixel / shape.pooled_width(), pixel % shape.pooled_width());
        let mut counts = [0usize; 4];
        for (channel, (gradient, winner)) in gradients.iter().zip(winners).enumerate() {
            if *winner != CUT {
                let q = usize::from(*winner) & 3;
                lists[q][counts[q]] = (channel * 9 * ci, *gradient);
                counts[q] += 1;
            }
        }
        for (q, (list, count)) in lists.iter().zip(counts).enumerate() {
            if count == 0 {
                continue;
            }
            let list = &list[..count];
            let corner = (2 * y + q / 2) * row + (2 * x + q % 2) * ci;
            for ky in 0..3 {
                let target = &mut padded[corner + ky * row..][..window];
                let mut from = 0;
                while from < window {
                    let (offset, target) = (ky * window + from, &mut target[from..]);
                    from += match target.len() {
                        ..=16 => piece::<16, FUSED>(packed, list, offset, target),
                        17..=48 => piece::<48, FUSED>(packed, list, offset, target),
                        _ => piece::<96, FUSED>(packed, list, offset, target),
                    };
                }
            }
        }
    }
}

/// Adds gradient times weight over `list` to the first `W` of `target` (or all, where it is shorter); `W`.
#[inline(always)]
fn piece<const W: usize, const FUSED: bool>(
    packed: &[f32],
    list: &[(usize, f32)],
    offset: usize,
    target: &mut [f32],
) -> usize {
    let mut local = [0.0f32; W];
    for &(channel, gradient) in list {
        let values = &packed[channel + offset..channel + offset + W];
        for (sum, value) in local.iter_mut().zip(values) {
            *sum = multiply_add::<FUSED>(gradient, *value, *sum);
        }
    }
    // Zipped with the target, so what reaches past the window is dropped here.
    target.iter_mut().zip(local).for_each(|(target, sum)| *target += sum);
    W
}
