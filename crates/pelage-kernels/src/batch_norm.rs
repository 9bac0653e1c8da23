//! Batch normalization in training (Ioffe and Szegedy 2015), with residual addition and activation, forward and
//! backward, channels last.
//!
//! Memory bandwidth is the limit, so each direction makes only two passes: one sums over all pixels, one writes. Sums
//! are taken over pieces that fit in the L1 cache and added in order in double precision, so that the result does not
//! depend on the number of threads. Rows of few channels are processed several at a time to fill the vectors.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use crate::convolution::{Activation, activate, activation_backward};
use crate::fresh::Fresh;
use crate::isa::{Isa, for_each_isa, multiply_add};

/// Approximate number of values per parallel piece; fits in the L1 cache.
const PIECE: usize = 4096;
/// Approximate number of values in a wide row: the channels, repeated.
const WIDE: usize = 64;

/// Mean and (biased) variance of each channel over all pixels of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Statistics {
    /// `[c]`.
    pub mean: Vec<f32>,
    /// `[c]`.
    pub variance: Vec<f32>,
}

/// How a batch is normalized: `activation((x - mean) / sqrt(variance + epsilon) * scale + shift +
/// residual)`.
#[derive(Clone, Copy, Debug)]
pub struct Affine<'a> {
    /// `[c]`, gamma in the paper.
    pub scale: &'a [f32],
    /// `[c]`, beta in the paper.
    pub shift: &'a [f32],
    /// Added to the variance.
    pub epsilon: f32,
    /// Applied last.
    pub activation: Activation,
}

/// Gradients from a backward pass.
#[derive(Clone, Debug)]
pub struct Gradients {
    /// Of the input, `[pixels, c]`.
    pub input: Vec<f32>,
    /// Of the scale, `[c]`.
    pub scale: Vec<f32>,
    /// Of the shift, `[c]`.
    pub shift: Vec<f32>,
    /// Of the sum before the activation, `[pixels, c]`; also that of the residual.
    pub sum: Vec<f32>,
}

/// Other processes that normalize their parts of the same batch, so that all of it counts as one.
#[derive(Clone, Copy)]
pub struct Together<'a> {
    /// Pixels of all parts.
    pub pixels: usize,
    /// Replaces numbers by their sums over all parts.
    pub sum: &'a dyn Fn(&mut [f64]),
}

impl Together<'_> {
    /// The statistics of all parts, given those of this one over so many pixels.
    pub fn statistics(&self, own: &Statistics, pixels: usize) -> Statistics {
        let (own_share, mean) = (
            pixels as f64 / self.pixels as f64,
            own.mean.iter().map(|&mean| f64::from(mean)),
        );
        let mut means: Vec<f64> = mean.clone().map(|mean| mean * own_share).collect();
        (self.sum)(&mut means);
        let variances = own.variance.iter().map(|&variance| f64::from(variance));
        let about = variances
            .zip(mean)
            .zip(&means)
            .map(|((variance, mean), all)| variance + (mean - all).powi(2));
        let mut variances: Vec<f64> = about.map(|about| about * own_share).collect();
        (self.sum)(&mut variances);
        let narrow = |values: Vec<f64>| values.into_iter().map(|value| value as f32).collect();
        Statistics {
            mean: narrow(means),
            variance: narrow(variances),
        }
    }
}

/// A row of channels, repeated a whole number of times to about [`WIDE`] values.
fn wide(channels: usize) -> usize {
    channels * WIDE.div_ceil(channels)
}

/// Values per piece: whole wide rows.
fn piece(channels: usize) -> usize {
    let wide = wide(channels);
    wide * (PIECE / wide).max(1)
}

fn repeated(row: impl Iterator<Item = f32>, wide: usize) -> Vec<f32> {
    let row: Vec<f32> = row.collect();
    row.iter().copied().cycle().take(wide).collect()
}

/// Mean and variance of each channel of `input` `[pixels, c]`.
///
/// # Panics
/// If the length is 0 or not a multiple of `channels`.
pub fn statistics(isa: Isa, channels: usize, input: &[f32]) -> Statistics {
    check(channels, input.len());
    let parts: Vec<Vec<f32>> = input
        .par_chunks(piece(channels))
        .map(|input| {
            let wide = wide(channels);
            let (mut sum, mut square) = (vec![0.0; wide], vec![0.0; wide]);
            sum_piece(isa, input, &mut sum);
            fold(&mut sum, channels);
            let pixels = (input.len() / channels) as f32;
            let mean: Vec<f32> = sum[..channels].iter().map(|sum| sum / pixels).collect();
            square_piece(isa, input, &repeated(mean.iter().copied(), wide), &mut square);
            fold(&mut square, channels);
            [mean, square[..channels].to_vec()].concat()
        })
        .collect();
    // Chan et al. 1979: combines the means and squared deviations of parts.
    let (mut mean, mut square, mut count) = (vec![0f64; channels], vec![0f64; channels], 0f64);
    for (part, input) in parts.iter().zip(input.chunks(piece(channels))) {
        let new = (input.len() / channels) as f64;
        let total = count + new;
        for c in 0..channels {
            let delta = f64::from(part[c]) - mean[c];
            mean[c] += delta * new / total;
            square[c] += f64::from(part[channels + c]) + delta * delta * count * new / total;
        }
        count = total;
    }
    Statistics {
        mean: mean.iter().map(|&mean| mean as f32).collect(),
        variance: square.iter().map(|square| (square / count) as f32).collect(),
    }
}

