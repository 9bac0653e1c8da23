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

/// Scores images with `model`, which must know all of their class names; they come as each of its networks sees them.
/// `observe` gets the number of images done.
///
/// # Errors
/// A class that the model does not know; an image that can no longer be read, or has no finite answer.
pub fn score(
    model: &Model,
    seen: &[Arc<DecodedImages>],
    embeddings: Embeddings,
    observe: &mut dyn FnMut(usize),
) -> Result<Scores> {
    let known = &model.facts.classes;
    let members = model.facts.members();
    let Some(images) = seen.first().filter(|_| same(seen) && seen.len() == members.len()) else {
        let reason = "some images can be read for one of the model's networks and not for another";
        return Err(Error::Settings(reason.into()));
    };
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
    let mut others: Vec<_> = (seen[1..].iter())
        .map(|images| loader::batches(images.clone(), Pass::default()))
        .collect();
    for batch in loader::batches(images.clone(), Pass::default()) {
        let batch = batch?;
        let mut pixels = vec![input::images(batch.pixels, &members[0].preprocessing, &device)];
        for (batches, member) in others.iter_mut().zip(&members[1..]) {
            let values = batches.next().transpose()?.unwrap_or_default().pixels;
            pixels.push(input::images(values, &member.preprocessing, &device));
        }
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

/// Whether all of these are of the same images.
fn same(seen: &[Arc<DecodedImages>]) -> bool {
    let indices = |images: &Arc<DecodedImages>| (0..images.len()).map(|i| images.index(i)).collect::<Vec<_>>();
    seen.windows(2).all(|pair| indices(&pair[0]) == indices(&pair[1]))
}
