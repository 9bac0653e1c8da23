//! Activations, in the convolution's epilogue and on slices.

use crate::exponential::exp;
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
    /// x * min(max(x / 6 + 1 / 2, 0), 1), Howard et al. 2019.
    HardSwish,
    /// x * (1 + erf(x / sqrt(2))) / 2, Hendrycks and Gimpel 2016.
    Gelu,
}

impl Activation {
    /// All there are.
    pub const ALL: [Activation; 6] = [
        Activation::None,
        Activation::Relu,
        Activation::Relu6,
        Activation::Silu,
        Activation::HardSwish,
        Activation::Gelu,
    ];

    /// The range that values are clamped to, where that is all there is to it.
    #[inline(always)]
    pub(crate) fn limits(self) -> Option<[f32; 2]> {
        match self {
            Activation::None => Some([f32::NEG_INFINITY, f32::INFINITY]),
            Activation::Relu => Some([0.0, f32::INFINITY]),
            Activation::Relu6 => Some([0.0, 6.0]),
            Activation::Silu | Activation::HardSwish | Activation::Gelu => None,
        }
    }

    /// Whether the gradient can be computed from the output instead of the input.
    pub fn is_known_by_output(self) -> bool {
        self.limits().is_some()
    }
}

/// The function of each value, of those that are no clamp.
#[inline(always)]
pub(super) fn curve<const FUSED: bool>(activation: Activation, values: &mut [f32]) {
    let values = values.iter_mut();
    match activation {
        Activation::None | Activation::Relu | Activation::Relu6 => {}
        Activation::Silu => values.for_each(|x| *x *= sigmoid::<FUSED>(*x)),
        Activation::HardSwish => values.for_each(|x| *x *= hard_sigmoid::<FUSED>(*x)),
        Activation::Gelu => values.for_each(|x| *x *= normal_below::<FUSED>(*x)),
    }
}

/// min(max(x / 6 + 1 / 2, 0), 1). NaN propagates.
#[inline(always)]
fn hard_sigmoid<const FUSED: bool>(x: f32) -> f32 {
    let y = multiply_add::<FUSED>(x, 1.0 / 6.0, 0.5);
    let y = if y < 0.0 { 0.0 } else { y };
    if y > 1.0 { 1.0 } else { y }
}

/// The share of a normal distribution below `x`, (1 + erf(x / sqrt(2))) / 2, within 1e-7: Abramowitz and Stegun 1964,
/// formula 7.1.26.
#[inline(always)]
fn normal_below<const FUSED: bool>(x: f32) -> f32 {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / multiply_add::<FUSED>(z, 0.327_591_1, 1.0);
    let mut p = 1.061_405_4;
    for coefficient in [-1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6] {
        p = multiply_add::<FUSED>(p, t, coefficient);
    }
    let above = 0.5 * p * t * exp::<FUSED>(-z * z);
    if x < 0.0 { above } else { 1.0 - above }
}

/// 1 / (1 + exp(-x)), accurate to about 2 ulp.
#[inline(always)]
fn sigmoid<const FUSED: bool>(x: f32) -> f32 {
    1.0 / (1.0 + exp::<FUSED>(-x))
}

/// Values per parallel chunk; affects speed only, never the result.
const PIECE: usize = 1 << 14;

/// Applies the activation to every value. NaN propagates.
pub fn activate(isa: Isa, activation: Activation, values: &mut [f32]) {
    values
        .par_chunks_mut(PIECE)
        .for_each(|values| activate_piece(isa, activation, values));
}

/// Turns the gradient of the activation's output into that of its input, in place. `saved` holds the inputs, or the
/// outputs, see [`Activation::is_known_by_output`].
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
    let Some([low, high]) = activation.limits() else {
        return curve::<FUSED>(activation, values);
    };
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
        Activation::HardSwish => pairs.for_each(|(grad, &x)| {
            let inside = if x > -3.0 && x < 3.0 { x / 6.0 } else { 0.0 };
            *grad *= hard_sigmoid::<FUSED>(x) + inside;
        }),
        Activation::Gelu => pairs.for_each(|(grad, &x)| {
            /// 1 / sqrt(2 * pi).
            const PEAK: f32 = 0.398_942_3;
            let density = PEAK * exp::<FUSED>(-0.5 * x * x);
            *grad *= normal_below::<FUSED>(x) + x * density;
        }),
    }
}
