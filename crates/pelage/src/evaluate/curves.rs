//! ROC and precision-recall curves: recall, false positives and precision over the threshold on a probability.

use serde::Serialize;

/// One class against the rest at one threshold: an image is called positive if its probability is at least `threshold`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point {
    /// The threshold, 0 to 1; infinite at the start of a ROC curve, where nothing is positive.
    pub threshold: f64,
    /// Number of true positives.
    pub true_positives: usize,
    /// Number of false positives.
    pub false_positives: usize,
}

/// True and false positives over all thresholds.
#[derive(Clone, Debug)]
pub struct Ranking {
    /// In descending order of the thresholds: a first point where nothing is positive, then one per distinct score.
    pub points: Vec<Point>,
    /// Number of images of the class.
    pub positives: usize,
    /// Number of images of other classes.
    pub negatives: usize,
}

impl Ranking {
    /// From pairs of a score and whether it is a positive.
    pub fn new(scored: &[(f32, bool)]) -> Self {
        let mut sorted = scored.to_vec();
        sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut at = Point {
            threshold: f64::INFINITY,
            true_positives: 0,
            false_positives: 0,
        };
        let mut points = vec![at];
        for ties in sorted.chunk_by(|a, b| a.0 == b.0) {
            let positives = ties.iter().filter(|(_, positive)| *positive).count();
            at.threshold = f64::from(ties[0].0);
            at.true_positives += positives;
            at.false_positives += ties.len() - positives;
            points.push(at);
        }
        Ranking {
            points,
            positives: at.true_positives,
            negatives: at.false_positives,
        }
    }

    /// For one class's probability in `probabilities` `[n, classes]`.
    pub fn of_class(labels: &[usize], probabilities: &[f32], classes: usize, class: usize) -> Self {
        let rows = probabilities.chunks(classes).zip(labels);
        Self::new(
            &rows
                .map(|(row, &label)| (row[class], label == class))
                .collect::<Vec<_>>(),
        )
    }

    /// The ROC curve: false positive rate and true positive rate, each 0 to 1, ascending. Empty unless there are both
    /// positives and negatives.
    pub fn roc(&self) -> Vec<(f64, f64)> {
        if self.positives == 0 || self.negatives == 0 {
            return Vec::new();
        }
        let rate = |part: usize, whole: usize| part as f64 / whole as f64;
        let point = |point: &Point| {
            (
                rate(point.false_positives, self.negatives),
                rate(point.true_positives, self.positives),
            )
        };
        self.points.iter().map(point).collect()
    }

    /// The area under the ROC curve by the trapezoidal rule, which counts ties half; `None` unless there are both
    /// positives and negatives.
    pub fn area_under_roc(&self) -> Option<f64> {
        let area = |pair: &[(f64, f64)]| (pair[1].0 - pair[0].0) * (pair[1].1 + pair[0].1) / 2.0;
        let roc = self.roc();
        (!roc.is_empty()).then(|| roc.windows(2).map(area).sum())
    }

    /// Recall and precision, each 0 to 1, in ascending order of recall. Empty without positives.
    pub fn precision_recall(&self) -> Vec<(f64, f64)> {
        if self.positives == 0 {
            return Vec::new();
        }
        let point = |point: &Point| {
            let called = point.true_positives + point.false_positives;
            (
                point.true_positives as f64 / self.positives as f64,
                point.true_positives as f64 / called as f64,
            )
        };
        self.points.iter().skip(1).map(point).collect()
    }

    /// Average precision: precision at each threshold, weighted by the increase in recall; `None` without positives.
    pub fn average_precision(&self) -> Option<f64> {
        let (mut recall, mut sum) = (0.0, 0.0);
        let curve = self.precision_recall();
        for &(at, precision) in &curve {
            sum += (at - recall) * precision;
            recall = at;
        }
        (!curve.is_empty()).then_some(sum)
    }

    /// The point at `threshold`.
    pub fn at(&self, threshold: f64) -> Point {
        // Thresholds are descending; the first point, at infinity, always exists.
        let below = self.points.partition_point(|point| point.threshold >= threshold);
        Point {
            threshold,
            ..self.points[below.max(1) - 1]
        }
    }
}
