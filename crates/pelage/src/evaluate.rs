//! How well a model does on labelled pictures.

pub mod calibration;
pub mod coverage;
pub mod curves;
pub mod doubtful;
pub mod metrics;
pub mod scores;

use std::path::Path;

use burn::Tensor;
use pelage_data::catalog::{self, Catalog};
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::model::parameters::to_vec;
pub use metrics::{Evaluation, PerClass};
pub use scores::{Embeddings, Scores, score};

/// Sums over pictures, so that means are exact whatever the last batch's size.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Pictures seen.
    pub images: usize,
    loss_sum: f64,
    correct: usize,
}

impl Metrics {
    /// Adds a batch with its mean loss and how many of its pictures were told right.
    pub fn add(&mut self, images: usize, mean_loss: f64, correct: usize) {
        self.images += images;
        self.loss_sum += mean_loss * images as f64;
        self.correct += correct;
    }

    /// Mean loss a picture.
    pub fn loss(&self) -> f64 {
        self.loss_sum / self.images.max(1) as f64
    }

    /// Share of the pictures told right, 0 to 1.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.images.max(1) as f64
    }
}

/// How many of `logits` `[n, classes]` are largest at their label.
pub fn count_correct(logits: Tensor<2>, labels: &[usize]) -> usize {
    let classes = logits.dims()[1];
    let values = to_vec(logits);
    values
        .chunks(classes)
        .zip(labels)
        .filter(|(row, label)| metrics::largest(row) == **label)
        .count()
}

/// What there is to evaluate on in `path`: the validation part of an organised folder, else all labelled pictures.
///
/// # Errors
/// A path that does not exist or holds no labelled pictures.
pub fn catalog(path: &Path) -> Result<Catalog> {
    match catalog::open_dataset(path, None, 0) {
        Ok(split) => Ok(split.validation),
        Err(failure) if path.join("train").is_dir() => Err(failure.into()),
        Err(_) => Ok(Catalog::from_source(path, None)?),
    }
}
