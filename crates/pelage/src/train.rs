//! Training: one loop that reads top to bottom. It emits events; bars, logs and figures are observers that can only ask
//! it to stop. It writes nothing itself: results to keep go to a [`Keep`].

pub mod advice;
mod alike;
pub mod average;
pub mod backbone;
pub mod checkpoint;
mod depth;
pub mod events;
pub mod facts;
pub mod forecast;
pub mod gradients;
pub mod groups;
pub mod history;
pub mod keep;
pub mod loss;
pub mod memory;
pub mod metrics;
#[cfg(feature = "mpi")]
pub mod mpi;
pub mod named;
pub mod optimizer;
pub mod outcome;
mod passes;
pub mod progress;
pub mod range_test;
pub mod ranks;
pub mod recipe;
pub mod recipes;
pub mod samples;
pub mod schedule;
mod sizes;
pub mod solved;
pub mod stages;
pub mod start;
pub mod step;
pub mod transfer;

use std::time::Instant;

use burn::tensor::Device;
use checkpoint::Snapshot;
use pelage_data::loader::Pass;
use pelage_model::device::in_pool;
use pelage_model::input;
use pelage_model::networks::Mode;
use pelage_model::values::to_vec;

use crate::{Error, Result};
use events::CONFUSED_CLASSES;
pub use events::{Control, Event};
pub use keep::Keep;
pub use memory::train;
use metrics::Metrics;
pub use outcome::{EndReason, Outcome};
use progress::Progress;
use ranks::Ranks;
pub use recipe::Recipe;
pub use samples::{Data, Samples, Sets};
use schedule::Scheduler;
pub use start::Start;
use step::Learner;

/// Seconds between two checkpoints within an epoch.
const CHECKPOINT_SECONDS: f64 = 60.0;

/// Trains the network of `start` by `recipe` on `device`; continues from the checkpoint `from`, if given. Results to
/// keep go to `keep`, events to `observe`. Of several processes that train together, the `ranks`, each calls this, and
/// all go the same way; one that returns an error has to tell the others by [`Ranks::fail`], unless it was told by them
/// ([`Error::Elsewhere`]).
///
/// # Errors
/// A checkpoint of another network or other images, a loss that became NaN, images that can no longer be read, and any
/// error of `keep`; ranks that cannot train together, or another one that has failed.
pub fn fit(
    recipe: &Recipe,
    start: &Start,
    data: &Data,
    device: &Device,
    from: Option<Snapshot>,
    keep: &mut dyn Keep,
    observe: &mut dyn FnMut(&Event) -> Control,
    ranks: &Ranks,
) -> Result<Outcome> {
    recipe.validate()?;
    recipe.check_ranks(ranks.size(), data.train.len(), device)?;
    if recipe.is_solved() {
        return solve(recipe, start, data, device, from, keep, observe);
    }
    let batches = data.train.len().div_ceil(recipe.batch_size);
    let scheduler = Scheduler::new(recipe, batches.div_ceil(recipe.accumulate));
    let fresh = Learner::new(recipe, start.network.clone(), data, device);
    let (mut learner, mut progress) = match from {
        Some(snapshot) => snapshot.restore(fresh, data).map_err(|reason| keep.refused(reason))?,
        None => (fresh, Progress::default()),
    };
    learner = learner.among(ranks);
    let pictures = alike::pictures(ranks, data)?;
    alike::check(&learner, pictures)?;
    let mut reason = progress.finished(recipe);

    while reason.is_none() {
        let started = Instant::now();
        let mut last_saved = Instant::now();
        let side = recipe.side(progress.epoch);
        let shape = data.train.shape_at(side);
        observe(&Event::EpochStart {
            epoch: progress.epoch + 1,
            epochs: recipe.epochs,
            batches,
            done: progress.batch,
        });
        let mut source = data.train.batches(Pass {
            first_batch: progress.batch,
            part: ranks.part(),
            ..recipe.training_pass(progress.epoch, side)
        });
        while progress.batch < batches {
            let learning_rate = scheduler.rate(progress.step, &progress);
            let accumulated = source.by_ref().take(recipe.accumulate);
            let learnt;
            (learner, learnt) = learner.step(accumulated, shape, progress.step, learning_rate)?;
            if learnt.batches == 0 {
                return Err(pelage_data::Error::Dataset("its images ended before the epoch did".into()).into());
            }
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
            let stop = any(ranks, control == Control::Stop)?;
            if stop || last_saved.elapsed().as_secs_f64() > CHECKPOINT_SECONDS {
                let mut so_far = progress.clone();
                so_far.seconds += started.elapsed().as_secs_f64();
                keep.checkpoint(&|| Snapshot::take(&learner, so_far.clone(), data))?;
                last_saved = Instant::now();
            }
            if stop {
                return Ok(progress.outcome(EndReason::Interrupted));
            }
        }

        let (validation, confusion_matrix) = validate(&learner, data, progress.epoch, observe)?;
        let seconds = progress.seconds + started.elapsed().as_secs_f64();
        let rate = scheduler.rate(progress.step - 1, &progress);
        if !validation.loss().is_finite() {
            return Err(Error::Diverged {
                step: progress.step,
                rate,
            });
        }
        let images = data.train.len() + data.validation.len();
        let improved = progress.end_epoch(recipe, rate, &validation, seconds, images);
        if improved {
            let network = start.whole(evaluated(&learner)?)?;
            keep.best(network, &progress)?;
        }
        reason = progress.finished(recipe);
        keep.checkpoint(&|| Snapshot::take(&learner, progress.clone(), data))?;
        let control = observe(&Event::EpochEnd {
            history: progress.history.clone(),
            best_epoch: progress.best_epoch(),
            epochs: recipe.epochs,
            improved,
            confusion_matrix,
        });
        alike::check(&learner, pictures)?;
        if any(ranks, control == Control::Stop)? && reason.is_none() {
            reason = Some(EndReason::Interrupted);
        }
    }
    Ok(progress.outcome(reason.unwrap_or(EndReason::Finished)))
}

