//! Activations, in the convolution's epilogue and on slices.

use crate::isa::{Isa, for_each_isa, multiply_add};
use rayon::prelude::*;

/// The activation function applied to a convolution's sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    None,
    /// max(x, 0).
    Relu,
    /// min(max(x, 0), 6).
    Relu6,
    /// x / (1 + exp(-x)).
    Silu,
}

impl Activation {
    /// The range that values are clamped to; unbounded for SiLU.
    #[inline(always)]
    pub(super) fn limits(self) -> [f32; 2] {
        match self {
            Activation::None | Activation::Silu => [f32::NEG_INFINITY, f32::INFINITY],
            Activation::Relu => [0.0, f32::INFINITY],
            Activation::Relu6 => [0.0, 6.0],
        }
    }
}

/// x / (1 + exp(-x)) for each value.
#[inline(always)]
pub(super) fn silu<const FUSED: bool>(values: &mut [f32]) {
    values.iter_mut().for_each(|x| *x *= sigmoid::<FUSED>(*x));
}

/// 1 / (1 + exp(-x)), accurate to about 2 ulp.
#[inline(always)]
fn sigmoid<const FUSED: bool>(x: f32) -> f32 {
    1.0 / (1.0 + exp::<FUSED>(-x))
}

/// Branchless exp(x): 2^n times a polynomial of the remainder, with the coefficients of Cephes' expf (Moshier). Results
/// saturate at the smallest and largest normal number; NaN propagates.
#[inline(always)]
fn exp<const FUSED: bool>(x: f32) -> f32 {
    /// Adding and subtracting 1.5 * 2^23 rounds to an integer.
    const ROUND: f32 = 12_582_912.0;
    let x = if x < -87.3 { -87.3 } else { x };
    let x = if x > 88.3 { 88.3 } else { x };
    let shifted = multiply_add::<FUSED>(x, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = multiply_add::<FUSED>(n, -0.693_359_4, x);
    let r = multiply_add::<FUSED>(n, 2.121_944_4e-4, r);
    let mut p = 1.987_569_1e-4;
    for coefficient in [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5, 1.0, 1.0] {
        p = multiply_add::<FUSED>(p, r, coefficient);
    }
    // The low bits of `shifted` are n; added to the exponent, they scale by 2^n.
    p * f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3f80_0000))
}

/// Values per parallel chunk; affects speed only, never the result.
const PIECE: usize = 1 << 14;

/// Applies the activation to every value. NaN propagates.
pub fn activate(isa: Isa, activation: Activation, values: &mut [f32]) {
    values
        .par_chunks_mut(PIECE)
        .for_each(|values| activate_piece(isa, activation, values));
}

/// Turns the gradient of the activation's output into that of its input, in place. `saved` holds the inputs; for ReLU
/// and ReLU6, the outputs work as well.
///
/// # Panics
/// If the lengths differ.
pub fn activation_backward(isa: Isa, activation: Activation, saved: &[f32], grad: &mut [f32]) {
    assert_eq!(saved.len(), grad.len(), "length of saved");
    let pieces = grad.par_chunks_mut(PIECE).zip(saved.par_chunks(PIECE));
    pieces.for_each(|(grad, saved)| backward_piece(isa, activation, saved, grad));
}

for_each_isa!(fused activate_piece, activate_body, (activation: Activation, values: &mut [f32]));

#[inline(always)]
fn activate_body<const FUSED: bool>(activation: Activation, values: &mut [f32]) {
    if activation == Activation::Silu {
        return silu::<FUSED>(values);
    }
    let [low, high] = activation.limits();
    for x in values {
        // Written so that NaN propagates.
        *x = if low > *x { low } else { *x };
        *x = if high < *x { high } else { *x };
    }
}

for_each_isa!(fused backward_piece, backward_body, (activation: Activation, saved: &[f32], grad: &mut [f32]));

#[inline(always)]
fn backward_body<const FUSED: bool>(activation: Activation, saved: &[f32], grad: &mut [f32]) {
    let pairs = grad.iter_mut().zip(saved);
    match activation {
        Activation::None => {}
        Activation::Relu => pairs.for_each(|(grad, &x)| *grad = if x > 0.0 { *grad } else { 0.0 }),
        Activation::Relu6 => pairs.for_each(|(grad, &x)| *grad = if x > 0.0 && x < 6.0 { *grad } else { 0.0 }),
        Activation::Silu => pairs.for_each(|(grad, &x)| {
            let s = sigmoid::<FUSED>(x);
            *grad *= s * (1.0 + x * (1.0 - s));
        }),
    }
}
