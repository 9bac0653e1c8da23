//! Optimizer steps in Keras's formulation, each a single pass over parameters, gradients and state, in place.

use rayon::prelude::*;

use crate::isa::{Isa, for_each_isa, multiply_add};

/// Parameters per parallel chunk; affects speed only, never the result.
const PIECE: usize = 1 << 14;

/// The learning rate and weight decay of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// The learning rate.
    pub learning_rate: f64,
    /// Fraction of each parameter that is added to its gradient or, if decoupled (AdamW), subtracted from the
    /// parameter after multiplication by the learning rate.
    pub weight_decay: f64,
}

/// Stochastic gradient descent with momentum (0: none), optionally Nesterov's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sgd {
    /// Fraction of the previous velocity that is kept.
    pub momentum: f64,
    /// Whether to use Nesterov momentum.
    pub nesterov: bool,
}

/// RMSprop (Hinton 2012) without momentum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RmsProp {
    /// Decay rate of the moving average of squared gradients.
    pub rho: f64,
    /// Added to the average under the square root.
    pub epsilon: f64,
}

/// Adam (Kingma and Ba 2015, end of section 2), or AdamW (Loshchilov and Hutter 2019).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    /// Decay rate of the first moment, the moving average of gradients.
    pub beta1: f64,
    /// Decay rate of the second moment, the moving average of squared gradients.
    pub beta2: f64,
    /// Added to the square root of the second moment.
    pub epsilon: f64,
    /// Whether weight decay is decoupled from the gradient: AdamW.
    pub decoupled: bool,
}

/// `velocity = momentum velocity - rate gradient`; `parameter += velocity`, or, with Nesterov, `parameter += momentum
/// velocity - rate gradient`.
///
/// # Panics
/// If the slices' lengths differ.
pub fn sgd(isa: Isa, rule: Sgd, rate: Rate, parameters: &mut [f32], gradients: &[f32], velocity: &mut [f32]) {
    same(parameters, [gradients, velocity]);
    let pieces = parameters.par_chunks_mut(PIECE).zip(gradients.par_chunks(PIECE));
    pieces
        .zip(velocity.par_chunks_mut(PIECE))
        .for_each(|((parameters, gradients), velocity)| {
            sgd_piece(isa, rule, rate, parameters, gradients, velocity);
        });
}

/// `square = rho square + (1 - rho) gradient^2`; `parameter -= rate gradient / sqrt(square + epsilon)`.
///
/// # Panics
/// If the slices' lengths differ.
pub fn rms_prop(isa: Isa, rule: RmsProp, rate: Rate, parameters: &mut [f32], gradients: &[f32], square: &mut [f32]) {
    same(parameters, [gradients, square]);
    let pieces = parameters.par_chunks_mut(PIECE).zip(gradients.par_chunks(PIECE));
    pieces
        .zip(square.par_chunks_mut(PIECE))
        .for_each(|((parameters, gradients), square)| {
            rms_prop_piece(isa, rule, rate, parameters, gradients, square);
        });
}

/// `mean = beta1 mean + (1 - beta1) gradient`; `square = beta2 square + (1 - beta2) gradient^2`; `parameter -= rate
/// sqrt(1 - beta2^t) / (1 - beta1^t) mean / (sqrt(square) + epsilon)`, where `t` counts steps from 1.
///
/// # Panics
/// If the slices' lengths differ.
#[allow(clippy::too_many_arguments, reason = "one slice for each tensor of the step")]
pub fn adam(
    isa: Isa,
    rule: Adam,
    rate: Rate,
    t: u64,
    parameters: &mut [f32],
    gradients: &[f32],
    mean: &mut [f32],
    square: &mut [f32],
) {
    same(parameters, [gradients, mean, square]);
    let pieces = parameters.par_chunks_mut(PIECE).zip(gradients.par_chunks(PIECE));
    let pieces = pieces.zip(mean.par_chunks_mut(PIECE)).zip(square.par_chunks_mut(PIECE));
    pieces.for_each(|(((parameters, gradients), mean), square)| {
        adam_piece(isa, rule, rate, t, parameters, gradients, mean, square);
    });
}

