//! How long a run will take, measured on a few steps before it starts.

use std::time::{Duration, Instant};

use burn::module::Module;
use burn::tensor::Device;
use pelage_data::loader::{Batch, Order, Pass};
use pelage_model::input;
use pelage_model::networks::Mode;
use pelage_model::values::to_vec;

use super::recipe::Recipe;
use super::samples::{Batches, Data};
use super::start::Start;
use super::step::Learner;
use crate::{Error, Result};

/// Unmeasured warm-up steps, and the maximum number of measured steps.
const WARM_UP: usize = 2;
const MEASURED: usize = 8;
/// No step is started after this many seconds.
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

/// Times a few steps of `recipe` on a throw-away network; the run itself is not affected.
///
/// # Errors
/// Images that can no longer be read, a loss that became NaN.
pub fn forecast(recipe: &Recipe, start: &Start, data: &Data, device: &Device) -> Result<Forecast> {
    let mut learner = None;
    let order = Order::Shuffled {
        seed: recipe.seed,
        epoch: 0,
    };
    let batch_size = recipe.batch_size;
    let source = data.train.batches(Pass {
        batch_size,
        order,
        augmentation: recipe.augmentation(),
        ..Pass::default()
    });
    let rate = recipe.learning_rate * 1e-3;
    let train = rate_of(source, |batch| {
        let images = batch.targets.len();
        let fresh = learner
            .take()
            .unwrap_or_else(|| Learner::new(recipe, start.network.clone(), data, device));
        let stepped = fresh.step(std::iter::once(Ok(batch)), data.train.shape(), 0, rate);
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
    })?;

    let network = start.network.valid();
    let source = data.validation.batches(Pass {
        batch_size,
        ..Pass::default()
    });
    let validation = rate_of(source, |batch| {
        let images = batch.targets.len();
        let pixels = input::tensor(batch.pixels, data.validation.shape(), device);
        to_vec(network.forward(pixels, Mode::Infer));
        Ok(images)
    })?;
    let epoch_seconds = data.train.len() as f64 / train + data.validation.len() as f64 / validation;
    Ok(Forecast {
        train_images_per_second: train,
        epoch_seconds,
        total_seconds: epoch_seconds * recipe.epochs as f64,
    })
}

/// Images per second over the first batches of `source`.
fn rate_of(source: Batches, mut work: impl FnMut(Batch) -> Result<usize>) -> Result<f64> {
    let (mut started, mut images) = (Instant::now(), 0);
    for (i, batch) in source.take(WARM_UP + MEASURED).enumerate() {
        // With very few batches, the warm-up is measured as well.
        if i == WARM_UP {
            (started, images) = (Instant::now(), 0);
        }
        images += work(batch?)?;
        if i > WARM_UP && started.elapsed() > ENOUGH {
            break;
        }
    }
    Ok(images as f64 / started.elapsed().as_secs_f64().max(1e-9))
}
