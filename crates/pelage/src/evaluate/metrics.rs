//! Metrics from labels and probabilities; definitions as in scikit-learn.

use pelage_data::Unreadable;
use pelage_model::probability::argmax;
use serde::Serialize;

use super::calibration::{self, BINS};
use super::curves::Ranking;
use super::scores::Scores;

/// The evaluation of a model.
#[derive(Clone, Debug, Serialize)]
pub struct Evaluation {
    /// Number of images evaluated.
    pub images: usize,
    /// Fraction classified correctly, 0 to 1.
    pub accuracy: f64,
    /// Mean negative log probability of the true class (natural logarithm), probabilities clipped at 1e-15.
    pub log_loss: f64,
    /// Area under the ROC curve: of the second class for two classes, else the mean of one-vs-rest; `None` if a class
    /// has no image.
    pub auc: Option<f64>,
    /// See [`calibration::brier_score`].
    pub brier_score: f64,
    /// See [`calibration::expected_calibration_error`]; over 15 bins.
    pub expected_calibration_error: f64,
    /// One entry per class, in the model's order.
    pub classes: Vec<PerClass>,
    /// Numbers of images, as `confusion_matrix[true][predicted]`.
    pub confusion_matrix: Vec<Vec<usize>>,
    /// Images that could not be read; they do not count.
    pub unreadable: Vec<Unreadable>,
}

/// Metrics of one class, each 0 to 1; 0 where the denominator is 0.
#[derive(Clone, Debug, Serialize, PartialEq)]
pub struct PerClass {
    /// Its name.
    pub name: String,
    /// Fraction of the images predicted as this class that belong to it.
    pub precision: f64,
    /// Fraction of this class's images that were predicted as it.
    pub recall: f64,
    /// Harmonic mean of precision and recall.
    pub f1: f64,
    /// Area under the ROC curve of this class against the rest; `None` unless there are images of both.
    pub auc: Option<f64>,
    /// See [`Ranking::average_precision`]; `None` without images of this class.
    pub average_precision: Option<f64>,
    /// Number of images of this class.
    pub support: usize,
}

impl Evaluation {
    /// From the labels and probabilities of `scores`.
    pub fn of(scores: &Scores) -> Self {
        let probabilities = scores.probabilities(1.0);
        Self::new(
            &scores.classes,
            &scores.labels,
            &probabilities,
            scores.unreadable.clone(),
        )
    }

    /// From each image's true class and `probabilities` `[n, classes]`.
    pub fn new(classes: &[String], labels: &[usize], probabilities: &[f32], unreadable: Vec<Unreadable>) -> Self {
        let k = classes.len();
        let rows = || probabilities.chunks(k).zip(labels);
        let mut matrix = vec![vec![0usize; k]; k];
        let mut log_loss = 0.0;
        for (row, &label) in rows() {
            matrix[label][argmax(row)] += 1;
            log_loss -= f64::from(row[label]).clamp(1e-15, 1.0).ln();
        }
        let rankings: Vec<_> = (0..k)
            .map(|class| Ranking::of_class(labels, probabilities, k, class))
            .collect();
        let areas: Vec<_> = rankings.iter().map(Ranking::area_under_roc).collect();
        let auc = match k {
            2 => areas[1],
            _ => areas.iter().copied().sum::<Option<f64>>().map(|sum| sum / k as f64),
        };
        let share = |part: usize, whole: usize| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
        let per_class = (0..k).map(|class| {
            let called = matrix.iter().map(|row| row[class]).sum();
            let (hits, support) = (matrix[class][class], matrix[class].iter().sum());
            PerClass {
                name: classes[class].clone(),
                precision: share(hits, called),
                recall: share(hits, support),
                f1: share(2 * hits, called + support),
                auc: areas[class],
                average_precision: rankings[class].average_precision(),
                support,
            }
        });
        let hits = (0..k).map(|class| matrix[class][class]).sum();
        Evaluation {
            images: labels.len(),
            accuracy: share(hits, labels.len()),
            log_loss: log_loss / labels.len().max(1) as f64,
            auc,
            brier_score: calibration::brier_score(labels, probabilities, k),
            expected_calibration_error: calibration::expected_calibration_error(&calibration::reliability(
                labels,
                probabilities,
                k,
                BINS,
            )),
            classes: per_class.collect(),
            confusion_matrix: matrix,
            unreadable,
        }
    }
}

/// The 95 % interval of a proportion of `n` (Wilson 1927).
pub fn wilson(share: f64, n: usize) -> [f64; 2] {
    if n == 0 {
        return [0.0, 1.0];
    }
    let (n, z) = (n as f64, 1.959_964);
    let middle = share + z * z / (2.0 * n);
    let half = z * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    [middle - half, middle + half].map(|end| end / (1.0 + z * z / n))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_agrees_with_statsmodels() {
        // statsmodels.stats.proportion.proportion_confint(45, 50, method="wilson")
        let [low, high] = wilson(0.9, 50);
        assert!(
            (low - 0.786_397).abs() < 1e-5 && (high - 0.956_524).abs() < 1e-5,
            "{low} {high}"
        );
    }

    #[test]
    fn agrees_with_definitions_worked_by_hand() {
        let names = ["cat".to_string(), "dog".to_string()];
        let dog = [0.1f32, 0.4, 0.35, 0.8];
        let probabilities: Vec<f32> = dog.iter().flat_map(|&p| [1.0 - p, p]).collect();
        let e = Evaluation::new(&names, &[0, 0, 1, 1], &probabilities, Vec::new());
        // The example in scikit-learn's documentation of roc_auc_score: 0.75.
        assert_eq!(e.auc, Some(0.75));
        assert_eq!(e.confusion_matrix, [[2, 0], [1, 1]]);
        assert_eq!(e.accuracy, 0.75);
        let by_hand = -(0.9f64.ln() + 0.6f64.ln() + 0.35f64.ln() + 0.8f64.ln()) / 4.0;
        assert!((e.log_loss - by_hand).abs() < 1e-6);
        assert!((e.classes[0].precision - 2.0 / 3.0).abs() < 1e-12 && e.classes[0].recall == 1.0);
        assert!((e.classes[1].f1 - 2.0 / 3.0).abs() < 1e-12 && e.classes[1].support == 2);
    }

    #[test]
    fn ties_count_half_and_one_class_has_no_area() {
        assert_eq!(Ranking::new(&[(0.5, true), (0.5, false)]).area_under_roc(), Some(0.5));
        assert_eq!(Ranking::new(&[(0.5, true)]).area_under_roc(), None);
    }
}