fn same<const N: usize>(parameters: &[f32], others: [&[f32]; N]) {
    assert!(
        others.iter().all(|other| other.len() == parameters.len()),
        "slices of different lengths"
    );
}

for_each_isa!(fused sgd_piece, sgd_body, (
    rule: Sgd,
    rate: Rate,
    parameters: &mut [f32],
    gradients: &[f32],
    velocity: &mut [f32],
));

#[inline(always)]
fn sgd_body<const FUSED: bool>(rule: Sgd, rate: Rate, parameters: &mut [f32], gradients: &[f32], velocity: &mut [f32]) {
    let (momentum, learning_rate, decay) = (
        rule.momentum as f32,
        rate.learning_rate as f32,
        rate.weight_decay as f32,
    );
    for ((parameter, gradient), velocity) in parameters.iter_mut().zip(gradients).zip(velocity) {
        let descent = learning_rate * multiply_add::<FUSED>(decay, *parameter, *gradient);
        *velocity = multiply_add::<FUSED>(momentum, *velocity, -descent);
        *parameter += match rule.nesterov {
            true => multiply_add::<FUSED>(momentum, *velocity, -descent),
            false => *velocity,
        };
    }
}

for_each_isa!(fused rms_prop_piece, rms_prop_body, (
    rule: RmsProp,
    rate: Rate,
    parameters: &mut [f32],
    gradients: &[f32],
    square: &mut [f32],
));

#[inline(always)]
fn rms_prop_body<const FUSED: bool>(
    rule: RmsProp,
    rate: Rate,
    parameters: &mut [f32],
    gradients: &[f32],
    square: &mut [f32],
) {
    let (rho, rest, epsilon) = (rule.rho as f32, (1.0 - rule.rho) as f32, rule.epsilon as f32);
    let (learning_rate, decay) = (rate.learning_rate as f32, rate.weight_decay as f32);
    for ((parameter, gradient), square) in parameters.iter_mut().zip(gradients).zip(square) {
        let gradient = multiply_add::<FUSED>(decay, *parameter, *gradient);
        *square = multiply_add::<FUSED>(rho, *square, rest * gradient * gradient);
        *parameter -= learning_rate * gradient / (*square + epsilon).sqrt();
    }
}

for_each_isa!(fused adam_piece, adam_body, (
    rule: Adam,
    rate: Rate,
    t: u64,
    parameters: &mut [f32],
    gradients: &[f32],
    mean: &mut [f32],
    square: &mut [f32],
));

#[inline(always)]
fn adam_body<const FUSED: bool>(
    rule: Adam,
    rate: Rate,
    t: u64,
    parameters: &mut [f32],
    gradients: &[f32],
    mean: &mut [f32],
    square: &mut [f32],
) {
    let (beta1, rest1) = (rule.beta1 as f32, (1.0 - rule.beta1) as f32);
    let (beta2, rest2) = (rule.beta2 as f32, (1.0 - rule.beta2) as f32);
    let unbias = (1.0 - rule.beta2.powf(t as f64)).sqrt() / (1.0 - rule.beta1.powf(t as f64));
    let (step, epsilon) = ((rate.learning_rate * unbias) as f32, rule.epsilon as f32);
    let (decay, keep) = match rule.decoupled {
        true => (0.0, (1.0 - rate.learning_rate * rate.weight_decay) as f32),
        false => (rate.weight_decay as f32, 1.0),
    };
    for (((parameter, gradient), mean), square) in parameters.iter_mut().zip(gradients).zip(mean).zip(square) {
        let gradient = multiply_add::<FUSED>(decay, *parameter, *gradient);
        *mean = multiply_add::<FUSED>(beta1, *mean, rest1 * gradient);
        *square = multiply_add::<FUSED>(beta2, *square, rest2 * gradient * gradient);
        *parameter = multiply_add::<FUSED>(keep, *parameter, -(step * *mean / (square.sqrt() + epsilon)));
    }
}
