//! Likely label errors are those of cleanlab, in its order; recorded by `fixtures/cleanlab/label_errors.py`.

use pelage::evaluate::doubtful;
use pelage::evaluate::scores::Scores;
use serde_json::Value;

/// The logits of the script.
fn made(images: usize, classes: usize) -> Scores {
    let truth = |i: usize| (i * 7 + i / 5) % classes;
    let label = |i: usize| {
        if i % 13 == 4 {
            (truth(i) + 1) % classes
        } else {
            truth(i)
        }
    };
    let logit = |i: usize, j: usize| {
        let noise = ((i * 1_103_515_245 + j * 98_765_431 + i * j * 40_503) / 65_536 % 4801) as f64 / 1000.0 - 2.4;
        (noise + if j == truth(i) { 3.0 } else { 0.0 }) as f32
    };
    Scores {
        classes: (0..classes).map(|class| class.to_string()).collect(),
        labels: (0..images).map(label).collect(),
        logits: (0..images)
            .flat_map(|i| (0..classes).map(move |j| logit(i, j)))
            .collect(),
        ..Scores::default()
    }
}

#[test]
fn they_are_found_and_ranked_as_by_cleanlab() {
    let recorded: Value = serde_json::from_str(include_str!("fixtures/cleanlab/label_errors.json")).unwrap();
    for case in recorded["cases"].as_array().unwrap() {
        let count = |name: &str| case[name].as_u64().unwrap() as usize;
        let scores = made(count("pictures"), count("classes"));
        let found = doubtful::label_errors(&scores, &scores.probabilities(1.0));
        let found: Vec<_> = found.iter().map(|one| one.image as u64).collect();
        let ranked: Vec<_> = case["ranked"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_u64)
            .collect();
        assert!(ranked.len() > 10);
        assert_eq!(found, ranked, "{} classes", count("classes"));
    }
}
