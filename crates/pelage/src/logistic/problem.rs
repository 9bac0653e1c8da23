//! What is minimized, over all rows of features or some of them.

use rayon::prelude::*;

use super::lbfgs;

/// Labelled rows of features.
#[derive(Clone, Copy)]
pub struct Samples<'a> {
    /// `[n, dimension]`, row-major.
    pub features: &'a [f32],
    /// The class of each row, below [`Samples::classes`].
    pub labels: &'a [usize],
    /// Number of classes.
    pub classes: usize,
    /// Columns that come from one source: regularization weighs each of these blocks alike, however large its values.
    pub blocks: &'a [usize],
    /// What the loss of each class's rows is multiplied by; `None`: 1.
    pub class_weights: Option<&'a [f32]>,
    /// Fraction of each target that is spread over all classes, 0 to 1.
    pub label_smoothing: f64,
}

/// A linear function from features to logits.
#[derive(Clone, Debug, PartialEq)]
pub struct Coefficients {
    /// `[classes, dimension]`, row-major.
    pub weights: Vec<f64>,
    /// One value a class.
    pub bias: Vec<f64>,
}

/// Pieces of the rows: summed each by itself, then in order, so that the threads do not show.
const PIECES: usize = 16;
/// Steps of one fit, at most; it needs some hundreds.
const STEPS: usize = 2000;
/// The largest value of the gradient at the optimum.
const TOLERANCE: f64 = 1e-7;

impl Samples<'_> {
    /// Values of a row.
    pub fn dimension(&self) -> usize {
        self.blocks.iter().sum()
    }

    pub(super) fn row(&self, i: usize) -> &[f32] {
        let dimension = self.dimension();
        &self.features[i * dimension..(i + 1) * dimension]
    }

    /// The mean loss of `function` on all rows, and how many it puts into their class.
    pub fn score(&self, function: &Coefficients) -> (f64, usize) {
        let rows: Vec<_> = (0..self.labels.len()).collect();
        let sums = summed(&rows, 3, |row, sums| {
            let (logits, label) = (function.logits(self.row(row)), self.labels[row]);
            let weight = self.weight(label);
            let (log_sum, smoothing) = (log_sum(&logits), self.label_smoothing);
            let mean = logits.iter().sum::<f64>() / self.classes as f64;
            sums[0] += weight * (log_sum - (1.0 - smoothing) * logits[label] - smoothing * mean);
            sums[1] += weight;
            sums[2] += f64::from(u8::from((0..self.classes).all(|class| logits[class] <= logits[label])));
        });
        (sums[0] / sums[1], sums[2] as usize)
    }

    pub(super) fn weight(&self, label: usize) -> f64 {
        self.class_weights.map_or(1.0, |weights| f64::from(weights[label]))
    }
}

/// The coefficients that minimize the mean loss over all `samples` plus `strength / 2` times the sum of the squared
/// weights, where each block's features have the mean 0 and a mean squared length of 1.
pub fn fit(samples: &Samples, strength: f64) -> Coefficients {
    let rows: Vec<_> = (0..samples.labels.len()).collect();
    let problem = Problem::new(samples, &rows);
    let start = problem.start();
    problem.coefficients(&problem.solve(start, strength, TOLERANCE, STEPS))
}

/// Some of the samples, with what their features are moved and scaled by.
pub(super) struct Problem<'a> {
    samples: &'a Samples<'a>,
    rows: &'a [usize],
    mean: Vec<f64>,
    scale: Vec<f64>,
    /// The sum of the weights of the rows.
    total: f64,
}

impl<'a> Problem<'a> {
    pub(super) fn new(samples: &'a Samples<'a>, rows: &'a [usize]) -> Self {
        let count = rows.len().max(1) as f64;
        let sums = summed(rows, samples.dimension(), |row, sums| {
            let values = sums.iter_mut().zip(samples.row(row));
            values.for_each(|(sum, &value)| *sum += f64::from(value));
        });
        let mean: Vec<f64> = sums.into_iter().map(|sum| sum / count).collect();
        let squares = summed(rows, mean.len(), |row, sums| {
            let values = sums.iter_mut().zip(samples.row(row)).zip(&mean);
            values.for_each(|((sum, &value), mean)| *sum += (f64::from(value) - mean).powi(2));
        });
        let mut scale = Vec::with_capacity(mean.len());
        for &width in samples.blocks {
            let length: f64 = squares[scale.len()..scale.len() + width].iter().sum::<f64>() / count;
            // Features that are all the same tell nothing.
            let factor = if length > 0.0 { length.sqrt().recip() } else { 0.0 };
            scale.resize(scale.len() + width, factor);
        }
        Problem {
            total: rows.iter().map(|&row| samples.weight(samples.labels[row])).sum(),
            samples,
            rows,
            mean,
            scale,
        }
    }

