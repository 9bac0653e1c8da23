//! Whether one model is better than another, or was lucky: paired statistics over the same images.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// A run's difference from the first one on the same images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Its accuracy minus the first one's, -1 to 1.
    pub accuracy: f64,
    /// The 95 % confidence interval of `accuracy`, by [`bootstrap`].
    pub interval: (f64, f64),
    /// Images that only the first run classified correctly.
    pub only_first: usize,
    /// Images that only this run classified correctly.
    pub only_this: usize,
    /// Decimal logarithm of the p-value, see [`mcnemar`].
    pub log10_p: f64,
}

impl Difference {
    /// From whether the first run and `this` classified each image correctly; `seed` draws the bootstrap samples.
    pub fn new(first: &[bool], this: &[bool], seed: u64) -> Self {
        let pairs = || first.iter().zip(this);
        let count = |wanted: (bool, bool)| pairs().filter(|&(&first, &this)| (first, this) == wanted).count();
        let (only_first, only_this) = (count((true, false)), count((false, true)));
        let differences: Vec<i8> = pairs()
            .map(|(&first, &this)| i8::from(this) - i8::from(first))
            .collect();
        Difference {
            accuracy: (only_this as f64 - only_first as f64) / first.len().max(1) as f64,
            interval: bootstrap(&differences, seed),
            only_first,
            only_this,
            log10_p: mcnemar(only_first, only_this),
        }
    }
}

/// The decimal logarithm of the p-value of McNemar's exact test (1947; two-sided binomial): the probability that two
/// equally good models divide the discordant images this unequally or more so. A logarithm, since the p-value itself
/// may be smaller than any f64.
pub fn mcnemar(only_first: usize, only_second: usize) -> f64 {
    let (n, least) = (only_first + only_second, only_first.min(only_second));
    if 2 * least == n {
        return 0.0;
    }
    // ln of the binomial coefficients by recurrence; summed relative to the largest, which is the last.
    let (mut coefficient, mut logarithms) = (0.0, vec![0.0]);
    for k in 0..least {
        coefficient += (((n - k) as f64) / ((k + 1) as f64)).ln();
        logarithms.push(coefficient);
    }
    let sum = coefficient + logarithms.iter().map(|ln| (ln - coefficient).exp()).sum::<f64>().ln();
    let ln_p = sum + (1.0 - n as f64) * std::f64::consts::LN_2;
    (ln_p / std::f64::consts::LN_10).min(0.0)
}

/// Number of bootstrap samples.
const SAMPLES: usize = 2000;

/// The 95 % percentile bootstrap interval of the mean of `differences` (Efron 1979): the means of 2,000 samples of the
/// same size, drawn with replacement. Pairs stay together, so what both runs find hard does not widen the interval.
pub fn bootstrap(differences: &[i8], seed: u64) -> (f64, f64) {
    if differences.is_empty() {
        return (0.0, 0.0);
    }
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let n = differences.len();
    let mut mean = || {
        let drawn = (0..n).map(|_| i64::from(differences[random.random_range(0..n)]));
        drawn.sum::<i64>() as f64 / n as f64
    };
    let mut means: Vec<_> = (0..SAMPLES).map(|_| mean()).collect();
    means.sort_by(f64::total_cmp);
    (percentile(&means, 0.025), percentile(&means, 0.975))
}

/// Interpolates between the two nearest of `sorted`, as numpy does by default.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let at = share * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[at as usize], sorted[at.ceil() as usize]);
    below + at.fract() * (above - below)
}