/// Normalizes `input` `[pixels, c]` by `statistics`, see [`Affine`]; `residual` is as long as `input`.
///
/// # Panics
/// If the lengths do not match.
pub fn forward(
    isa: Isa,
    input: &[f32],
    statistics: &Statistics,
    affine: &Affine,
    residual: Option<&[f32]>,
) -> Vec<f32> {
    let channels = affine.scale.len();
    check(channels, input.len());
    assert_eq!(affine.shift.len(), channels, "length of shift");
    assert_eq!(statistics.mean.len(), channels, "length of mean");
    assert!(
        residual.is_none_or(|residual| residual.len() == input.len()),
        "length of residual"
    );
    let wide = wide(channels);
    let factor = repeated(factors(statistics, affine), wide);
    let (mean, shift) = (
        repeated(statistics.mean.iter().copied(), wide),
        repeated(affine.shift.iter().copied(), wide),
    );
    let mut output = Fresh::new(input.len());
    let size = piece(channels);
    output.slots().par_chunks_mut(size).enumerate().for_each(|(i, output)| {
        let at = i * size..i * size + output.len();
        normalize_piece(isa, &input[at.clone()], [&mean, &factor, &shift], output);
        // SAFETY: `normalize_piece` wrote every element.
        let output = unsafe { output.assume_init_mut() };
        if let Some(residual) = residual {
            output
                .iter_mut()
                .zip(&residual[at])
                .for_each(|(sum, more)| *sum += more);
        }
        activate(isa, affine.activation, output);
    });
    // SAFETY: each piece was fully written, and the pieces cover everything.
    unsafe { output.into_vec() }
}

/// Gradients, given that of the output; `output` is what [`forward`] returned. SiLU is not supported: its gradient
/// cannot be computed from its output. Of a part of a batch, `together` with the others, those of scale and shift are
/// the part's own.
///
/// # Panics
/// If the lengths do not match, or the activation's gradient cannot be computed from its output.
pub fn backward(
    isa: Isa,
    input: &[f32],
    statistics: &Statistics,
    affine: &Affine,
    output: &[f32],
    gradient: &[f32],
    together: Option<Together>,
) -> Gradients {
    let channels = affine.scale.len();
    check(channels, input.len());
    assert_eq!(output.len(), input.len(), "length of output");
    assert_eq!(gradient.len(), input.len(), "length of gradient");
    assert!(
        affine.activation.is_known_by_output(),
        "the gradient of {:?} cannot be computed from its output",
        affine.activation
    );
    let (wide, size) = (wide(channels), piece(channels));
    let mean = repeated(statistics.mean.iter().copied(), wide);
    let mut before = Fresh::new(input.len());
    let parts: Vec<Vec<f32>> = before
        .slots()
        .par_chunks_mut(size)
        .enumerate()
        .map(|(i, before)| {
            let at = i * size..i * size + before.len();
            let before = before.write_copy_of_slice(&gradient[at.clone()]);
            activation_backward(isa, affine.activation, &output[at.clone()], before);
            let (mut sum, mut product) = (vec![0.0; wide], vec![0.0; wide]);
            sum_piece(isa, before, &mut sum);
            product_piece(isa, &input[at], before, &mean, &mut product);
            fold(&mut sum, channels);
            fold(&mut product, channels);
            [&sum[..channels], &product[..channels]].concat()
        })
        .collect();
    // SAFETY: each piece is fully written by the copy, and the pieces cover everything.
    let before = unsafe { before.into_vec() };
    let mut sums = vec![0f64; 2 * channels];
    for part in &parts {
        sums.iter_mut()
            .zip(part)
            .for_each(|(sum, &part)| *sum += f64::from(part));
    }
    let (sum, product) = sums.split_at(channels);
    let (mut all, mut pixels) = (sums.clone(), input.len() / channels);
    if let Some(together) = together {
        (together.sum)(&mut all);
        pixels = together.pixels;
    }
    let pixels = pixels as f64;
    let deviation = |c: usize| 1.0 / (f64::from(statistics.variance[c]) + f64::from(affine.epsilon)).sqrt();
    // Input gradient: factor * (gradient - its mean - normalized input * mean of (gradient * normalized input)).
    let factor = |c: usize| f64::from(affine.scale[c]) * deviation(c);
    let slope = |c: usize| -factor(c) * deviation(c).powi(2) * all[channels + c] / pixels;
    let constant = |c: usize| -factor(c) * all[c] / pixels;
    let row = |value: &dyn Fn(usize) -> f64| repeated((0..channels).map(|c| value(c) as f32), wide);
    let (factors, slopes, constants) = (row(&factor), row(&slope), row(&constant));
    let mut grad_input = Fresh::new(input.len());
    grad_input
        .slots()
        .par_chunks_mut(size)
        .enumerate()
        .for_each(|(i, grad_input)| {
            let at = i * size..i * size + grad_input.len();
            let rows = [&mean[..], &factors, &slopes, &constants];
            input_piece(isa, &input[at.clone()], &before[at], rows, grad_input);
        });
    // SAFETY: `input_piece` writes every element of its piece, and the pieces cover everything.
    let grad_input = unsafe { grad_input.into_vec() };
    Gradients {
        input: grad_input,
        scale: (0..channels).map(|c| (product[c] * deviation(c)) as f32).collect(),
        shift: sum.iter().map(|&sum| sum as f32).collect(),
        sum: before,
    }
}

