//! How well a model does on labelled pictures.

pub mod metrics;

use std::path::Path;
use std::sync::Arc;

use burn::Tensor;
use burn::tensor::{Device, TensorData};
use pelage_data::cache::Pictures;
use pelage_data::catalog::{self, Catalog};
use pelage_data::loader::{self, Order};
use serde::{Deserialize, Serialize};

use crate::bundle::Model;
use crate::model::parameters::to_vec;
use crate::{Error, Result};
pub use metrics::{Evaluation, PerClass};

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

/// Evaluates `model` on `pictures`, whose class names must all be known to the model; `observe` hears pictures done.
///
/// # Errors
/// A class that the model does not know; a picture that cannot be read any more.
pub fn evaluate(
    model: &Model,
    pictures: Arc<Pictures>,
    device: &Device,
    observe: &mut dyn FnMut(usize),
) -> Result<Evaluation> {
    let known = &model.facts.classes;
    let to_model = pictures.classes().iter().map(|class| {
        known.iter().position(|name| name == class).ok_or_else(|| {
            let names = known.join(", ");
            Error::Input(format!(
                "class '{class}' is unknown to the model, which knows {names}; rename its folder"
            ))
        })
    });
    let to_model = to_model.collect::<Result<Vec<_>>>()?;
    let side = &model.facts.preprocessing;
    let (mut labels, mut probabilities) = (Vec::new(), Vec::new());
    for batch in loader::batches(pictures.clone(), 32, Order::Sequential, None, 0) {
        let batch = batch?;
        let shape = [batch.labels.len(), side.height as usize, side.width as usize, 3];
        let pixels = Tensor::from_data(TensorData::new(batch.pixels, shape), device);
        probabilities.extend(to_vec(model.probabilities(pixels)));
        labels.extend(batch.labels.iter().map(|&label| to_model[label]));
        observe(labels.len());
    }
    Ok(Evaluation::new(
        known,
        &labels,
        &probabilities,
        pictures.unreadable().to_vec(),
    ))
}
