//! What is gained by leaving the least confident images unanswered: accuracy over coverage (El-Yaniv and Wiener 2010;
//! Geifman and El-Yaniv 2017).

use pelage_model::probability::argmax;
use serde::Serialize;

/// The answers at one confidence threshold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point {
    /// Images with at least this confidence are answered, 0 to 1.
    pub threshold: f64,
    /// Number of images answered.
    pub answered: usize,
    /// Number of them classified correctly.
    pub correct: usize,
}

impl Point {
    /// Accuracy on the answered images, 0 to 1; 0 if none is answered.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.answered.max(1) as f64
    }
}

/// The accuracy-coverage curve.
#[derive(Clone, Debug)]
pub struct Coverage {
    /// One point per distinct confidence, in descending order, so that coverage increases.
    pub points: Vec<Point>,
}

impl Coverage {
    /// From pairs of a confidence and whether that image was classified correctly.
    pub fn new(answers: &[(f32, bool)]) -> Self {
        let mut sorted = answers.to_vec();
        sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
        let (mut answered, mut correct) = (0, 0);
        let point = |ties: &[(f32, bool)]| {
            answered += ties.len();
            correct += ties.iter().filter(|(_, right)| *right).count();
            Point {
                threshold: f64::from(ties[0].0),
                answered,
                correct,
            }
        };
        Coverage {
            points: sorted.chunk_by(|a, b| a.0 == b.0).map(point).collect(),
        }
    }

    /// From `probabilities` `[n, classes]`: the confidence is that of the predicted class.
    pub fn of(labels: &[usize], probabilities: &[f32], classes: usize) -> Self {
        let rows = probabilities.chunks(classes).zip(labels);
        let answers = rows.map(|(row, &label)| {
            let predicted = argmax(row);
            (row[predicted], predicted == label)
        });
        Self::new(&answers.collect::<Vec<_>>())
    }

    /// The highest threshold that answers at least the fraction `share` (0 to 1) of the images; `None` without images.
    pub fn at(&self, share: f64) -> Option<Point> {
        let total = self.points.last()?.answered;
        // Slightly less: 0.95 * 20 must not be rounded up to 20 images.
        let wanted = (share * total as f64 - 1e-6).ceil() as usize;
        self.points.iter().find(|point| point.answered >= wanted).copied()
    }

    /// The area under the curve: the mean, over k, of the accuracy on the k most confident images; images of equal
    /// confidence count as if in random order. 0 without images.
    pub fn area(&self) -> f64 {
        let (mut sum, mut before) = (0.0, (0, 0));
        for point in &self.points {
            let ties = point.answered - before.0;
            let rate = (point.correct - before.1) as f64 / ties as f64;
            let accuracy = |k: usize| (before.1 as f64 + k as f64 * rate) / (before.0 + k) as f64;
            sum += (1..=ties).map(accuracy).sum::<f64>();
            before = (point.answered, point.correct);
        }
        sum / before.0.max(1) as f64
    }
}