    /// Where a solution begins: no weights, then the biases.
    pub(super) fn start(&self) -> Vec<f64> {
        vec![0.0; self.samples.classes * (self.mean.len() + 1)]
    }

    pub(super) fn solve(&self, start: Vec<f64>, strength: f64, tolerance: f64, steps: usize) -> Vec<f64> {
        lbfgs::minimize(start, tolerance, steps, |at, gradient| {
            self.objective(at, strength, gradient)
        })
    }

    /// The same function of features as they come.
    pub(super) fn coefficients(&self, solution: &[f64]) -> Coefficients {
        let (weights, bias) = solution.split_at(self.samples.classes * self.mean.len());
        let rows = weights.chunks(self.mean.len());
        let weights: Vec<f64> = rows
            .flat_map(|row| row.iter().zip(&self.scale).map(|(w, s)| w * s))
            .collect();
        let rows = weights.chunks(self.mean.len()).zip(bias);
        let bias = rows.map(|(row, bias)| bias - row.iter().zip(&self.mean).map(|(w, mean)| w * mean).sum::<f64>());
        Coefficients {
            bias: bias.collect(),
            weights,
        }
    }

    fn objective(&self, at: &[f64], strength: f64, gradient: &mut [f64]) -> f64 {
        let (classes, dimension) = (self.samples.classes, self.mean.len());
        let function = self.coefficients(at);
        // The gradients of weights and biases, and last the loss.
        let mut sums = summed(self.rows, classes * (dimension + 1) + 1, |row, sums| {
            let (features, label) = (self.samples.row(row), self.samples.labels[row]);
            let weight = self.samples.weight(label);
            let mut logits = function.logits(features);
            let log_sum = log_sum(&logits);
            let spread = self.samples.label_smoothing / classes as f64;
            let last = sums.len() - 1;
            for (class, logit) in logits.iter_mut().enumerate() {
                let own = if class == label {
                    1.0 - self.samples.label_smoothing
                } else {
                    0.0
                };
                let target = own + spread;
                sums[last] += weight * target * (log_sum - *logit);
                *logit = weight * ((*logit - log_sum).exp() - target);
                sums[classes * dimension + class] += *logit;
                let sums = &mut sums[class * dimension..(class + 1) * dimension];
                let sums = sums.iter_mut().zip(features);
                sums.for_each(|(sum, &value)| *sum += *logit * f64::from(value));
            }
        });
        let loss = sums.pop().unwrap_or_default() / self.total;
        let mut squares = 0.0;
        let (weights, biases) = gradient.split_at_mut(classes * dimension);
        for class in 0..classes {
            let residual = sums[classes * dimension + class] / self.total;
            biases[class] = residual;
            for j in 0..dimension {
                let (i, value) = (class * dimension + j, at[class * dimension + j]);
                weights[i] = self.scale[j] * (sums[i] / self.total - self.mean[j] * residual) + strength * value;
                squares += value * value;
            }
        }
        loss + 0.5 * strength * squares
    }
}

impl Coefficients {
    /// The logits of one row of features.
    pub fn logits(&self, features: &[f32]) -> Vec<f64> {
        let rows = self.weights.chunks(features.len()).zip(&self.bias);
        rows.map(|(row, bias)| bias + dot(row, features)).collect()
    }
}

/// The logarithm of the sum of the powers of e.
pub(super) fn log_sum(logits: &[f64]) -> f64 {
    let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    top + logits.iter().map(|logit| (logit - top).exp()).sum::<f64>().ln()
}

/// In eight sums, which the compiler keeps in vector registers.
fn dot(a: &[f64], b: &[f32]) -> f64 {
    let (mut sums, whole) = ([0.0; 8], a.len() / 8 * 8);
    for (a, b) in a[..whole].chunks_exact(8).zip(b[..whole].chunks_exact(8)) {
        for lane in 0..8 {
            sums[lane] += a[lane] * f64::from(b[lane]);
        }
    }
    let rest: f64 = a[whole..].iter().zip(&b[whole..]).map(|(a, &b)| a * f64::from(b)).sum();
    sums.iter().sum::<f64>() + rest
}

/// `width` sums over `rows`, to which `add` adds one row's share.
fn summed(rows: &[usize], width: usize, add: impl Fn(usize, &mut [f64]) + Sync) -> Vec<f64> {
    let piece = |number: usize| rows.len() * number / PIECES..rows.len() * (number + 1) / PIECES;
    let pieces: Vec<Vec<f64>> = (0..PIECES)
        .into_par_iter()
        .map(|number| {
            let mut sums = vec![0.0; width];
            rows[piece(number)].iter().for_each(|&row| add(row, &mut sums));
            sums
        })
        .collect();
    let mut all = vec![0.0; width];
    for sums in pieces {
        all.iter_mut().zip(sums).for_each(|(all, sum)| *all += sum);
    }
    all
}
