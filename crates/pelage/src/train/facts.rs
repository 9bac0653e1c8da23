//! What a model file says about the training of its model.

use pelage_data::preprocess::Preprocessing;
use pelage_model::saved::{Facts, Member, Together};
use serde_json::{Value, json};

use super::progress::Progress;
use super::recipe::Recipe;
use super::samples::{Data, Samples};
use super::transfer::{Beside, Transfer};

/// How a model's weights were trained, as far as its file says.
#[derive(Clone, Debug, PartialEq)]
pub struct Training {
    /// The epoch of these weights, from 1; 0 if unknown.
    pub epoch: usize,
    /// Number of training images.
    pub train_images: usize,
    /// Number of validation images.
    pub validation_images: usize,
    /// Validation loss of these weights; NaN if unknown.
    pub validation_loss: f64,
    /// Validation accuracy of these weights, 0 to 1; NaN if unknown.
    pub validation_accuracy: f64,
    /// How many validation images look like training images; `None` if unknown.
    pub near_copies: Option<usize>,
    /// The settings, as JSON.
    pub settings: Value,
}

/// The name of that number among the facts.
pub(crate) const NEAR_COPIES: &str = "near_copies";

impl Training {
    /// Reads `facts`; missing or malformed entries count as unknown.
    pub fn of(facts: &Facts) -> Self {
        let count = |name: &str| facts.training[name].as_u64().unwrap_or(0) as usize;
        let figure = |name: &str| facts.training[name].as_f64().unwrap_or(f64::NAN);
        Training {
            epoch: count("epoch"),
            train_images: count("train_images"),
            validation_images: count("validation_images"),
            validation_loss: figure("validation_loss"),
            validation_accuracy: figure("validation_accuracy"),
            near_copies: facts.training[NEAR_COPIES].as_u64().map(|count| count as usize),
            settings: facts.training["recipe"].clone(),
        }
    }
}

/// The facts of the model after the epoch that `progress` has just closed; `settings` are kept with them.
pub fn facts(recipe: &Recipe, progress: &Progress, data: &Data, settings: Value) -> Facts {
    let row = progress.history.last();
    let transfer = recipe.transfer.as_ref();
    Facts {
        architecture: recipe.model,
        head: transfer.map(|transfer| transfer.head.clone()),
        flip: recipe.evaluation_flip || transfer.is_some_and(|transfer| transfer.flip),
        classes: data.train.classes().to_vec(),
        preprocessing: data.train.preprocessing().clone(),
        together: transfer.and_then(|transfer| together(transfer, &data.train)),
        training: json!({
            "recipe": settings,
            "epoch": progress.epoch,
            "train_images": data.train.len(),
            "validation_images": data.validation.len(),
            "validation_loss": row.map(|row| row.validation_loss),
            "validation_accuracy": row.map(|row| row.validation_accuracy),
        }),
    }
}

/// The joined backbones beside the first.
fn together(transfer: &Transfer, train: &Samples) -> Option<Together> {
    let Samples::Features(features) = train else {
        return None;
    };
    let seen = features.preprocessings().iter().skip(1);
    let member = |(beside, preprocessing): (&Beside, &Preprocessing)| Member {
        architecture: beside.architecture,
        head: Some(transfer.head.clone()),
        flip: transfer.flip,
        preprocessing: preprocessing.clone(),
    };
    let others: Vec<_> = transfer.beside.iter().zip(seen).map(member).collect();
    (!others.is_empty()).then(|| Together::sum(others))
}