/// The same where the head is solved to its optimum: one epoch of one step. A checkpoint of it is that of its end.
fn solve(
    recipe: &Recipe,
    start: &Start,
    data: &Data,
    device: &Device,
    from: Option<Snapshot>,
    keep: &mut dyn Keep,
    observe: &mut dyn FnMut(&Event) -> Control,
) -> Result<Outcome> {
    if let Some(done) = from {
        return Ok(done.progress().outcome(EndReason::Finished));
    }
    let started = Instant::now();
    let mut progress = Progress::default();
    observe(&Event::EpochStart {
        epoch: 1,
        epochs: 1,
        batches: 1,
        done: 0,
    });
    let solved = solved::solve(recipe, start, data, device)?;
    progress.add(solved.learnt);
    // Whoever asks to stop has what little is left: what was solved is worth more than the seconds of its validation.
    observe(&Event::Solved {
        strength: solved.strength,
        cross_validated: solved.cross_validated,
    });
    let learner = Learner::new(recipe, solved.network, data, device);
    let (validation, confusion_matrix) = validate(&learner, data, 0, observe)?;
    let images = data.train.len() + data.validation.len();
    // There is no learning rate.
    progress.end_epoch(recipe, 0.0, &validation, started.elapsed().as_secs_f64(), images);
    keep.best(start.whole(evaluated(&learner)?)?, &progress)?;
    keep.checkpoint(&|| Snapshot::take(&learner, progress.clone(), data))?;
    observe(&Event::EpochEnd {
        history: progress.history.clone(),
        best_epoch: progress.best_epoch(),
        epochs: 1,
        improved: true,
        confusion_matrix,
    });
    Ok(progress.outcome(EndReason::Finished))
}

/// Whether any rank asks for it.
fn any(ranks: &Ranks, asks: bool) -> Result<bool> {
    let mut asking = [f64::from(u8::from(asks))];
    ranks.agree(&mut asking)?;
    Ok(asking[0] > 0.0)
}

fn evaluated(learner: &Learner) -> Result<pelage_model::networks::Network> {
    learner.evaluated().map_err(|reason| Error::model("checkpoint", reason))
}

/// Loss and accuracy over the whole validation set after `epoch`, and its confusion matrix, without augmentation,
/// dropout or gradients.
fn validate(
    learner: &Learner,
    data: &Data,
    epoch: usize,
    observe: &mut dyn FnMut(&Event) -> Control,
) -> Result<(Metrics, Option<Vec<Vec<usize>>>)> {
    let (network, total) = (evaluated(learner)?, data.validation.len());
    let (side, flip) = learner.recipe.validation(epoch);
    let shape = data.validation.shape_at(side);
    let (mut running, mut seen) = (Metrics::default(), 0);
    let classes = data.validation.classes().len();
    let mut confusion_matrix = (classes <= CONFUSED_CLASSES).then(|| vec![vec![0; classes]; classes]);
    let pass = Pass {
        part: learner.ranks.part(),
        ..learner.recipe.validation_pass(side)
    };
    for batch in data.validation.batches(pass) {
        let batch = batch?;
        seen += batch.whole;
        if batch.targets.is_empty() {
            continue;
        }
        let pixels = input::tensor(batch.pixels, shape, &learner.device);
        let answer = |pixels| network.forward(pixels, Mode::Infer);
        let logits = in_pool(&learner.device, || match flip {
            true => (answer(pixels.clone()) + answer(pixels.flip([2]))) * 0.5,
            false => answer(pixels),
        });
        let loss = learner.loss(logits.clone(), &batch.targets);
        let answers = metrics::answers(logits, &batch.targets);
        if let Some(matrix) = &mut confusion_matrix {
            answers.iter().for_each(|&(label, called)| matrix[label][called] += 1);
        }
        let correct = metrics::count_correct(&answers);
        running.add(batch.targets.len(), f64::from(to_vec(loss)[0]), correct);
        observe(&Event::Validation { images: seen, total });
    }
    running.gather(&learner.ranks)?;
    if let Some(matrix) = &mut confusion_matrix {
        let mut counts: Vec<_> = matrix.iter().flatten().map(|&count| count as f64).collect();
        learner.ranks.sum_counts(&mut counts);
        let mut counts = counts.into_iter();
        matrix
            .iter_mut()
            .flatten()
            .zip(&mut counts)
            .for_each(|(cell, count)| *cell = count as usize);
    }
    Ok((running, confusion_matrix))
}
