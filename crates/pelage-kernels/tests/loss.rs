//! Cross-entropy against its formula in f64 and its gradient against differences of that.

use pelage_kernels::loss::cross_entropy;
use proptest::prelude::*;

mod support;
use support::{assert_near, noise};

fn formula(classes: usize, logits: &[f64], labels: &[usize], smoothing: f64, weights: Option<&[f32]>) -> f64 {
    let rows = logits.chunks(classes).zip(labels);
    let each = rows.map(|(row, &label)| {
        let total: f64 = row.iter().map(|v| v.exp()).sum();
        let terms = row.iter().enumerate().map(|(class, v)| {
            let target = smoothing / classes as f64 + if class == label { 1.0 - smoothing } else { 0.0 };
            -target * (v.exp() / total).ln()
        });
        terms.sum::<f64>() * weights.map_or(1.0, |weights| f64::from(weights[label]))
    });
    each.sum::<f64>() / labels.len() as f64
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn equals_the_formula(
        n in 1usize..12, classes in 1usize..40, smoothing in prop_oneof![Just(0.0f32), Just(0.1f32)], weighted: bool,
        seed in 0u64..1000,
    ) {
        let logits: Vec<f32> = noise(seed, n * classes).iter().map(|v| v * 20.0).collect();
        let labels: Vec<usize> = (0..n).map(|i| (i * 7 + seed as usize) % classes).collect();
        let weights: Vec<f32> = noise(seed + 1, classes).iter().map(|v| v + 1.0).collect();
        let weights = weighted.then_some(&weights[..]);
        let mut gradient = vec![f32::NAN; logits.len()];
        let loss = cross_entropy(classes, &logits, &labels, smoothing, weights, &mut gradient);
        let exact: Vec<f64> = logits.iter().map(|v| f64::from(*v)).collect();
        let value = |logits: &[f64]| formula(classes, logits, &labels, f64::from(smoothing), weights);
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
}

#[test]
fn large_logits_do_not_overflow() {
    let mut gradient = [0.0; 2];
    let loss = cross_entropy(2, &[1000.0, -1000.0], &[1], 0.0, None, &mut gradient);
    assert_eq!((loss, gradient), (2000.0, [1.0, -1.0]));
}

#[test]
fn a_not_a_number_is_not_swallowed() {
    let mut gradient = [0.0; 2];
    assert!(cross_entropy(2, &[f32::NAN, 0.0], &[1], 0.0, None, &mut gradient).is_nan());
    assert!(gradient.iter().all(|value| value.is_nan()));
}
