//! Training by the reference recipe: the step alone, the input pipeline alone, both together.

use std::sync::Arc;
use std::time::Instant;

use burn::module::Module;
use burn::tensor::Device;
use pelage_data::cache::{Cache, CacheMode, DecodedImages};
use pelage_data::catalog;
use pelage_data::loader::{Order, Pass};
use pelage_data::preprocess::Preprocessing;
use pelage_data::sample;
use pelage_model::input;
use pelage_model::networks::{Mode, Network};
use pelage_model::values::to_vec;
use serde::Serialize;

use super::timing::median_seconds;
use crate::train::step::Learner;
use crate::train::{Data, Recipe, Samples};
use crate::{Error, Result};

/// Images per second of each part: cnn3, 150 pixels, batches of 32.
#[derive(Clone, Debug, Serialize)]
pub struct Training {
    /// The step alone, on the same batch repeatedly: forward, loss, backward, update, running average.
    pub step: f64,
    /// Reading, decoding and resizing JPEGs of 200 x 200 pixels.
    pub decode: f64,
    /// From decoded images in memory to augmented batches.
    pub augment: f64,
    /// An epoch of training and validation, from decoded images.
    pub epoch: f64,
}

/// Drawn images of each class.
const PER_CLASS: usize = 320;
/// Their side in pixels.
const SIDE: u32 = 200;

/// The stages that [`training`] announces, in order.
pub const STAGES: usize = 4;

/// Measures training on drawn images; takes some seconds. `observe` gets the name of each stage.
///
/// # Errors
/// A temporary folder that cannot be written.
pub fn training(device: &Device, observe: &mut dyn FnMut(&'static str)) -> Result<Training> {
    let folder = tempfile::tempdir().map_err(Error::io(std::env::temp_dir()))?;
    observe("drawing pictures");
    sample::write(folder.path(), PER_CLASS, 0, SIDE, &|_| {})?;
    let split = catalog::open_dataset(folder.path(), Some(0.2), 0)?;
    let recipe = Recipe::default();
    let preprocessing = Preprocessing::new(recipe.image_size);
    observe("decoding");
    let started = Instant::now();
    let open = |catalog| -> Result<Samples> {
        let cache = Cache::new(CacheMode::Ram);
        let images = DecodedImages::open(Arc::new(catalog), &preprocessing, &cache, &|_| {})?;
        Ok(Samples::Images(Arc::new(images)))
    };
    let data = Data {
        train: open(split.train)?,
        validation: open(split.validation)?,
    };
    let total = data.train.len() + data.validation.len();
    let decode = total as f64 / started.elapsed().as_secs_f64();

    let shuffled = |epoch| {
        data.train.batches(Pass {
            batch_size: recipe.batch_size,
            order: Order::Shuffled { seed: 0, epoch },
            augmentation: recipe.augmentation(),
            ..Pass::default()
        })
    };
    observe("augmenting");
    let mut seen = 0;
    let started = Instant::now();
    for epoch in 0..6 {
        for batch in shuffled(epoch) {
            seen += batch?.targets.len();
        }
    }
    let augment = seen as f64 / started.elapsed().as_secs_f64();

    observe("training");
    let size = [recipe.image_size as usize; 2];
    let network = Network::new(
        recipe.model,
        size,
        data.train.classes().len(),
        0,
        &device.clone().autodiff(),
    );
    let shape = data.train.shape();
    let mut learner = Some(Learner::new(&recipe, network, &data, device));
    let batch = shuffled(0).next().unwrap_or(Ok(Default::default()))?;
    let (mut failure, mut number) = (None, 0);
    let mut learn = |batch| {
        if let Some(one) = learner.take() {
            match one.step(std::iter::once(Ok(batch)), shape, number, 1e-4) {
                Ok((next, _)) => learner = Some(next),
                Err(reason) => failure = Some(reason),
            }
        }
        number += 1;
    };
    let seconds = median_seconds(3.0, || learn(batch.clone()));
    let step = batch.targets.len() as f64 / seconds;
    for batch in shuffled(6) {
        learn(batch?);
    }
    let started = Instant::now();
    for batch in shuffled(7) {
        learn(batch?);
    }
    match (learner, failure) {
        (Some(learner), None) => {
            let network = learner.evaluated().map_err(Error::Settings)?.valid();
            let pass = Pass {
                batch_size: recipe.batch_size,
                ..Pass::default()
            };
            for batch in data.validation.batches(pass) {
                let pixels = input::tensor(batch?.pixels, shape, device);
                to_vec(network.forward(pixels, Mode::Infer));
            }
            let epoch = total as f64 / started.elapsed().as_secs_f64();
            Ok(Training {
                step,
                decode,
                augment,
                epoch,
            })
        }
        (_, failure) => Err(failure.unwrap_or_else(|| Error::Settings("training took no step".into()))),
    }
}
