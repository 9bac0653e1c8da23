//! Training steps, by architecture: on a GPU what the network costs, without the pictures.

use burn::tensor::{Device, Tensor, TensorData};
use pelage_data::targets::Targets;
use pelage_model::device::in_pool;
use pelage_model::networks::{Architecture, Mode, Network};
use pelage_model::values::to_vec;

use super::throughput::{Throughput, side};
use super::timing::{median_seconds, noise};
use crate::Result;
use crate::train::Recipe;
use crate::train::gradients::Gradients;
use crate::train::loss::loss;
use crate::train::optimizer::Optimizer;

/// The batch size where none is given.
pub const BATCH: usize = 32;

/// Measures `architectures` with random weights, all of which learn: forward, loss, backward and update, from pixels in
/// the host's memory until the loss is there; on images of `size` pixels a side, or else of each network's own size.
/// `observe` gets each result as it is ready.
///
/// # Errors
/// A size that a network does not take.
pub fn steps(
    architectures: &[Architecture],
    batch: usize,
    size: Option<usize>,
    device: &Device,
    observe: &mut dyn FnMut(&Throughput),
) -> Result<Vec<Throughput>> {
    let (mut found, recipe, learning) = (Vec::new(), Recipe::default(), device.clone().autodiff());
    for &architecture in architectures {
        let size = side(architecture, size)?;
        let pixels = TensorData::new(noise(1, batch * size * size * 3), [batch, size, size, 3]);
        let targets = Targets::Classes((0..batch).map(|i| i % CLASSES).collect());
        let mut network = Some(Network::new(architecture, [size; 2], CLASSES, 0, &learning));
        let (mut optimizer, mut step) = (Optimizer::new(), 0);
        let seconds = median_seconds(3.0, || {
            let Some(now) = network.take() else { return };
            network = Some(in_pool(device, || {
                let logits = now.forward(Tensor::from_data(pixels.clone(), &learning), Mode::train(0, step));
                let loss = loss(&recipe, logits, &targets, None);
                let gradients = Gradients::of(&now, loss.clone().backward());
                let next = optimizer.step(&recipe, 1e-4, now, gradients);
                std::hint::black_box(to_vec(loss.inner()));
                next
            }));
            step += 1;
        });
        let one = Throughput::of(architecture, size, batch, seconds);
        observe(&one);
        found.push(one);
    }
    Ok(found)
}

/// As many as ImageNet has.
const CLASSES: usize = 1000;
