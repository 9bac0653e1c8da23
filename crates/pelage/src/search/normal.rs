//! The normal distribution between two bounds, in logarithms where numbers get small.

use std::f64::consts::{LN_2, PI, SQRT_2};

/// The logarithm of the probability below `x`.
fn log_below(x: f64) -> f64 {
    if x > -20.0 {
        return (0.5 * libm::erfc(-x / SQRT_2)).ln();
    }
    // Further out by its asymptotic series, of which a few terms are exact there.
    let (square, mut term, mut sum) = (x * x, 1.0, 1.0);
    for i in 1..8 {
        term *= -f64::from(2 * i - 1) / square;
        sum += term;
    }
    -0.5 * square - (-x).ln() - 0.5 * (2.0 * PI).ln() + f64::ln(sum)
}

/// The logarithm of exp(a) - exp(b), where a >= b.
fn log_difference(a: f64, b: f64) -> f64 {
    if a == b {
        return f64::NEG_INFINITY;
    }
    let gap = b - a;
    a + if gap > -LN_2 {
        (-gap.exp_m1()).ln()
    } else {
        (-gap.exp()).ln_1p()
    }
}

/// The logarithm of the probability between `a` and `b`, accurate in both tails.
pub(super) fn log_mass(a: f64, b: f64) -> f64 {
    if b <= 0.0 {
        log_difference(log_below(b), log_below(a))
    } else if a > 0.0 {
        log_difference(log_below(-a), log_below(-b))
    } else {
        (-0.5 * libm::erfc(-a / SQRT_2) - 0.5 * libm::erfc(b / SQRT_2)).ln_1p()
    }
}

/// The logarithm of the density at `x`.
pub(super) fn log_density(x: f64) -> f64 {
    -0.5 * x * x - 0.5 * (2.0 * PI).ln()
}

/// The value below which the share `q` of the probability between `a` and `b` lies.
pub(super) fn quantile(q: f64, a: f64, b: f64) -> f64 {
    // In the left tail, where logarithms are accurate.
    if a >= 0.0 {
        return -quantile(1.0 - q, -b, -a);
    }
    let whole = log_mass(a, b);
    let (mut low, mut high) = (a, b);
    // Each halving adds a bit; an f64 has 53.
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        match log_mass(a, middle) - whole < q.ln() {
            true => low = middle,
            false => high = middle,
        }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_those_of_tables() {
        // By mpmath, with 40 digits.
        for (a, b, truth) in [
            (-1.0, 1.0, -0.381_715_146_302_126_07),
            (0.5, 2.0, -1.252_507_077_515_930_6),
            (-40.0, -39.0, -765.083_156_564_377_5),
            (-8.0, -7.0, -27.384_793_700_719_94),
            (39.0, 40.0, -765.083_156_564_377_5),
        ] {
            assert!(
                (log_mass(a, b) - truth).abs() < 1e-12 * truth.abs().max(1.0),
                "{a} {b}: {}",
                log_mass(a, b)
            );
        }
        assert!((log_below(-19.999_999) - log_below(-20.000_001)).abs() < 1e-3);
    }

    #[test]
    fn quantiles_invert_the_mass() {
        for (a, b) in [(-1.0, 2.0), (0.5, 0.6), (-8.0, -7.0), (7.0, 8.0), (-0.1, 30.0)] {
            for q in [0.01, 0.3, 0.5, 0.99] {
                let x = quantile(q, a, b);
                assert!((a..=b).contains(&x));
                let share = (log_mass(a, x) - log_mass(a, b)).exp();
                assert!((share - q).abs() < 1e-9, "{a} {b} {q}: {x}, {share}");
            }
        }
        assert!(quantile(0.0, -1.0, 1.0) >= -1.0 && quantile(1.0, -1.0, 1.0) <= 1.0);
    }
}
