//! `last.safetensors`: all that an exact resume needs, written atomically.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::optimizer::Optimizer;
use super::recipe::Recipe;
use super::step::{Learner, Learnt};
use super::{Data, EndReason, Outcome, Samples};
use crate::bundle::tensors;
use crate::evaluate::Metrics;
use crate::model::parameters::{self, Named};
use crate::report::history::HistoryRow;
use crate::{Error, Result, atomic};

/// The name of the checkpoint in a run folder.
pub const FILE: &str = "last.safetensors";

/// Where a run stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Epochs done.
    pub epoch: usize,
    /// Batches done in the epoch under way.
    pub batch: usize,
    /// Steps done over the whole run.
    pub step: u64,
    /// Sums over the pictures of the epoch under way.
    pub train: Metrics,
    /// Seconds spent in the epoch under way before a resume.
    pub seconds: f64,
    /// The lowest validation loss and its epoch, from 1.
    pub best: Option<(f64, usize)>,
    /// Epochs since the last better one.
    pub waited: usize,
    /// How often the plateau schedule has halved the rate.
    pub plateaus: usize,
    /// One row an epoch done.
    pub history: Vec<HistoryRow>,
}

impl Progress {
    /// Adds one batch to the epoch under way.
    pub fn add(&mut self, learnt: Learnt) {
        self.train.add(learnt.images, learnt.loss, learnt.correct);
        self.batch += 1;
        self.step += 1;
    }

    /// Closes the epoch with its validation; whether these are the best weights so far.
    pub fn end_epoch(&mut self, recipe: &Recipe, rate: f64, validation: &Metrics, seconds: f64, images: usize) -> bool {
        let loss = validation.loss();
        // A first epoch without a number still counts as the best there is.
        let improved = self
            .best
            .is_none_or(|(best, _)| best.is_nan() || loss < best - recipe.min_delta);
        if improved {
            self.best = Some((loss, self.epoch + 1));
            self.waited = 0;
        } else {
            self.waited += 1;
            self.plateaus += 1;
        }
        self.history.push(HistoryRow {
            epoch: self.epoch + 1,
            step: self.step,
            learning_rate: rate,
            train_loss: self.train.loss(),
            train_accuracy: self.train.accuracy(),
            validation_loss: loss,
            validation_accuracy: validation.accuracy(),
            seconds,
            images_per_second: images as f64 / seconds.max(1e-9),
        });
        self.epoch += 1;
        self.batch = 0;
        self.train = Metrics::default();
        self.seconds = 0.0;
        improved
    }

    /// Whether the run is over, and why.
    pub fn finished(&self, recipe: &Recipe) -> Option<EndReason> {
        if recipe.patience > 0 && self.waited >= recipe.patience {
            Some(EndReason::EarlyStop)
        } else if self.epoch >= recipe.epochs {
            Some(EndReason::Finished)
        } else {
            None
        }
    }

    /// The epoch (from 1) with the lowest validation loss.
    pub fn best_epoch(&self) -> Option<usize> {
        self.best.map(|(_, epoch)| epoch)
    }

    /// The public account of a run that ended for `reason`.
    pub fn outcome(&self, reason: EndReason) -> Outcome {
        Outcome {
            history: self.history.clone(),
            best_epoch: self.best_epoch(),
            reason,
        }
    }
}

/// A checkpoint in memory.
pub struct Snapshot {
    network: Named,
    average: Named,
    optimizer: Named,
    state: State,
}

/// The part of a checkpoint that is not tensors.
#[derive(Serialize, Deserialize)]
struct State {
    optimizer_steps: u64,
    progress: Progress,
    /// What [`fingerprint`] told of the run's pictures.
    pictures: String,
}

impl Snapshot {
    /// Copies the state of a run out.
    pub fn take(learner: &Learner, progress: Progress, data: &Data) -> Self {
        let (optimizer, optimizer_steps) = learner.optimizer.read();
        let state = State {
            optimizer_steps,
            progress,
            pictures: fingerprint(data),
        };
        Snapshot {
            network: parameters::read(&learner.network),
            average: learner.average.values.clone(),
            optimizer,
            state,
        }
    }

    /// Writes it to `folder`, atomically.
    ///
    /// # Errors
    /// A full disk or a folder that cannot be written; the earlier checkpoint then stays.
    pub fn save(&self, folder: &Path) -> Result<()> {
        let path = folder.join(FILE);
        let network = self
            .network
            .iter()
            .map(|(name, values)| (format!("network/{name}"), values));
        let optimizer = self
            .optimizer
            .iter()
            .map(|(name, values)| (format!("optimizer/{name}"), values));
        let average = self.average.iter().map(|(name, values)| (format!("average/{name}"), values));
        let bytes = tensors::encode(network.chain(average).chain(optimizer), "checkpoint", &self.state)
            .map_err(|reason| Error::model(&path, reason))?;
        atomic::write(&path, &bytes)
    }

    /// Puts it into a fresh learner of the same network and pictures.
    ///
    /// # Errors
    /// Where the checkpoint in `folder` belongs to another network or other pictures.
    pub fn restore<'a>(self, fresh: Learner<'a>, data: &Data, folder: &Path) -> Result<(Learner<'a>, Progress)> {
        let path = folder.join(FILE);
        if self.state.pictures != fingerprint(data) {
            return Err(Error::model(
                path,
                "the run was made from other pictures (some were added, removed, renamed, or cannot be read any more); \
                 bring them back, or start a new run",
            ));
        }
        let mut learner = fresh;
        learner.network = parameters::write(learner.network, self.network)
            .map_err(|reason| Error::model(path, format!("{reason}; it belongs to another network")))?;
        learner.average.values = self.average;
        learner.optimizer = Optimizer::restore(self.optimizer, self.state.optimizer_steps, &learner.device);
        Ok((learner, self.state.progress))
    }

    /// Where the run stood.
    pub fn progress(&self) -> &Progress {
        &self.state.progress
    }
}

/// A text that tells two sets of pictures apart by names, classes and order, all of which a resumed run relies on.
fn fingerprint(data: &Data) -> String {
    let mut hash = blake3::Hasher::new();
    let mut add = |pictures: &Samples| {
        let entries = (0..pictures.len()).map(|i| format!("{}\n{}\n", pictures.name(i), pictures.label(i)));
        pictures.classes().iter().cloned().chain(entries).for_each(|text| {
            hash.update(text.as_bytes()).update(&[0]);
        });
    };
    add(&data.train);
    add(&data.validation);
    hash.finalize().to_hex()[..32].to_string()
}

/// Reads the checkpoint in `folder`; `None` where there is none yet.
///
/// # Errors
/// A damaged checkpoint.
pub fn load(folder: &Path) -> Result<Option<Snapshot>> {
    let path = folder.join(FILE);
    if !path.exists() {
        return Ok(None);
    }
    let bytes = std::fs::read(&path).map_err(Error::io(&path))?;
    let (all, state) = tensors::decode::<State>(&bytes, "checkpoint").map_err(|reason| Error::model(&path, reason))?;
    let (mut network, mut average, mut optimizer) = (Named::new(), Named::new(), Named::new());
    for (name, values) in all {
        match name.split_once('/') {
            Some(("network", rest)) => network.insert(rest.to_string(), values),
            Some(("average", rest)) => average.insert(rest.to_string(), values),
            Some(("optimizer", rest)) => optimizer.insert(rest.to_string(), values),
            _ => return Err(Error::model(&path, format!("an unknown tensor '{name}'"))),
        };
    }
    Ok(Some(Snapshot {
        network,
        average,
        optimizer,
        state,
    }))
}
