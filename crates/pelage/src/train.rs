//! Training: one loop that reads top to bottom. It emits events; bars and logs are observers that can only ask it to stop.

pub mod checkpoint;
pub mod events;
pub mod loss;
pub mod optimizer;
pub mod recipe;
pub mod run;
pub mod schedule;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use pelage_data::cache::Pictures;
use pelage_data::loader::{self, Batch, Order};

use crate::evaluate::{self, Metrics};
use crate::model::{DropoutSeed, Network, parameters};
use crate::report::history::HistoryRow;
use crate::{Error, Result, bundle};
use checkpoint::{Progress, Snapshot};
pub use events::{Control, Event};
pub use recipe::Recipe;
use schedule::Scheduler;

/// The two sets of a run, decoded, and the device to train on (without autodiff).
pub struct Data {
    /// What is learnt from.
    pub train: Arc<Pictures>,
    /// What is never augmented nor learnt from.
    pub validation: Arc<Pictures>,
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

/// Trains by `recipe` and keeps checkpoints in `folder`; goes on from `folder`'s checkpoint where there is one.
///
/// # Errors
/// Unreadable checkpoints, a full disk, a loss that is no number any more.
pub fn fit(
    recipe: &Recipe,
    data: &Data,
    folder: &Path,
    device: &Device,
    observe: &mut dyn FnMut(&Event) -> Control,
) -> Result<Outcome> {
    let classes = data.train.classes().len();
    let batches = data.train.len().div_ceil(recipe.batch_size);
    let class_weights = loss::class_weights(recipe.class_weights, &labels(&data.train), classes);
    let training_device = device.clone().autodiff();
    let size = [data.train.preprocessing().height, data.train.preprocessing().width].map(|side| side as usize);
    let fresh = Network::new(recipe.model, size, classes, recipe.seed, &training_device);
    let (mut network, mut optimizer, mut progress) = match checkpoint::load(folder)? {
        Some(snapshot) => snapshot.restore(fresh, folder)?,
        None => (fresh, optimizer::Optimizer::new(), Progress::default()),
    };
    let scheduler = Scheduler::new(recipe, batches);
    let augmentation = (!recipe.augmentation.is_none()).then(|| recipe.augmentation.clone());
    let mut reason = progress.finished(recipe);

    while reason.is_none() {
        let started = Instant::now();
        let mut last_saved = Instant::now();
        observe(&Event::EpochStart { epoch: progress.epoch + 1, epochs: recipe.epochs, batches });
        let order = Order::Shuffled { seed: recipe.seed, epoch: progress.epoch as u64 };
        let source = loader::batches(
            data.train.clone(),
            recipe.batch_size,
            order,
            augmentation.clone(),
            progress.batch,
        );
        for batch in source {
            let batch = batch?;
            let learning_rate = scheduler.rate(progress.step, &progress);
            let dropout = DropoutSeed { seed: recipe.seed, step: progress.step };
            let logits = network.forward(pixels(&batch, data, &training_device), Some(dropout));
            let loss = loss::loss(recipe, logits.clone(), &batch.labels, class_weights.as_deref());
            let sums = evaluate::sums(logits.inner(), &batch.labels);
            let batch_loss = f64::from(parameters::to_vec(loss.clone().inner())[0]);
            if !batch_loss.is_finite() {
                return Err(diverged(progress.step, learning_rate));
            }
            network = optimizer.step(recipe, learning_rate, network, loss.backward());
            progress.add(&batch.labels, batch_loss, sums);
            let control = observe(&Event::Batch {
                batch: progress.batch,
                batches,
                images: batch.labels.len(),
                loss: progress.train_loss(),
                accuracy: progress.train_accuracy(),
                step: progress.step,
                learning_rate,
            });
            let stop = control == Control::Stop;
            if stop || last_saved.elapsed().as_secs_f64() > CHECKPOINT_SECONDS {
                let mut so_far = progress.clone();
                so_far.seconds += started.elapsed().as_secs_f64();
                Snapshot::take(&network, &optimizer, so_far).save(folder)?;
                last_saved = Instant::now();
            }
            if stop {
                return Ok(progress.outcome(EndReason::Interrupted));
            }
        }

        let validation = validate(&network, recipe, data, device, class_weights.as_deref(), observe)?;
        let seconds = progress.seconds + started.elapsed().as_secs_f64();
        let images = data.train.len() + data.validation.len();
        let rate = scheduler.rate(progress.step - 1, &progress);
        let improved = progress.end_epoch(recipe, rate, &validation, seconds, images);
        if improved {
            let facts = bundle::Facts::new(recipe, &progress, data);
            bundle::save(&folder.join("best.safetensors"), &network.valid(), &facts)?;
        }
        reason = progress.finished(recipe);
        Snapshot::take(&network, &optimizer, progress.clone()).save(folder)?;
        let control = observe(&Event::EpochEnd { row: progress.history[progress.history.len() - 1].clone(), improved });
        if control == Control::Stop && reason.is_none() {
            reason = Some(EndReason::Interrupted);
        }
    }
    Ok(progress.outcome(reason.unwrap_or(EndReason::Finished)))
}

/// Loss and accuracy over the whole validation set, without augmentation, dropout or gradients.
fn validate(
    network: &Network,
    recipe: &Recipe,
    data: &Data,
    device: &Device,
    class_weights: Option<&[f32]>,
    observe: &mut dyn FnMut(&Event) -> Control,
) -> Result<Metrics> {
    let network = network.valid();
    let (mut metrics, total) = (Metrics::default(), data.validation.len());
    for batch in loader::batches(data.validation.clone(), recipe.batch_size, Order::Sequential, None, 0) {
        let batch = batch?;
        let logits = network.forward(pixels(&batch, data, device), None);
        let loss = loss::loss(recipe, logits.clone(), &batch.labels, class_weights);
        let loss = f64::from(parameters::to_vec(loss)[0]);
        metrics.add(batch.labels.len(), loss, evaluate::sums(logits, &batch.labels));
        observe(&Event::Validation { images: metrics.images, total });
    }
    Ok(metrics)
}

/// A batch's pixels as `[n, h, w, 3]` on `device`.
fn pixels(batch: &Batch, data: &Data, device: &Device) -> Tensor<4> {
    let preprocessing = data.train.preprocessing();
    let shape = [
        batch.labels.len(),
        preprocessing.height as usize,
        preprocessing.width as usize,
        3,
    ];
    Tensor::from_data(TensorData::new(batch.pixels.clone(), shape), device)
}

fn labels(pictures: &Pictures) -> Vec<usize> {
    (0..pictures.len()).map(|i| pictures.label(i)).collect()
}

fn diverged(step: u64, learning_rate: f64) -> Error {
    Error::Input(format!(
        "the loss is no number any more at step {step} with learning rate {learning_rate:.3e}; \
         try --learning-rate {:.0e}, and look at the pictures with `pelage inspect`",
        learning_rate / 10.0
    ))
}
