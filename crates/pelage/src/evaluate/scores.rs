//! What a model says of labelled pictures: computed once, and all figures come from it.

use std::sync::Arc;

use pelage_data::Unreadable;
use pelage_data::cache::DecodedImages;
use pelage_data::loader::{self, Pass};
use pelage_model::input;
use pelage_model::probability::softmax;
use pelage_model::values::to_vec;

use crate::{Error, Model, Result};

/// Labels and logits of pictures, in the order of their catalog.
#[derive(Clone, Debug, Default)]
pub struct Scores {
    /// Class names in the model's order.
    pub classes: Vec<String>,
    /// The pictures, by their names relative to their source.
    pub names: Vec<String>,
    /// The class of each, in the model's order.
    pub labels: Vec<usize>,
    /// `[n, classes]`, row-major.
    pub logits: Vec<f32>,
    /// `[n, d]`: what the last dense layer reads; empty where it was not asked for.
    pub embeddings: Vec<f32>,
    /// Pictures that could not be read and do not count.
    pub unreadable: Vec<Unreadable>,
}

impl Scores {
    /// Pictures.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Probabilities `[n, classes]`: the softmax of the logits divided by `temperature` (1: as the model was trained).
    pub fn probabilities(&self, temperature: f64) -> Vec<f32> {
        let rows = self.logits.chunks(self.classes.len());
        rows.flat_map(|row| softmax(row, temperature))
            .map(|p| p as f32)
            .collect()
    }
}

/// Whether [`score`] keeps what the last dense layer reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Embeddings {
    /// Keep them: `4 * d` bytes a picture.
    Keep,
    /// Do not.
    Drop,
}

/// What `model` says of `pictures`, whose class names must all be known to it; `observe` hears pictures done.
///
/// # Errors
/// A class that the model does not know; a picture that cannot be read any more.
pub fn score(
    model: &Model,
    pictures: Arc<DecodedImages>,
    embeddings: Embeddings,
    observe: &mut dyn FnMut(usize),
) -> Result<Scores> {
    let known = &model.facts.classes;
    let to_model = pictures.classes().iter().map(|class| {
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
        names: (0..pictures.len()).map(|i| pictures.name(i).to_string()).collect(),
        unreadable: pictures.unreadable().to_vec(),
        ..Scores::default()
    };
    for batch in loader::batches(pictures.clone(), Pass::default()) {
        let batch = batch?;
        let pixels = input::images(batch.pixels, &model.facts.preprocessing, &device);
        let (logits, embedding) = model.logits_and_embedding(pixels);
        scores.logits.extend(to_vec(logits));
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
