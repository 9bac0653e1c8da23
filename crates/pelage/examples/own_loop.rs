//! A training loop of one's own over the batches that pelage makes.

use std::sync::Arc;

use pelage::data::cache::{CacheMode, DecodedImages};
use pelage::data::catalog::open_dataset;
use pelage::data::loader::{Order, batches};
use pelage::data::preprocess::Preprocessing;
use pelage::model::networks::{Mode, Network};
use pelage::model::{input, values};
use pelage::train::{gradients::Gradients, loss::loss, optimizer::Optimizer};
use pelage::{Architecture, Recipe, device};

pub(crate) fn main() -> pelage::Result<()> {
    let (device, recipe) = (device::cpu()?.autodiff(), Recipe::default());
    let split = open_dataset("pictures".as_ref(), Some(0.2), 0)?;
    let size = Preprocessing::new(32);
    let images = Arc::new(DecodedImages::open(&split.train, &size, CacheMode::Ram, "cache".as_ref(), &|_| {})?);
    let mut network = Network::new(Architecture::Cnn3, [32, 32], images.classes().len(), 0, &device);
    let mut optimizer = Optimizer::new();
    for (step, batch) in batches(images, 16, Order::Shuffled { seed: 0, epoch: 0 }, None, 0).enumerate() {
        let batch = batch?;
        let logits = network.forward(input::images(batch.pixels, &size, &device), Mode::Train { seed: 0, step: step as u64 });
        let loss = loss(&recipe, logits, &batch.labels, None);
        println!("step {step}: {:?}", values::to_vec(loss.clone().inner()));
        let gradients = Gradients::of(&network, loss.backward());
        network = optimizer.step(&recipe, 0.01, network, gradients);
    }
    Ok(())
}
