//! The effect of "unknown" answers on labelled images.

use pelage_model::probability::argmax;
use pelage_model::trust::{Doubt, Judge};
use serde::Serialize;

use super::coverage::Coverage;
use super::scores::Scores;

/// Answers given and rejected.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rejection {
    /// Number of images answered.
    pub answered: usize,
    /// Accuracy on them, 0 to 1; 0 if there are none.
    pub accuracy: f64,
    /// Number of images with too low a confidence.
    pub unsure: usize,
    /// Number of images with enough confidence that are too far from the training set.
    pub far: usize,
    /// Accuracy at some coverages, by confidence alone.
    pub coverage: Vec<AtCoverage>,
    /// See [`Coverage::area`].
    pub area_under_coverage: f64,
}

/// Accuracy on the most confident images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AtCoverage {
    /// Fraction of the images answered, 0 to 1; more than the target if many have the same confidence.
    pub coverage: f64,
    /// The smallest confidence that is answered.
    pub threshold: f64,
    /// Accuracy on them, 0 to 1.
    pub accuracy: f64,
}

/// The coverages of [`Rejection::coverage`].
const SHARES: [f64; 7] = [1.0, 0.99, 0.95, 0.9, 0.8, 0.7, 0.5];

impl Rejection {
    /// From `scores` with embeddings, as rejected by `judge`.
    pub fn of(scores: &Scores, judge: &Judge) -> Self {
        let classes = scores.classes.len();
        let probabilities = scores.probabilities(judge.temperature().unwrap_or(1.0));
        let width = (scores.embeddings.len() / scores.len().max(1)).max(1);
        let (mut answered, mut correct, mut unsure, mut far) = (0, 0, 0, 0);
        let rows = probabilities.chunks(classes).zip(scores.embeddings.chunks(width));
        for ((row, embedding), &label) in rows.zip(&scores.labels) {
            let predicted = argmax(row);
            match judge.doubt(f64::from(row[predicted]), embedding) {
                Some(Doubt::Confidence { .. }) => unsure += 1,
                Some(Doubt::Distance { .. }) => far += 1,
                None => {
                    answered += 1;
                    correct += usize::from(predicted == label);
                }
            }
        }
        let curve = Coverage::of(&scores.labels, &probabilities, classes);
        let at = |share| {
            let point = curve.at(share)?;
            Some(AtCoverage {
                coverage: point.answered as f64 / scores.len() as f64,
                threshold: point.threshold,
                accuracy: point.accuracy(),
            })
        };
        Rejection {
            answered,
            accuracy: correct as f64 / answered.max(1) as f64,
            unsure,
            far,
            coverage: SHARES.into_iter().filter_map(at).collect(),
            area_under_coverage: curve.area(),
        }
    }
}
