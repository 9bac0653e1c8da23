//! The fused block: 3x3 'same' convolution, bias, ReLU, 2x2 max-pooling, forward and backward.
//!
//! Forward, the four convolution outputs under a pooled value stay in registers, so the full-size convolution output is
//! never written to memory; which of the four won is remembered. Backward, at most one in four convolution outputs has a
//! gradient, and none where ReLU cut, so both gradients are sums over winners alone: a quarter of the dense arithmetic.

mod forward;
mod grad_input;
mod grad_weights;

use crate::isa::Isa;
use rayon::prelude::*;

/// The sizes of one block; any channel counts, sides of at least 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Pictures.
    pub batch: usize,
    /// Rows of the input.
    pub height: usize,
    /// Columns of the input.
    pub width: usize,
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
}

impl Shape {
    /// Rows of the output; an odd last row of the input is cut.
    pub fn pooled_height(&self) -> usize {
        self.height / 2
    }
    /// Columns of the output; an odd last column of the input is cut.
    pub fn pooled_width(&self) -> usize {
        self.width / 2
    }
    /// Numbers in the input `[n, h, w, ci]`.
    pub fn input_len(&self) -> usize {
        self.batch * self.image_len()
    }
    /// Numbers in the output `[n, h/2, w/2, co]`.
    pub fn output_len(&self) -> usize {
        self.batch * self.pooled_len()
    }
    /// Numbers in the weights `[co, ci, 3, 3]`.
    pub fn weight_len(&self) -> usize {
        self.out_channels * self.in_channels * 9
    }
    pub(crate) fn image_len(&self) -> usize {
        self.height * self.width * self.in_channels
    }
    pub(crate) fn pooled_len(&self) -> usize {
        self.pooled_height() * self.pooled_width() * self.out_channels
    }
    /// Numbers in one row of the zero-padded input.
    pub(crate) fn padded_row(&self) -> usize {
        (self.width + 2) * self.in_channels
    }
    /// Numbers in the zero-padded input of one picture, with slack so that a vector may be read past its end.
    pub(crate) fn padded_len(&self) -> usize {
        (self.height + 2) * self.padded_row() + SLACK
    }
    /// Numbers in three neighboring pixels: one row of a 3x3 window.
    pub(crate) fn window_row(&self) -> usize {
        3 * self.in_channels
    }
}

/// Widest piece of a window row that backward holds in registers; buffers end in as many unused zeros.
pub(crate) const SLACK: usize = 96;

/// In `winners`: ReLU cut this value, nothing won.
pub(crate) const CUT: u8 = 4;

/// Pictures whose weight gradients are summed by one thread. Fixed, so that the order of the sum, and with it every bit
/// of the result, does not depend on the number of threads.
const GROUP: usize = 4;

/// Pooled `output` `[n, h/2, w/2, co]` of `input` `[n, h, w, ci]`, `weights` `[co, ci, 3, 3]` and `bias` `[co]`.
/// `winners`, as long as `output`, takes which of the four positions won (row-major 0 to 3, the first of equals), or 4
/// where ReLU cut.
///
/// # Panics
/// Where a slice's length does not fit `shape`.
pub fn forward(
    isa: Isa,
    shape: Shape,
    input: &[f32],
    weights: &[f32],
    bias: &[f32],
    output: &mut [f32],
    winners: &mut [u8],
) {
    check(shape, input, weights, bias.len());
    assert_eq!(output.len(), shape.output_len(), "length of output");
    assert_eq!(winners.len(), shape.output_len(), "length of winners");
    if output.is_empty() {
        return;
    }
    let packed = forward::pack(isa, shape, weights, bias);
    input
        .par_chunks(shape.image_len())
        .zip(output.par_chunks_mut(shape.pooled_len()))
        .zip(winners.par_chunks_mut(shape.pooled_len()))
        .for_each_init(
            || vec![0.0; shape.padded_len()],
            |padded, ((input, output), winners)| {
                pad(shape, input, padded);
                forward::image(isa, shape, padded, &packed, output, winners);
            },
        );
}

