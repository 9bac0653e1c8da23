//! Training: one loop that reads top to bottom. It emits events; bars, logs and figures are observers that can only ask
//! it to stop.

pub mod average;
pub mod checkpoint;
pub mod events;
pub mod forecast;
pub mod loss;
pub mod optimizer;
pub mod recipe;
pub mod record;
pub mod run;
pub mod samples;
pub mod schedule;
pub mod start;
pub mod step;
pub mod tensorboard;
pub mod transfer;

use std::path::Path;
use std::time::Instant;

use burn::tensor::Device;
use pelage_data::loader::Order;

use crate::evaluate::{self, Metrics};
use crate::model::parameters;
use crate::report::history::HistoryRow;
use crate::{Result, bundle};
use checkpoint::{Progress, Snapshot};
pub use events::{Control, Event};
pub use recipe::Recipe;
pub use samples::Samples;
use schedule::Scheduler;
pub use start::Start;
use step::Learner;

/// The two sets of a run.
pub struct Data {
    /// What is learnt from.
    pub train: Samples,
    /// What is never augmented nor learnt from.
    pub validation: Samples,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// One row an epoch.
    pub history: Vec<HistoryRow>,
    /// The epoch (from 1) whose weights are in `best.safetensors`; `None` before the first epoch ended.
    pub best_epoch: Option<usize>,
    /// Why it ended.
    pub reason: EndReason,
}

/// Why training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// All epochs of the recipe are done.
    Finished,
    /// The validation loss did not improve for `patience` epochs.
    EarlyStop,
    /// The observer asked to stop; the checkpoint says where to go on.
    Interrupted,
}

/// Seconds between two checkpoints within an epoch.
const CHECKPOINT_SECONDS: f64 = 60.0;

/// Trains the network of `start` by `recipe` and keeps checkpoints in `folder`; goes on from `folder`'s checkpoint where there is one.
///
/// # Errors
/// Unreadable checkpoints or ones of other pictures, a full disk, a loss that is no number any more.
pub fn fit(
    recipe: &Recipe,
    start: &Start,
    data: &Data,
    folder: &Path,
    device: &Device,
    observe: &mut dyn FnMut(&Event) -> Control,
) -> Result<Outcome> {
    let batches = data.train.len().div_ceil(recipe.batch_size);
    let scheduler = Scheduler::new(recipe, batches);
    let shape = data.train.shape();
    let fresh = Learner::new(recipe, start.network.clone(), data, device);
    let (mut learner, mut progress) = match checkpoint::load(folder)? {
        Some(snapshot) => snapshot.restore(fresh, data, folder)?,
        None => (fresh, Progress::default()),
    };
    let mut reason = progress.finished(recipe);

    while reason.is_none() {
        let started = Instant::now();
        let mut last_saved = Instant::now();
        observe(&Event::EpochStart {
            epoch: progress.epoch + 1,
            epochs: recipe.epochs,
            batches,
            done: progress.batch,
        });
        let source = data.train.batches(
            recipe.batch_size,
            Order::Shuffled {
                seed: recipe.seed,
                epoch: progress.epoch as u64,
            },
            recipe.augmentation(),
            progress.batch,
        );
        for batch in source {
            let learning_rate = scheduler.rate(progress.step, &progress);
            let learnt;
            (learner, learnt) = learner.step(batch?, shape, progress.step, learning_rate)?;
            progress.add(learnt);
            let control = observe(&Event::Batch {
                batch: progress.batch,
                batches,
                images: learnt.images,
                loss: progress.train.loss(),
                accuracy: progress.train.accuracy(),
                step: progress.step,
                learning_rate,
            });
            let stop = control == Control::Stop;
            if stop || last_saved.elapsed().as_secs_f64() > CHECKPOINT_SECONDS {
                let mut so_far = progress.clone();
                so_far.seconds += started.elapsed().as_secs_f64();
                Snapshot::take(&learner, so_far, data).save(folder)?;
                last_saved = Instant::now();
            }
            if stop {
                return Ok(progress.outcome(EndReason::Interrupted));
            }
        }

        let validation = validate(&learner, data, observe)?;
        let seconds = progress.seconds + started.elapsed().as_secs_f64();
        let rate = scheduler.rate(progress.step - 1, &progress);
        let images = data.train.len() + data.validation.len();
        let improved = progress.end_epoch(recipe, rate, &validation, seconds, images);
        if improved {
            let facts = bundle::Facts::new(recipe, &progress, data);
            bundle::save(&folder.join("best.safetensors"), &start.whole(learner.evaluated()?)?, &facts)?;
        }
        reason = progress.finished(recipe);
        Snapshot::take(&learner, progress.clone(), data).save(folder)?;
        let control = observe(&Event::EpochEnd {
            history: progress.history.clone(),
            best_epoch: progress.best_epoch(),
            epochs: recipe.epochs,
            improved,
        });
        if control == Control::Stop && reason.is_none() {
            reason = Some(EndReason::Interrupted);
        }
    }
    Ok(progress.outcome(reason.unwrap_or(EndReason::Finished)))
}

/// Loss and accuracy over the whole validation set, without augmentation, dropout or gradients.
fn validate(learner: &Learner, data: &Data, observe: &mut dyn FnMut(&Event) -> Control) -> Result<Metrics> {
    let (network, total) = (learner.evaluated()?, data.validation.len());
    let mut metrics = Metrics::default();
    let batch_size = learner.recipe.batch_size;
    for batch in data.validation.batches(batch_size, Order::Sequential, None, 0) {
        let batch = batch?;
        let logits = network.forward(step::pixels(batch.pixels, data.validation.shape(), &learner.device), None);
        let loss = learner.loss(logits.clone(), &batch.labels);
        let correct = evaluate::count_correct(logits, &batch.labels);
        metrics.add(batch.labels.len(), f64::from(parameters::to_vec(loss)[0]), correct);
        observe(&Event::Validation {
            images: metrics.images,
            total,
        });
    }
    Ok(metrics)
}
