//! The fully connected layer, `y = x W' + b`, with optional ReLU, forward and backward.
//!
//! In a training step there are many weights and few images, so memory bandwidth is the limit: the input columns are
//! cut into pieces whose part of `x` and `W` fits in the cache and is read once, and the threads share the pieces. The
//! cut depends only on sizes, and partial sums are added in order, so the result does not depend on the number of
//! threads.

mod combine;
mod dot;

use std::cell::Cell;

use rayon::prelude::*;

use crate::isa::Isa;
use crate::scratch::Buffer;

/// The shape of one layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Images in the batch.
    pub batch: usize,
    /// Input features of each image.
    pub inputs: usize,
    /// Output features of each image.
    pub outputs: usize,
}

/// The activation of the layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    None,
    /// Negative outputs become zero.
    Relu,
}

/// Input columns per piece.
const PIECE: usize = 1024;

// Partial sums of the pieces; the gradient before the activation, and its transpose.
thread_local!(static SHARED: Cell<[Buffer; 3]> = Cell::default());

/// Computes `output` `[n, outputs]` from `input` `[n, inputs]`, `weights` `[outputs, inputs]` and `bias` `[outputs]`.
///
/// # Panics
/// If a slice's length does not match `shape`.
pub fn forward(
    isa: Isa,
    shape: Shape,
    activation: Activation,
    input: &[f32],
    weights: &[f32],
    bias: &[f32],
    output: &mut [f32],
) {
    let Shape { batch, inputs, outputs } = shape;
    check(shape, input, weights, bias);
    assert_eq!(output.len(), batch * outputs, "length of output");
    if output.is_empty() {
        return;
    }
    let mut kept = SHARED.take();
    let sums = kept[0].get(inputs.div_ceil(PIECE) * output.len());
    sums.par_chunks_mut(output.len()).enumerate().for_each(|(piece, sums)| {
        let columns = piece * PIECE..((piece + 1) * PIECE).min(inputs);
        dot::products(isa, shape, columns, input, weights, sums);
    });
    output
        .chunks_exact_mut(outputs)
        .for_each(|row| row.copy_from_slice(bias));
    for sums in sums.chunks_exact(batch * outputs) {
        output.iter_mut().zip(sums).for_each(|(output, sum)| *output += sum);
    }
    SHARED.set(kept);
    if activation == Activation::Relu {
        // Not max(): NaN has to propagate, so that training notices it.
        output
            .iter_mut()
            .filter(|value| **value < 0.0)
            .for_each(|value| *value = 0.0);
    }
}

/// Gradients of weights, bias and, if requested, input, from `grad_output` `[n, outputs]`; all are overwritten.
/// `output` is that of [`forward`].
///
/// # Panics
/// If a slice's length does not match `shape`.
#[allow(clippy::too_many_arguments, reason = "one slice for each tensor of the step")]
pub fn backward(
    isa: Isa,
    shape: Shape,
    activation: Activation,
    input: &[f32],
    weights: &[f32],
    output: &[f32],
    grad_output: &[f32],
    grad_weights: &mut [f32],
    grad_bias: &mut [f32],
    grad_input: Option<&mut [f32]>,
) {
    let Shape { batch, inputs, outputs } = shape;
    check(shape, input, weights, grad_bias);
    assert_eq!(output.len(), batch * outputs, "length of output");
    assert_eq!(grad_output.len(), batch * outputs, "length of grad_output");
    assert_eq!(grad_weights.len(), outputs * inputs, "length of grad_weights");
    let mut kept = SHARED.take();
    let [_, gradient, transposed] = &mut kept;
    let (gradient, transposed) = (gradient.get(batch * outputs), transposed.get(batch * outputs));
    grad_bias.fill(0.0);
    for (at, (from, output)) in grad_output.iter().zip(output).enumerate() {
        let cut = activation == Activation::Relu && *output <= 0.0;
        gradient[at] = if cut { 0.0 } else { *from };
        let (n, o) = (at / outputs, at % outputs);
        transposed[o * batch + n] = gradient[at];
        grad_bias[o] += gradient[at];
    }
    by_columns(grad_weights, inputs, |first, rows| {
        combine::rows(isa, first, batch, transposed, input, inputs, rows)
    });
    if let Some(grad_input) = grad_input {
        assert_eq!(grad_input.len(), batch * inputs, "length of grad_input");
        by_columns(grad_input, inputs, |first, rows| {
            combine::rows(isa, first, outputs, gradient, weights, inputs, rows)
        });
    }
    SHARED.set(kept);
}

/// Calls `run` for each piece of a matrix's columns, with its first column and its part of each row.
fn by_columns(matrix: &mut [f32], width: usize, run: impl Fn(usize, &mut [&mut [f32]]) + Sync) {
    if matrix.is_empty() {
        return;
    }
    let mut pieces: Vec<Vec<&mut [f32]>> = (0..width.div_ceil(PIECE)).map(|_| Vec::new()).collect();
    for row in matrix.chunks_exact_mut(width) {
        pieces
            .iter_mut()
            .zip(row.chunks_mut(PIECE))
            .for_each(|(piece, part)| piece.push(part));
    }
    pieces
        .par_iter_mut()
        .enumerate()
        .for_each(|(piece, rows)| run(piece * PIECE, rows));
}

fn check(shape: Shape, input: &[f32], weights: &[f32], bias: &[f32]) {
    assert!(shape.inputs > 0 && shape.outputs > 0, "no input or output features");
    assert_eq!(input.len(), shape.batch * shape.inputs, "length of input");
    assert_eq!(weights.len(), shape.outputs * shape.inputs, "length of weights");
    assert_eq!(bias.len(), shape.outputs, "length of bias");
}
