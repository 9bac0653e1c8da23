//! Distances of embeddings against scikit-learn's Ledoit-Wolf covariance, recorded by
//! `fixtures/sklearn/mahalanobis.py`.

use pelage::model::trust::density::{Density, MAX_DIMENSION};
use serde::Deserialize;

#[derive(Deserialize)]
struct Record {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    #[serde(rename = "pictures")]
    images: usize,
    dimension: usize,
    classes: usize,
    distances: Vec<f64>,
}

/// The formula of the script.
fn embeddings(images: usize, dimension: usize, classes: usize) -> (Vec<f32>, Vec<usize>) {
    let label = |i: usize| (i * 7 + i / 5) % classes;
    let noise = |i: usize, j: usize| {
        let hash = (i * 1_103_515_245 + j * 98_765_431 + i * j * 40_503) / 65536 % 64;
        hash as f32 / 16.0 - 2.0
    };
    let value = |i: usize, j: usize| {
        let own = if j % classes == label(i) { 3.0 } else { 0.0 };
        match j == dimension - 1 {
            true => 0.5,
            false => noise(i, j) + noise(i, 1000) * (j % 3) as f32 + own,
        }
    };
    let values = (0..images).flat_map(|i| (0..dimension).map(move |j| value(i, j)));
    (values.collect(), (0..images).map(label).collect())
}

fn names(classes: usize) -> Vec<String> {
    (0..classes).map(|class| class.to_string()).collect()
}

#[test]
fn distances_agree_with_scikit_learn() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sklearn/mahalanobis.json");
    let record: Record = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(record.cases.len(), 4);
    for case in record.cases {
        let Case { images, dimension, .. } = case;
        // The last twenty are held out: measured, but not fitted.
        let (all, labels) = embeddings(images + 20, dimension, case.classes);
        let train = &all[..images * dimension];
        let density = Density::fit(train, &labels[..images], &names(case.classes)).unwrap();
        assert_eq!(density.dimension(), dimension);
        let ours = density.distances(&all);
        assert_eq!(ours.len(), case.distances.len());
        for (i, (ours, theirs)) in ours.iter().zip(&case.distances).enumerate() {
            // The factor is kept in f32.
            let off = (ours / theirs - 1.0).abs();
            assert!(off < 1e-5, "{i} of {dimension} values: {ours}, scikit-learn {theirs}");
        }
        assert_eq!(ours[3], density.distance(&all[3 * dimension..4 * dimension]));
    }
}

#[test]
fn degenerate_embeddings_are_rejected() {
    let (values, labels) = embeddings(40, 6, 2);
    let refused = |values: &[f32], labels: &[usize], classes| {
        Density::fit(values, labels, &names(classes)).expect_err("should be refused")
    };
    assert!(refused(&values, &labels, 3).contains("class '2'"));
    assert!(refused(&[0.25; 240], &labels, 2).contains("do not differ"));
    assert!(refused(&[], &[], 2).contains("0 values"));
    let wide = vec![0.0; 2 * (MAX_DIMENSION + 1)];
    assert!(refused(&wide, &[0, 1], 2).contains("4097 values"));
    let mut infinite = values.clone();
    infinite[7] = f32::INFINITY;
    assert!(refused(&infinite, &labels, 2).contains("not finite"));
    let density = Density::fit(&values, &labels, &names(2)).unwrap();
    assert_eq!(density.distance(&[f32::NAN; 6]), f64::INFINITY);
    assert_eq!(density.distance(&[0.0; 7]), f64::INFINITY);
}