fn factors<'a>(statistics: &'a Statistics, affine: &'a Affine) -> impl Iterator<Item = f32> + 'a {
    let pairs = statistics.variance.iter().zip(affine.scale);
    pairs.map(|(variance, scale)| scale / (variance + affine.epsilon).sqrt())
}

fn check(channels: usize, numbers: usize) {
    assert!(channels > 0 && numbers > 0, "a size is 0");
    assert!(numbers.is_multiple_of(channels), "length of input");
}

/// Reduces the sums of a wide row to those of its channels.
fn fold(sums: &mut [f32], channels: usize) {
    let (first, rest) = sums.split_at_mut(channels);
    for more in rest.chunks_exact(channels) {
        first.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
    }
}

for_each_isa!(fused sum_piece, sum_body, (input: &[f32], sum: &mut [f32]));

#[inline(always)]
fn sum_body<const FUSED: bool>(input: &[f32], sum: &mut [f32]) {
    for row in input.chunks(sum.len()) {
        sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
    }
}

for_each_isa!(fused square_piece, square_body, (input: &[f32], mean: &[f32], square: &mut [f32]));

/// Adds squared deviations.
#[inline(always)]
fn square_body<const FUSED: bool>(input: &[f32], mean: &[f32], square: &mut [f32]) {
    for row in input.chunks(square.len()) {
        for ((square, x), mean) in square.iter_mut().zip(row).zip(mean) {
            let deviation = x - mean;
            *square = multiply_add::<FUSED>(deviation, deviation, *square);
        }
    }
}

for_each_isa!(fused product_piece, product_body, (input: &[f32], gradient: &[f32], mean: &[f32], product: &mut [f32]));

/// Adds gradients times deviations.
#[inline(always)]
fn product_body<const FUSED: bool>(input: &[f32], gradient: &[f32], mean: &[f32], product: &mut [f32]) {
    let wide = product.len();
    for (row, gradient) in input.chunks(wide).zip(gradient.chunks(wide)) {
        for (((product, x), gradient), mean) in product.iter_mut().zip(row).zip(gradient).zip(mean) {
            *product = multiply_add::<FUSED>(x - mean, *gradient, *product);
        }
    }
}

for_each_isa!(fused normalize_piece, normalize_body,
    (input: &[f32], rows: [&[f32]; 3], output: &mut [MaybeUninit<f32>]));

#[inline(always)]
fn normalize_body<const FUSED: bool>(
    input: &[f32],
    [mean, factor, shift]: [&[f32]; 3],
    output: &mut [MaybeUninit<f32>],
) {
    let wide = mean.len();
    for (row, output) in input.chunks(wide).zip(output.chunks_mut(wide)) {
        for ((((out, x), mean), factor), shift) in output.iter_mut().zip(row).zip(mean).zip(factor).zip(shift) {
            out.write(multiply_add::<FUSED>(x - mean, *factor, *shift));
        }
    }
}

for_each_isa!(fused input_piece, input_body,
    (input: &[f32], gradient: &[f32], rows: [&[f32]; 4], output: &mut [MaybeUninit<f32>]));

#[inline(always)]
fn input_body<const FUSED: bool>(
    input: &[f32],
    gradient: &[f32],
    [mean, factor, slope, constant]: [&[f32]; 4],
    output: &mut [MaybeUninit<f32>],
) {
    let wide = mean.len();
    let rows = input
        .chunks(wide)
        .zip(gradient.chunks(wide))
        .zip(output.chunks_mut(wide));
    for ((row, gradient), output) in rows {
        let values = output.iter_mut().zip(row).zip(gradient);
        for (i, ((out, x), gradient)) in values.enumerate() {
            let deviation = multiply_add::<FUSED>(x - mean[i], slope[i], constant[i]);
            out.write(multiply_add::<FUSED>(*gradient, factor[i], deviation));
        }
    }
}