/// Gradients of weights, bias and, where asked for, input, from `grad_output` `[n, h/2, w/2, co]`; all are overwritten.
///
/// # Panics
/// Where a slice's length does not fit `shape`.
#[allow(clippy::too_many_arguments, reason = "one slice for each tensor of the step")]
pub fn backward(
    isa: Isa,
    shape: Shape,
    input: &[f32],
    weights: &[f32],
    winners: &[u8],
    grad_output: &[f32],
    grad_weights: &mut [f32],
    grad_bias: &mut [f32],
    grad_input: Option<&mut [f32]>,
) {
    check(shape, input, weights, grad_bias.len());
    assert_eq!(grad_weights.len(), shape.weight_len(), "length of grad_weights");
    assert_eq!(grad_output.len(), shape.output_len(), "length of grad_output");
    assert_eq!(winners.len(), shape.output_len(), "length of winners");
    assert!(winners.iter().all(|&winner| winner <= CUT), "a winner above 4");
    grad_weights.fill(0.0);
    grad_bias.fill(0.0);
    if shape.output_len() == 0 {
        grad_input.into_iter().for_each(|grad| grad.fill(0.0));
        return;
    }
    let (image, pooled) = (shape.image_len(), shape.pooled_len());
    let groups: Vec<_> = input
        .par_chunks(image * GROUP)
        .zip(grad_output.par_chunks(pooled * GROUP))
        .zip(winners.par_chunks(pooled * GROUP))
        .map(|((input, grad_output), winners)| {
            let mut sums = grad_weights::Sums::new(shape);
            let mut padded = vec![0.0; shape.padded_len()];
            let pictures = input.chunks(image).zip(grad_output.chunks(pooled)).zip(winners.chunks(pooled));
            for ((input, grad_output), winners) in pictures {
                pad(shape, input, &mut padded);
                grad_weights::image(isa, shape, &padded, grad_output, winners, &mut sums);
            }
            sums
        })
        .collect();
    groups.iter().for_each(|sums| sums.add_to(shape, grad_weights, grad_bias));

    if let Some(grad_input) = grad_input {
        assert_eq!(grad_input.len(), shape.input_len(), "length of grad_input");
        let packed = grad_input::pack(shape, weights);
        grad_input
            .par_chunks_mut(image)
            .zip(grad_output.par_chunks(pooled))
            .zip(winners.par_chunks(pooled))
            .for_each_init(
                || vec![0.0; shape.padded_len()],
                |padded, ((grad_input, grad_output), winners)| {
                    padded.fill(0.0);
                    grad_input::image(isa, shape, &packed, grad_output, winners, padded);
                    unpad(shape, padded, grad_input);
                },
            );
    }
}

fn check(shape: Shape, input: &[f32], weights: &[f32], bias: usize) {
    assert!(shape.in_channels > 0 && shape.out_channels > 0, "no channels");
    assert!(shape.out_channels <= usize::from(u16::MAX), "more than 65535 output channels");
    assert_eq!(input.len(), shape.input_len(), "length of input");
    assert_eq!(weights.len(), shape.weight_len(), "length of weights");
    assert_eq!(bias, shape.out_channels, "length of bias");
}

/// Copies a picture into the middle of a zeroed one that is a pixel larger on every side.
fn pad(shape: Shape, input: &[f32], padded: &mut [f32]) {
    let (row, ci) = (shape.width * shape.in_channels, shape.in_channels);
    let rows = padded[..(shape.height + 2) * shape.padded_row()].chunks_exact_mut(shape.padded_row());
    // The border is zero since the buffer was made, and stays so.
    for (to, from) in rows.skip(1).zip(input.chunks_exact(row)) {
        to[ci..ci + row].copy_from_slice(from);
    }
}

/// Copies the middle out again.
fn unpad(shape: Shape, padded: &[f32], output: &mut [f32]) {
    let (row, ci) = (shape.width * shape.in_channels, shape.in_channels);
    let rows = padded.chunks_exact(shape.padded_row());
    for (from, to) in rows.skip(1).zip(output.chunks_exact_mut(row)) {
        to.copy_from_slice(&from[ci..ci + row]);
    }
}
