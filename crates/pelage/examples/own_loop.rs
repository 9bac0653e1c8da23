//! A training loop of your own over pelage's batches.
use std::sync::Arc;

use pelage::data::cache::{Cache, CacheMode, DecodedImages};
use pelage::data::loader::{Pass, batches};
use pelage::data::{catalog::open_dataset, preprocess::Preprocessing};
use pelage::model::networks::{Mode, Network};
use pelage::model::{input, values};
use pelage::train::{gradients::Gradients, loss::loss, optimizer::Optimizer};
use pelage::{Architecture, Recipe, device};

pub(crate) fn main() -> pelage::Result<()> {
    let (device, recipe, size) = (device::cpu()?.autodiff(), Recipe::default(), Preprocessing::new(32));
    let split = open_dataset("pictures".as_ref(), Some(0.2), 0)?;
    let cache = Cache::new(CacheMode::Ram);
    let images = Arc::new(DecodedImages::open(Arc::new(split.train), &size, &cache, &|_| {})?);
    let mut network = Network::new(Architecture::Cnn3, [32, 32], images.classes().len(), 0, &device);
    let mut optimizer = Optimizer::new();
    for (step, batch) in (0..).zip(batches(images, Pass::default())) {
        let (batch, mode) = (batch?, Mode::train(0, step));
        let logits = network.forward(input::images(batch.pixels, &size, &device), mode);
        let loss = loss(&recipe, logits, &batch.targets, None);
        println!("step {step}: {:?}", values::to_vec(loss.clone().inner()));
        let gradients = Gradients::of(&network, loss.backward());
        network = optimizer.step(&recipe, 0.01, network, gradients);
    }
    Ok(())
}
