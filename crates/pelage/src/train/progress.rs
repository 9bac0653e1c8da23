//! The progress of a run: what a checkpoint holds besides tensors, and what decides when training ends.

use serde::{Deserialize, Serialize};

use super::history::HistoryRow;
use super::metrics::Metrics;
use super::outcome::{EndReason, Outcome};
use super::recipe::Recipe;
use super::step::Learnt;

/// The progress of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Epochs done.
    pub epoch: usize,
    /// Batches done in the current epoch.
    pub batch: usize,
    /// Steps done over the whole run.
    pub step: u64,
    /// Sums over the images of the current epoch.
    pub train: Metrics,
    /// Seconds spent in the current epoch before a resume.
    pub seconds: f64,
    /// The lowest validation loss and its epoch, from 1.
    pub best: Option<(f64, usize)>,
    /// Epochs since the last improvement.
    pub waited: usize,
    /// How often the plateau schedule has halved the rate.
    pub plateaus: usize,
    /// One row per finished epoch.
    pub history: Vec<HistoryRow>,
}

impl Progress {
    /// Refuses what no training by `recipe` with `batches` an epoch comes to.
    ///
    /// # Errors
    /// A message that says which numbers contradict each other.
    pub fn check(&self, recipe: &Recipe, batches: usize) -> Result<(), String> {
        let steps = |batches: usize| batches.div_ceil(recipe.accumulate) as u128;
        let expected = self.epoch as u128 * steps(batches) + steps(self.batch);
        if self.batch > batches || u128::from(self.step) != expected {
            return Err(format!(
                "it says that step {} is at batch {} of {batches} after {} epochs, which does not agree",
                self.step, self.batch, self.epoch
            ));
        }
        let epochs = self.history.iter().map(|row| row.epoch);
        let best = self
            .best_epoch()
            .map_or(self.epoch == 0, |best| (1..=self.epoch).contains(&best));
        match best && self.waited.max(self.plateaus) <= self.epoch && epochs.eq(1..=self.epoch) {
            true => Ok(()),
            false => Err(format!("its history is not one of {} epochs", self.epoch)),
        }
    }

    /// Adds one step's batches to the current epoch.
    pub fn add(&mut self, learnt: Learnt) {
        self.train.add(learnt.images, learnt.loss, learnt.correct);
        self.batch += learnt.batches;
        self.step += 1;
    }

    /// Closes the epoch with its validation, and returns whether its weights are the best so far.
    pub fn end_epoch(&mut self, recipe: &Recipe, rate: f64, validation: &Metrics, seconds: f64, images: usize) -> bool {
        let loss = validation.loss();
        // A loss of images of another size says nothing about this one: the newer weights are better.
        let comparable = |epoch: usize| recipe.is_measured(epoch - 1) && recipe.is_measured(self.epoch);
        let improved = self
            .best
            .is_none_or(|(best, epoch)| !comparable(epoch) || loss < best - recipe.min_delta);
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

    /// The outcome of a run that ended for `reason`.
    pub fn outcome(&self, reason: EndReason) -> Outcome {
        Outcome {
            history: self.history.clone(),
            best_epoch: self.best_epoch(),
            reason,
        }
    }
}
