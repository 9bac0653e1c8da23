//! Weight and bias gradients, accumulated image by image.

mod columns;
mod pixels;

use super::Shape;
use crate::isa::Isa;

/// Length of the accumulators, whose layout depends on the number of channels.
pub(super) fn sums_len(shape: Shape) -> usize {
    match columns::suits(shape) {
        true => columns::sums_len(shape),
        false => pixels::sums_len(shape),
    }
}

/// Adds an image's gradients to `sums`.
pub(super) fn image(isa: Isa, shape: Shape, input: &[f32], grad_output: &[f32], winners: &[u8], sums: &mut [f32]) {
    match columns::suits(shape) {
        true => columns::image(isa, shape, input, grad_output, winners, sums),
        false => pixels::image(isa, shape, input, grad_output, winners, sums),
    }
}

/// Adds sums to gradients in the layout `[co, ci, 3, 3]` and `[co]`.
pub(super) fn add_to(shape: Shape, sums: &[f32], grad_weights: &mut [f32], grad_bias: &mut [f32]) {
    match columns::suits(shape) {
        true => columns::add_to(shape, sums, grad_weights, grad_bias),
        false => pixels::add_to(shape, sums, grad_weights, grad_bias),
    }
}
