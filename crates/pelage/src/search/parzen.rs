//! Parzen estimators of a setting, as Optuna's `TPESampler` defines them: one kernel a trial and a wide one for what
//! nobody has tried, each a normal distribution within the bounds, or shares of choices.

use rand::{Rng, RngExt};

use super::distribution::Distribution;
use super::normal::{log_density, log_mass, quantile};

/// Trials whose weight is full: the latest.
const FULL: usize = 25;

/// A mixture of kernels.
#[derive(Clone, Debug)]
pub struct Parzen {
    /// The share of each kernel.
    pub weights: Vec<f64>,
    /// These.
    pub kernels: Kernels,
}

/// The kernels of one setting.
#[derive(Clone, Debug)]
pub enum Kernels {
    /// Normal distributions within bounds.
    Normal {
        /// The means, logarithms where these are spread evenly.
        means: Vec<f64>,
        /// The standard deviations.
        deviations: Vec<f64>,
        /// Where they are cut off.
        bounds: (f64, f64),
        /// What is allowed.
        distribution: Distribution,
    },
    /// The share of each choice, kernel by kernel.
    Shares(Vec<Vec<f64>>),
}

/// The weights of `count` trials, the latest last: the older, the less, from the 25th back.
pub fn weights(count: usize) -> Vec<f64> {
    if count < FULL {
        return vec![1.0; count];
    }
    let old = count - FULL;
    let first = 1.0 / count as f64;
    let ramp = (0..old).map(|i| match old {
        1 => first,
        _ => first + (1.0 - first) * i as f64 / (old - 1) as f64,
    });
    ramp.chain(std::iter::repeat_n(1.0, FULL)).collect()
}

impl Parzen {
    /// Of what trials have in their order, numbers inside `distribution`.
    pub fn new(distribution: &Distribution, observed: &[f64]) -> Parzen {
        let mut weights = weights(observed.len());
        weights.push(1.0);
        let sum: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|weight| *weight /= sum);
        Parzen {
            weights,
            kernels: Kernels::new(distribution, observed),
        }
    }

    /// A draw: a number inside.
    pub fn sample(&self, random: &mut impl Rng) -> f64 {
        self.kernels.sample(chosen(&self.weights, random), random)
    }

    /// The logarithm of the density at `value`, a number inside.
    pub fn log_density(&self, value: f64) -> f64 {
        let kernel = |(k, weight): (usize, &f64)| weight.ln() + self.kernels.log_density(k, value);
        let logs: Vec<f64> = self.weights.iter().enumerate().map(kernel).collect();
        let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        match most.is_finite() {
            true => most + logs.iter().map(|log| (log - most).exp()).sum::<f64>().ln(),
            false => most,
        }
    }
}

/// The index of one of `weights`, whose sum is 1.
fn chosen(weights: &[f64], random: &mut impl Rng) -> usize {
    let (drawn, mut sum): (f64, f64) = (random.random(), 0.0);
    let found = weights.iter().position(|weight| {
        sum += weight;
        drawn < sum
    });
    found.unwrap_or(weights.len() - 1)
}

impl Kernels {
    fn new(distribution: &Distribution, observed: &[f64]) -> Kernels {
        if let Some(choices) = distribution.choices() {
            return shares(choices.len(), observed);
        }
        let (low, high) = bounds(distribution);
        let mut means: Vec<f64> = match distribution.is_log() {
            true => observed.iter().map(|value| value.ln()).collect(),
            false => observed.to_vec(),
        };
        let mut deviations = deviations(&means, low, high);
        means.push(0.5 * (low + high));
        deviations.push(high - low);
        Kernels::Normal {
            means,
            deviations,
            // Of logarithms, what is cut off is not the logarithm of what is half a step outside.
            bounds: (low, high),
            distribution: distribution.clone(),
        }
    }

    fn sample(&self, kernel: usize, random: &mut impl Rng) -> f64 {
        match self {
            Kernels::Shares(shares) => chosen(&shares[kernel], random) as f64,
            Kernels::Normal {
                means,
                deviations,
                bounds: (low, high),
                distribution,
            } => {
                let (mean, deviation) = (means[kernel], deviations[kernel]);
                let drawn = quantile(random.random(), (low - mean) / deviation, (high - mean) / deviation);
                let value = drawn * deviation + mean;
                distribution.nearest(if distribution.is_log() { value.exp() } else { value })
            }
        }
    }

    fn log_density(&self, kernel: usize, value: f64) -> f64 {
        let (means, deviations, (low, high), distribution) = match self {
            Kernels::Shares(shares) => return shares[kernel][value as usize].ln(),
            Kernels::Normal {
                means,
                deviations,
                bounds,
                distribution,
            } => (means, deviations, *bounds, distribution),
        };
        let (mean, deviation) = (means[kernel], deviations[kernel]);
        let inside = |value: f64| if distribution.is_log() { value.ln() } else { value };
        let standard = |value: f64| (value - mean) / deviation;
        let whole = log_mass(standard(low), standard(high));
        match distribution.step() {
            Some(step) => {
                let [from, to] = [value - step / 2.0, value + step / 2.0].map(|end| standard(inside(end)));
                log_mass(from, to) - whole
            }
            None => log_density(standard(inside(value))) - whole - deviation.ln(),
        }
    }
}

/// Half a step further out than the values that are allowed, where there are steps.
fn bounds(distribution: &Distribution) -> (f64, f64) {
    let (low, high) = distribution.bounds();
    let Some(step) = distribution.step() else {
        return (low, high);
    };
    match distribution.is_log() {
        true => ((low.exp() - step / 2.0).ln(), (high.exp() + step / 2.0).ln()),
        false => (low - step / 2.0, high + step / 2.0),
    }
}

/// As far as the farther neighbor; at the ends as far as the only one. Not below a share of the bounds, which gets
/// smaller with more trials ("magic clip"), and not above them.
fn deviations(means: &[f64], low: f64, high: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..means.len()).collect();
    order.sort_by(|&a, &b| means[a].total_cmp(&means[b]));
    let at = |place: usize| order.get(place).map(|&i| means[i]);
    let least = (high - low) / (2.0 + means.len() as f64).min(100.0);
    let mut deviations = vec![0.0; means.len()];
    for (place, &i) in order.iter().enumerate() {
        let before = place.checked_sub(1).and_then(at);
        let after = at(place + 1);
        let gap = match (before, after) {
            (None, Some(after)) => after - means[i],
            (Some(before), None) => means[i] - before,
            (before, after) => (means[i] - before.unwrap_or(low)).max(after.unwrap_or(high) - means[i]),
        };
        deviations[i] = gap.clamp(least, high - low);
    }
    deviations
}

/// Each trial's choice counts one more than its part of a single prior.
fn shares(choices: usize, observed: &[f64]) -> Kernels {
    if observed.is_empty() {
        return Kernels::Shares(vec![vec![1.0 / choices as f64; choices]]);
    }
    let prior = 1.0 / (observed.len() + 1) as f64;
    let kernel = |choice: Option<usize>| {
        let of = |place: usize| prior + if choice == Some(place) { 1.0 } else { 0.0 };
        let sum: f64 = (0..choices).map(of).sum();
        (0..choices).map(|place| of(place) / sum).collect()
    };
    let kernels = observed.iter().map(|&place| Some(place as usize)).chain([None]);
    Kernels::Shares(kernels.map(kernel).collect())
}
