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
    /// Its 95 % interval, see [`wilson`].
    pub accuracy_interval: [f64; 2],
    /// The mean over the classes of the fraction of their images classified correctly; 0 to 1. Classes without images
    /// do not count.
    pub balanced_accuracy: f64,
    /// The fraction of the images that belong to the most frequent class: the accuracy of always answering it.
    pub majority_share: f64,
    /// See [`calibration::log_loss`].
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
        for (row, &label) in rows() {
            matrix[label][argmax(row)] += 1;
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
        let classes: Vec<PerClass> = per_class.collect();
        let seen = || classes.iter().filter(|class| class.support > 0);
        let most = classes.iter().map(|class| class.support).max().unwrap_or(0);
        let accuracy = share(hits, labels.len());
        Evaluation {
            images: labels.len(),
            accuracy,
            accuracy_interval: wilson(accuracy, labels.len()),
            balanced_accuracy: seen().map(|class| class.recall).sum::<f64>() / seen().count().max(1) as f64,
            majority_share: share(most, labels.len()),
            log_loss: calibration::log_loss(labels, probabilities, k),
            auc,
            brier_score: calibration::brier_score(labels, probabilities, k),
            expected_calibration_error: calibration::expected_calibration_error(&calibration::reliability(
                labels,
                probabilities,
                k,
                BINS,
            )),
            classes,
            confusion_matrix: matrix,
            unreadable,
        }
    }
}

impl PerClass {
    /// Precision, recall and F1, each where there is something to know it from: of a class that so many images are
    /// `called`.
    pub fn known(&self, called: usize) -> [Option<f64>; 3] {
        [
            (called > 0).then_some(self.precision),
            (self.support > 0).then_some(self.recall),
            (called > 0 && self.support > 0).then_some(self.f1),
        ]
    }
}

impl Evaluation {
    /// Number of images that are called each class.
    pub fn called(&self) -> Vec<usize> {
        let rows = &self.confusion_matrix;
        (0..rows.len())
            .map(|class| rows.iter().map(|row| row[class]).sum())
            .collect()
    }

    /// Whether one class has more than one and a half times as many images as another, so that the accuracy says
    /// little about the rarer one.
    pub fn is_uneven(&self) -> bool {
        let supports = || {
            self.classes
                .iter()
                .map(|class| class.support)
                .filter(|support| *support > 0)
        };
        let (least, most) = (supports().min().unwrap_or(0), supports().max().unwrap_or(0));
        2 * most > 3 * least
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
    // Within 0 and 1 but for rounding.
    [middle - half, middle + half].map(|end| (end / (1.0 + z * z / n)).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_nothing_nothing_is_known() {
        let names = ["a", "b", "c", "d"].map(String::from);
        let probabilities: Vec<f32> = [[0.7, 0.3, 0.0, 0.0], [0.6, 0.4, 0.0, 0.0], [0.1, 0.0, 0.0, 0.9]].concat();
        let e = Evaluation::new(&names, &[0, 1, 1], &probabilities, Vec::new());
        assert_eq!(e.called(), [2, 0, 0, 1]);
        let known: Vec<_> = e
            .classes
            .iter()
            .zip(e.called())
            .map(|(class, called)| class.known(called))
            .collect();
        // Never called, and rightly so never; neither; called wrongly alone.
        assert_eq!(known[1], [None, Some(0.0), None]);
        assert_eq!(known[2], [None; 3]);
        assert_eq!(known[3], [Some(0.0), None, None]);
        assert!(known[0].iter().all(Option::is_some));
    }

    #[test]
    fn wilson_agrees_with_statsmodels() {
        // statsmodels.stats.proportion.proportion_confint(45, 50, method="wilson")
        let [low, high] = wilson(0.9, 50);
        assert!(
            (low - 0.786_397).abs() < 1e-5 && (high - 0.956_524).abs() < 1e-5,
            "{low} {high}"
        );
        assert_eq!(wilson(1.0, 12)[1], 1.0);
    }

    #[test]
    fn uneven_classes_have_a_balanced_accuracy_and_a_majority() {
        let names = ["cat", "dog", "fox"].map(String::from);
        // Nine cats, all called so; one dog, called a cat; no fox.
        let labels = [0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        let probabilities: Vec<f32> = labels.iter().flat_map(|_| [0.8, 0.1, 0.1]).collect();
        let e = Evaluation::new(&names, &labels, &probabilities, Vec::new());
        assert_eq!((e.accuracy, e.majority_share, e.balanced_accuracy), (0.9, 0.9, 0.5));
        assert!(e.is_uneven());
        let even = Evaluation::new(&names, &[0, 0, 0, 1, 1], &probabilities[..15], Vec::new());
        assert!(!even.is_uneven());
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
