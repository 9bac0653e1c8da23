//! Metrics against scikit-learn's, recorded by `fixtures/sklearn/metrics.py`.

use pelage::evaluate::calibration::{BINS, brier_score, expected_calibration_error, reliability};
use pelage::evaluate::curves::Ranking;
use pelage::evaluate::doubtful;
use pelage::evaluate::temperature::fit_temperature;
use pelage::evaluate::{Evaluation, Scores};
use serde::Deserialize;

#[derive(Deserialize)]
struct Record {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    #[serde(rename = "pictures")]
    images: usize,
    classes: usize,
    accuracy: f64,
    log_loss: f64,
    auc: f64,
    brier: f64,
    ece: f64,
    bins: (Vec<usize>, Vec<f64>, Vec<f64>),
    confusion: Vec<Vec<usize>>,
    precision: Vec<f64>,
    recall: Vec<f64>,
    f1: Vec<f64>,
    class_auc: Vec<f64>,
    average_precision: Vec<f64>,
    temperature: f64,
    log_loss_at_temperature: f64,
    roc: (Vec<f64>, Vec<f64>),
    precision_recall: (Vec<f64>, Vec<f64>),
}

fn cases() -> Vec<Case> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sklearn/metrics.json");
    let record: Record = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    record.cases
}

/// The formula of the script.
fn scores(images: usize, classes: usize) -> Scores {
    let label = |i: usize| (i * 7 + i / 5) % classes;
    let logit = |i: usize, j: usize| {
        let noise = (i * 1_103_515_245 + j * 98_765_431 + i * j * 40_503) / 65536 % 48;
        noise as f32 / 8.0 - 3.0 + if j == label(i) { 2.0 } else { 0.0 }
    };
    Scores {
        classes: (0..classes).map(|class| class.to_string()).collect(),
        names: (0..images).map(|i| i.to_string()).collect(),
        labels: (0..images).map(label).collect(),
        logits: (0..images)
            .flat_map(|i| (0..classes).map(move |j| logit(i, j)))
            .collect(),
        ..Scores::default()
    }
}

fn close(what: &str, ours: f64, theirs: f64, tolerance: f64) {
    assert!(
        (ours - theirs).abs() <= tolerance,
        "{what}: {ours}, scikit-learn {theirs}"
    );
}

#[test]
fn metrics_agree_with_scikit_learn() {
    for case in cases() {
        let scores = scores(case.images, case.classes);
        let probabilities = scores.probabilities(1.0);
        let ours = Evaluation::of(&scores);
        close("accuracy", ours.accuracy, case.accuracy, 1e-12);
        close("log loss", ours.log_loss, case.log_loss, 1e-6);
        close("auc", ours.auc.unwrap(), case.auc, 1e-12);
        close("brier", ours.brier_score, case.brier, 1e-9);
        close("ece", ours.expected_calibration_error, case.ece, 1e-9);
        assert_eq!(ours.confusion_matrix, case.confusion);
        for (class, one) in ours.classes.iter().enumerate() {
            close("precision", one.precision, case.precision[class], 1e-12);
            close("recall", one.recall, case.recall[class], 1e-12);
            close("f1", one.f1, case.f1[class], 1e-12);
            close("class auc", one.auc.unwrap(), case.class_auc[class], 1e-12);
            let average_precision = case.average_precision[class];
            close(
                "average precision",
                one.average_precision.unwrap(),
                average_precision,
                1e-12,
            );
        }
        let bins = reliability(&scores.labels, &probabilities, case.classes, BINS);
        assert_eq!(bins.iter().map(|bin| bin.count).collect::<Vec<_>>(), case.bins.0);
        for (i, bin) in bins.iter().enumerate() {
            close("confidence of a bin", bin.confidence, case.bins.1[i], 1e-9);
            close("accuracy of a bin", bin.accuracy, case.bins.2[i], 1e-12);
        }
        let ranking = Ranking::of_class(&scores.labels, &probabilities, case.classes, 1);
        let roc = ranking.roc();
        assert_eq!(roc.len(), case.roc.0.len());
        for (i, &(x, y)) in roc.iter().enumerate() {
            close("false positive rate", x, case.roc.0[i], 1e-12);
            close("true positive rate", y, case.roc.1[i], 1e-12);
        }
        // scikit-learn has ascending thresholds, and adds a point (1, 0) at the end.
        let curve = ranking.precision_recall();
        let (precision, recall) = &case.precision_recall;
        assert_eq!(curve.len(), precision.len() - 1);
        for (i, &(x, y)) in curve.iter().rev().enumerate() {
            close("recall", x, recall[i], 1e-12);
            close("precision", y, precision[i], 1e-12);
        }
    }
}

#[test]
fn the_temperature_minimizes_log_loss_as_scipy_finds() {
    for case in cases() {
        let scores = scores(case.images, case.classes);
        let temperature = fit_temperature(&scores);
        close("temperature", temperature / case.temperature, 1.0, 1e-5);
        let scaled = scores.probabilities(temperature);
        let after = Evaluation::new(&scores.classes, &scores.labels, &scaled, Vec::new());
        close("log loss", after.log_loss, case.log_loss_at_temperature, 1e-6);
        assert_eq!(after.accuracy, case.accuracy, "a temperature does not change the order");
    }
}

#[test]
fn without_images_nothing_divides_by_zero() {
    let none = scores(0, 2);
    assert_eq!(fit_temperature(&none), 1.0);
    assert_eq!(brier_score(&[], &[], 2), 0.0);
    assert_eq!(expected_calibration_error(&reliability(&[], &[], 2, BINS)), 0.0);
    let evaluation = Evaluation::of(&none);
    assert_eq!((evaluation.auc, evaluation.log_loss), (None, 0.0));
    assert!(doubtful::label_errors(&none, &[]).is_empty());
}

#[test]
fn a_planted_wrong_label_is_the_first_suspect() {
    let mut scores = scores(60, 3);
    // All are classified correctly with high confidence, except one with a wrong label.
    let sure = |label: usize| (0..3).map(move |class| if class == label { 6.0f32 } else { 0.0 });
    scores.logits = scores.labels.iter().flat_map(|&label| sure(label)).collect();
    let truth = scores.labels[17];
    scores.labels[17] = (truth + 1) % 3;
    let probabilities = scores.probabilities(1.0);
    let suspects = doubtful::label_errors(&scores, &probabilities);
    let found: Vec<_> = suspects.iter().map(|one| (one.image, one.predicted)).collect();
    assert_eq!(found, [(17, truth)]);
    let seen = doubtful::all(&scores, &probabilities);
    assert_eq!(doubtful::top_losses(&seen, 1)[0].image, 17);
    assert_eq!(doubtful::most_certain(&seen, 0, 2).len(), 2);
}
