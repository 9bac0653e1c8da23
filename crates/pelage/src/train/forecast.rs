//! How long a run will take, measured on a few steps before it starts.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use burn::module::Module;
use burn::tensor::Device;
use pelage_data::loader::Batch;
use pelage_model::input;
use pelage_model::networks::Mode;
use pelage_model::values::to_vec;

use super::recipe::Recipe;
use super::samples::{Batches, Data};
use super::start::{Start, copy};
use super::step::Learner;
use crate::{Error, Result};

/// Unmeasured warm-up steps, and the maximum number of measured steps.
const WARM_UP: usize = 2;
const MEASURED: usize = 8;
/// No step of one size is started after this many seconds, shared among the sizes of a run.
const ENOUGH: Duration = Duration::from_secs(3);

/// The forecast from the measured steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    /// Training images per second, including the input pipeline.
    pub train_images_per_second: f64,
    /// Seconds for one epoch, training and validation.
    pub epoch_seconds: f64,
    /// Seconds for all epochs of the recipe; early stopping may end the run sooner.
    pub total_seconds: f64,
}

/// Times a few steps of `recipe` on a throw-away network, at each of its sizes; the run itself is not affected.
///
/// # Errors
/// Images that can no longer be read, a loss that became NaN.
pub fn forecast(recipe: &Recipe, start: &Start, data: &Data, device: &Device) -> Result<Forecast> {
    // Each size, with its number of epochs and, of validations, sides and whether mirror images count.
    let mut sides: BTreeMap<u32, f64> = BTreeMap::new();
    let mut validations: BTreeMap<(u32, bool), f64> = BTreeMap::new();
    for epoch in 0..recipe.epochs {
        *sides.entry(recipe.side(epoch)).or_default() += 1.0;
        *validations.entry(recipe.validation(epoch)).or_default() += 1.0;
    }
    let enough = ENOUGH.div_f64(sides.len() as f64);
    let images = [data.train.len(), data.validation.len()].map(|images| images as f64);
    let mut training = 0.0;
    for (side, epochs) in sides {
        training += epochs * images[0] / training_rate(recipe, start, data, device, side, enough)?;
    }
    let mut validating = 0.0;
    for ((side, flip), epochs) in validations {
        let passes = if flip { 2.0 } else { 1.0 };
        validating += epochs * passes * images[1] / validation_rate(recipe, start, data, device, side, enough)?;
    }
    let epochs = recipe.epochs as f64;
    Ok(Forecast {
        train_images_per_second: epochs * images[0] / training.max(1e-9),
        epoch_seconds: (training + validating) / epochs,
        total_seconds: training + validating,
    })
}

/// Images per second in training at one side.
fn training_rate(
    recipe: &Recipe,
    start: &Start,
    data: &Data,
    device: &Device,
    side: u32,
    enough: Duration,
) -> Result<f64> {
    let mut learner = None;
    let source = data.train.batches(recipe.training_pass(0, side));
    let (rate, shape) = (recipe.learning_rate * 1e-3, data.train.shape_at(side));
    rate_of(source, enough, |batch| {
        let images = batch.targets.len();
        let fresh = match learner.take() {
            Some(learner) => learner,
            None => Learner::new(recipe, copy(&start.network)?, data, device),
        };
        let stepped = fresh.step(std::iter::once(Ok(batch)), shape, 0, rate);
        // The rate that was asked for, not the small one of the forecast.
        let (next, _) = stepped.map_err(|failure| match failure {
            Error::Diverged { step, .. } => Error::Diverged {
                step,
                rate: recipe.learning_rate,
            },
            other => other,
        })?;
        learner = Some(next);
        Ok(images)
    })
}

/// Images per second in validation at one side.
fn validation_rate(
    recipe: &Recipe,
    start: &Start,
    data: &Data,
    device: &Device,
    side: u32,
    enough: Duration,
) -> Result<f64> {
    let (network, shape) = (start.network.valid(), data.validation.shape_at(side));
    let source = data.validation.batches(recipe.validation_pass(side));
    rate_of(source, enough, |batch| {
        let images = batch.targets.len();
        to_vec(network.forward(input::tensor(batch.pixels, shape, device), Mode::Infer));
        Ok(images)
    })
}

/// Images per second over the first batches of `source`, of which none is begun after `enough`.
fn rate_of(source: Batches, enough: Duration, mut work: impl FnMut(Batch) -> Result<usize>) -> Result<f64> {
    let (mut started, mut images) = (Instant::now(), 0);
    for (i, batch) in source.take(WARM_UP + MEASURED).enumerate() {
        // With very few batches, the warm-up is measured as well.
        if i == WARM_UP {
            (started, images) = (Instant::now(), 0);
        }
        images += work(batch?)?;
        if i > WARM_UP && started.elapsed() > enough {
            break;
        }
    }
    Ok(images as f64 / started.elapsed().as_secs_f64().max(1e-9))
}
