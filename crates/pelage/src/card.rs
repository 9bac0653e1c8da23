//! What a page says about a model.

use std::path::Path;
use std::time::UNIX_EPOCH;

use pelage_data::preprocess::Preprocessing;
use pelage_model::paths;
use pelage_model::precision::Precision;
use serde::Serialize;

use crate::evaluate::{NearCopies, wilson};
use crate::runs::{history, own};
use crate::train::facts::Training;
use crate::train::history::HistoryRow;
use crate::{Model, Result, explain};

/// A model in words and numbers.
#[derive(Clone, Debug, Serialize)]
pub struct Card {
    /// The name to ask for it by.
    pub name: String,
    /// The name of its network.
    pub architecture: String,
    /// What it computes in.
    pub precision: Precision,
    /// Its classes, in the order of its logits.
    pub classes: Vec<String>,
    /// How pictures become its input.
    pub preprocessing: Preprocessing,
    /// Numbers that were learnt.
    pub parameters: u64,
    /// Multiplications for one picture.
    pub multiply_adds: u64,
    /// Layers whose maps can be looked at, in order.
    pub layers: Vec<String>,
    /// What logits are divided by; none if it is not calibrated.
    pub temperature: Option<f64>,
    /// Whether it answers "unknown" where it is not sure.
    pub rejects: bool,
    /// Number of training pictures; 0 if unknown.
    pub train_images: usize,
    /// Number of validation pictures; 0 if unknown.
    pub validation_images: usize,
    /// Validation accuracy, 0 to 1, and its 95 % interval.
    pub accuracy: Option<(f64, [f64; 2])>,
    /// How many validation pictures look like training pictures, which flatters that; `None` if unknown.
    pub near_copies: Option<NearCopies>,
    /// Validation loss.
    pub loss: Option<f64>,
    /// The data set that it was trained on, as its settings name it.
    pub data: Option<String>,
    /// When its file was written, in seconds since 1970.
    pub written: Option<u64>,
    /// The epoch of its weights.
    pub epoch: usize,
    /// The epochs of its run, if it lies in a run folder.
    pub history: Vec<HistoryRow>,
}

/// What the model of `path` is called: the name of its run folder or file.
pub fn name(path: &Path) -> String {
    let whole = path.canonicalize().ok();
    let path = whole.as_deref().unwrap_or(path);
    let name = if path.is_dir() {
        path.file_name()
    } else {
        path.file_stem()
    };
    name.unwrap_or_default().to_string_lossy().into_owned()
}

impl Card {
    /// That of a model from `path`.
    ///
    /// # Errors
    /// A history that cannot be read.
    pub fn of(name: &str, path: &Path, model: &Model) -> Result<Card> {
        let (facts, training) = (&model.facts, Training::of(&model.facts));
        let graph = facts.graph();
        let layers = facts.layers();
        let named = |&node: &usize| graph.nodes()[node].name.clone();
        let written = paths::model(path).metadata().and_then(|about| about.modified()).ok();
        let (share, images) = (training.validation_accuracy, training.validation_images);
        let data = own::settings(facts)
            .ok()
            .map(|settings| settings.data.display().to_string());
        Ok(Card {
            name: name.into(),
            architecture: facts.name(),
            precision: model.precision(),
            classes: facts.classes.clone(),
            preprocessing: facts.preprocessing.clone(),
            parameters: layers.iter().map(|layer| layer.parameters).sum(),
            multiply_adds: layers.iter().map(|layer| layer.multiply_adds).sum(),
            // Those of one network of several would be a part of what answers.
            layers: match model.alone("explained") {
                Ok(_) => explain::layers(&graph).iter().map(named).collect(),
                Err(_) => Vec::new(),
            },
            temperature: model.judge.temperature(),
            rejects: model.judge.rejects(),
            train_images: training.train_images,
            validation_images: images,
            accuracy: (share.is_finite() && images > 0).then(|| (share, wilson(share, images))),
            near_copies: NearCopies::of(model),
            loss: Some(training.validation_loss).filter(|loss| loss.is_finite()),
            data: data.filter(|data| !data.is_empty()),
            written: written.and_then(|at| Some(at.duration_since(UNIX_EPOCH).ok()?.as_secs())),
            epoch: training.epoch,
            history: history::of(path)?.unwrap_or_default(),
        })
    }
}
