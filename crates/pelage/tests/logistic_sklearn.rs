//! Logistic regression gives what scikit-learn's gives, recorded by `fixtures/sklearn/logistic.py`.

use pelage::logistic::{self, Samples};
use serde_json::Value;

const ROWS: usize = 400;
const ALL: usize = 600;
const BLOCKS: [usize; 2] = [20, 12];
const DIMENSION: usize = 32;

/// The features of the script.
fn made(classes: usize) -> (Vec<f32>, Vec<usize>) {
    let label = |i: usize| ((i * 7 + i / 5) % (classes + 1)).saturating_sub(1);
    let value = |i: usize, j: usize| {
        let noise = ((i * 1_103_515_245 + j * 98_765_431 + i * j * 40_503) / 65_536 % 48) as f32 / 8.0 - 3.0;
        let feature = noise + if j % classes == label(i) { 1.0 } else { 0.0 };
        if j < BLOCKS[0] { feature } else { 100.0 * feature + 50.0 }
    };
    let features = (0..ALL).flat_map(|i| (0..DIMENSION).map(move |j| value(i, j)));
    (features.collect(), (0..ALL).map(label).collect())
}

fn probabilities(logits: &[f64]) -> Vec<f64> {
    let top = logits.iter().copied().fold(f64::MIN, f64::max);
    let powers: Vec<_> = logits.iter().map(|logit| (logit - top).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|power| power / sum).collect()
}

#[test]
fn the_optimum_is_that_of_scikit_learn() {
    let recorded: Value = serde_json::from_str(include_str!("fixtures/sklearn/logistic.json")).unwrap();
    for case in recorded["cases"].as_array().unwrap() {
        let number = |name: &str| case[name].as_f64().unwrap();
        let classes = number("classes") as usize;
        let (features, labels) = made(classes);
        let weights = (0..classes).map(|class| {
            let count = labels[..ROWS].iter().filter(|&&label| label == class).count();
            ROWS as f32 / (classes * count) as f32
        });
        let weights: Vec<_> = weights.collect();
        let samples = Samples {
            features: &features[..ROWS * DIMENSION],
            labels: &labels[..ROWS],
            classes,
            blocks: &BLOCKS,
            class_weights: case["balanced"].as_bool().unwrap().then_some(&weights[..]),
            label_smoothing: 0.0,
        };
        let found = logistic::fit(&samples, number("strength"));
        let given: Vec<_> = features
            .chunks(DIMENSION)
            .map(|row| probabilities(&found.logits(row)))
            .collect();
        let loss = |rows: std::ops::Range<usize>| {
            let count = rows.len() as f64;
            rows.map(|i| -given[i][labels[i]].ln()).sum::<f64>() / count
        };
        for (name, rows) in [("train", 0..ROWS), ("held_out", ROWS..ALL)] {
            let (ours, theirs) = (loss(rows), number(name));
            assert!((ours - theirs).abs() < 1e-5 * theirs.max(1.0), "{name}: {ours} {case}");
        }
        for (ours, theirs) in given[ROWS..].iter().zip(case["probabilities"].as_array().unwrap()) {
            for (ours, theirs) in ours.iter().zip(theirs.as_array().unwrap()) {
                assert!((ours - theirs.as_f64().unwrap()).abs() < 1e-4, "{ours} {theirs}");
            }
        }
    }
}

#[test]
fn neither_threads_nor_the_order_of_groups_change_what_is_chosen() {
    let (features, labels) = made(4);
    let samples = Samples {
        features: &features,
        labels: &labels,
        classes: 4,
        blocks: &BLOCKS,
        class_weights: None,
        label_smoothing: 0.1,
    };
    let groups: Vec<_> = (0..ALL).map(|i| i / 3).collect();
    let folds = logistic::folds(&labels, &groups, 4, 7);
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let choice = logistic::choose(&samples, &folds);
            let found = logistic::fit(&samples, choice.strength);
            (choice, found)
        })
    };
    let (choice, found) = on(1);
    assert_eq!((choice.clone(), found), on(3));
    // It is less sure than guessing by none of the features, and one of those that were to be chosen from.
    assert!(
        choice.loss.is_some_and(|loss| loss < 4f64.ln()) && logistic::crossed::STRENGTHS.contains(&choice.strength)
    );
    assert_eq!(choice.logits.len(), 4 * ALL);
}

#[test]
fn folds_keep_groups_together_and_have_their_share_of_each_class() {
    let labels: Vec<_> = (0..300).map(|i| usize::from(i % 10 == 0)).collect();
    let groups: Vec<_> = (0..300).map(|i| if i < 120 { i / 20 } else { i }).collect();
    let folds = logistic::folds(&labels, &groups, 2, 3);
    for i in 1..300 {
        assert!(groups[i] != groups[i - 1] || folds[i] == folds[i - 1], "{i}");
    }
    for part in 0..5 {
        let of = |class: usize| (0..300).filter(|&i| folds[i] == part && labels[i] == class).count();
        assert!(
            (45..=63).contains(&of(0)) && (4..=8).contains(&of(1)),
            "{} {}",
            of(0),
            of(1)
        );
    }
    // A class that is one group cannot be told from the others without it.
    let groups: Vec<_> = (0..300).map(|i| if labels[i] == 1 { 0 } else { i }).collect();
    assert!(logistic::folds(&labels, &groups, 2, 3).iter().all(|&fold| fold == 0));
}
