//! Cross-entropy against its formula in f64, and its gradient against finite differences of the formula.

use pelage_kernels::loss::{Targets, cross_entropy};
use proptest::prelude::*;

mod support;
use support::{assert_near, noise};

/// `targets` `[n, classes]` before smoothing.
fn formula(classes: usize, logits: &[f64], targets: &[f64], smoothing: f64, weights: Option<&[f32]>) -> f64 {
    let rows = logits.chunks(classes).zip(targets.chunks(classes));
    let n = rows.len() as f64;
    let each = rows.map(|(row, targets)| {
        let total: f64 = row.iter().map(|v| v.exp()).sum();
        let terms = row.iter().zip(targets).map(|(v, target)| {
            let target = (1.0 - smoothing) * target + smoothing / classes as f64;
            -target * (v.exp() / total).ln()
        });
        let weight = weights.map_or(1.0, |weights| {
            let pairs = weights.iter().zip(targets);
            pairs.map(|(weight, target)| f64::from(*weight) * target).sum()
        });
        terms.sum::<f64>() * weight
    });
    each.sum::<f64>() / n
}

fn one_hot<T: From<u8>>(classes: usize, labels: &[usize]) -> Vec<T> {
    let row = |&label: &usize| (0..classes).map(move |class| T::from(u8::from(class == label)));
    labels.iter().flat_map(row).collect()
}

/// Positive values; each row sums to 1.
fn distributions(classes: usize, seed: u64, n: usize) -> Vec<f32> {
    let mut values: Vec<f32> = noise(seed, n * classes).iter().map(|v| v + 0.5).collect();
    for row in values.chunks_mut(classes) {
        row[0] += 0.1;
        let sum: f32 = row.iter().sum();
        row.iter_mut().for_each(|v| *v /= sum);
    }
    values
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn equals_the_formula(
        n in 1usize..12, classes in 1usize..40, smoothing in prop_oneof![Just(0.0f32), Just(0.1f32)], weighted: bool,
        mixed: bool, seed in 0u64..1000,
    ) {
        let logits: Vec<f32> = noise(seed, n * classes).iter().map(|v| v * 20.0).collect();
        let labels: Vec<usize> = (0..n).map(|i| (i * 7 + seed as usize) % classes).collect();
        let rows = distributions(classes, seed + 2, n);
        let (targets, truth) = match mixed {
            false => (Targets::Classes(&labels), one_hot(classes, &labels)),
            true => (Targets::Distributions(&rows), rows.iter().map(|v| f64::from(*v)).collect()),
        };
        let weights: Vec<f32> = noise(seed + 1, classes).iter().map(|v| v + 1.0).collect();
        let weights = weighted.then_some(&weights[..]);
        let mut gradient = vec![f32::NAN; logits.len()];
        let loss = cross_entropy(classes, &logits, targets, smoothing, weights, &mut gradient);
        let exact: Vec<f64> = logits.iter().map(|v| f64::from(*v)).collect();
        let value = |logits: &[f64]| formula(classes, logits, &truth, f64::from(smoothing), weights);
        assert_near("loss", &[loss], &[value(&exact)], 0, 1e-5);
        let differences: Vec<f64> = (0..exact.len()).map(|i| {
            let at = |step: f64| {
                let mut moved = exact.clone();
                moved[i] += step;
                value(&moved)
            };
            (at(1e-4) - at(-1e-4)) / 2e-4
        }).collect();
        assert_near("gradient", &gradient, &differences, 0, 1e-4);
    }

    #[test]
    fn a_class_equals_a_one_hot_distribution(n in 1usize..12, classes in 1usize..40, seed in 0u64..1000) {
        let logits: Vec<f32> = noise(seed, n * classes).iter().map(|v| v * 20.0).collect();
        let labels: Vec<usize> = (0..n).map(|i| (i * 7 + seed as usize) % classes).collect();
        let weights: Vec<f32> = noise(seed + 1, classes).iter().map(|v| v + 1.0).collect();
        let rows = one_hot(classes, &labels);
        let [one, other] = [Targets::Classes(&labels), Targets::Distributions(&rows)].map(|targets| {
            let mut gradient = vec![f32::NAN; logits.len()];
            let loss = cross_entropy(classes, &logits, targets, 0.1, Some(&weights), &mut gradient);
            (loss, gradient)
        });
        assert_eq!(one, other);
    }
}

#[test]
fn large_logits_do_not_overflow() {
    for targets in [Targets::Classes(&[1]), Targets::Distributions(&[0.0, 1.0])] {
        let mut gradient = [0.0; 2];
        let loss = cross_entropy(2, &[1000.0, -1000.0], targets, 0.0, None, &mut gradient);
        assert_eq!((loss, gradient), (2000.0, [1.0, -1.0]));
    }
}

#[test]
fn nan_propagates() {
    for targets in [Targets::Classes(&[1]), Targets::Distributions(&[0.5, 0.5])] {
        let mut gradient = [0.0; 2];
        assert!(cross_entropy(2, &[f32::NAN, 0.0], targets, 0.0, None, &mut gradient).is_nan());
        assert!(gradient.iter().all(|value| value.is_nan()));
    }
}

#[test]
#[should_panic(expected = "distribution 1 sums to 0.5")]
fn a_distribution_must_sum_to_one() {
    let targets = Targets::Distributions(&[1.0, 0.0, 0.25, 0.25]);
    cross_entropy(2, &[0.0; 4], targets, 0.0, None, &mut [0.0; 4]);
}
