//! A model's scores of labelled images: computed once, and every figure is derived from them.

use std::sync::Arc;

use pelage_data::Unreadable;
use pelage_data::cache::DecodedImages;
use pelage_data::loader::{self, Pass};
use pelage_model::input;
use pelage_model::probability::softmax;
use pelage_model::saved;
use pelage_model::values::to_vec;

use crate::{Error, Model, Result};

/// Labels and logits of images, in the order of their catalog.
#[derive(Clone, Debug, Default)]
pub struct Scores {
    /// Class names in the model's order.
    pub classes: Vec<String>,
    /// Names of the images, relative to their source.
    pub names: Vec<String>,
    /// The class of each image, in the model's order.
    pub labels: Vec<usize>,
    /// `[n, classes]`, row-major.
    pub logits: Vec<f32>,
    /// `[n, d]`: the inputs of the last dense layer; empty unless asked for.
    pub embeddings: Vec<f32>,
    /// Images that could not be read; they do not count.
    pub unreadable: Vec<Unreadable>,
}

impl Scores {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Probabilities `[n, classes]`: the softmax of the logits divided by `temperature` (1: as trained).
    pub fn probabilities(&self, temperature: f64) -> Vec<f32> {
        let rows = self.logits.chunks(self.classes.len());
        rows.flat_map(|row| softmax(row, temperature))
            .map(|p| p as f32)
            .collect()
    }
}

/// Whether [`score`] keeps the inputs of the last dense layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Embeddings {
    /// Keep them: `4 * d` bytes per image.
    Keep,
    /// Drop them.
    Drop,
}

/// Scores `images` with `model`, which must know all of their class names; `observe` gets the number of images done.
///
/// # Errors
/// A class that the model does not know; an image that can no longer be read, or has no finite answer.
pub fn score(
    model: &Model,
    images: Arc<DecodedImages>,
    embeddings: Embeddings,
    observe: &mut dyn FnMut(usize),
) -> Result<Scores> {
    let known = &model.facts.classes;
    let to_model = images.classes().iter().map(|class| {
        known.iter().position(|name| name == class).ok_or_else(|| {
            let names = known.join(", ");
            Error::Settings(format!(
                "class '{class}' is unknown to the model, which knows {names}; rename its folder"
            ))
        })
    });
    let to_model = to_model.collect::<Result<Vec<_>>>()?;
    let device = model.device();
    let mut scores = Scores {
        classes: known.clone(),
        names: (0..images.len()).map(|i| images.name(i).to_string()).collect(),
        unreadable: images.unreadable().to_vec(),
        ..Scores::default()
    };
    for batch in loader::batches(images.clone(), Pass::default()) {
        let batch = batch?;
        let pixels = input::images(batch.pixels, &model.facts.preprocessing, &device);
        let (logits, embedding) = model.logits_and_embedding(pixels);
        let logits = to_vec(logits);
        for (row, &image) in logits.chunks(known.len()).zip(&batch.indices) {
            saved::check_answer(row).map_err(|reason| Error::model(images.name(image), reason))?;
        }
        scores.logits.extend(logits);
        if embeddings == Embeddings::Keep {
            scores.embeddings.extend(to_vec(embedding));
        }
        scores
            .labels
            .extend(batch.targets.labels().iter().map(|&label| to_model[label]));
        observe(scores.len());
    }
    Ok(scores)
}
