//! One training step: forward, loss, backward, update.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use pelage_data::loader::Batch;

use super::average::Average;
use super::optimizer::Optimizer;
use super::{Data, Recipe, loss};
use crate::evaluate;
use crate::model::{DropoutSeed, Network, parameters};
use crate::{Error, Result};

/// All that changes while a network learns, and what it takes to change it.
pub struct Learner<'a> {
    /// The network, on the training device (with autodiff).
    pub network: Network,
    /// The optimizer and its state.
    pub optimizer: Optimizer,
    /// The running average of the weights, where the recipe wants one.
    pub average: Average,
    /// The device without autodiff.
    pub device: Device,
    /// The settings.
    pub recipe: &'a Recipe,
    class_weights: Option<Vec<f32>>,
}

/// What one step found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Learnt {
    /// Pictures in the batch.
    pub images: usize,
    /// Their mean loss, before the update.
    pub loss: f64,
    /// Those told right, before the update.
    pub correct: usize,
}

impl<'a> Learner<'a> {
    /// `network`, on the device with autodiff, before its first step; `device` is that without.
    pub fn new(recipe: &'a Recipe, network: Network, data: &Data, device: &Device) -> Self {
        let classes = data.train.classes().len();
        let labels: Vec<usize> = (0..data.train.len()).map(|i| data.train.label(i)).collect();
        Learner {
            network,
            optimizer: Optimizer::new(),
            average: Average::default(),
            device: device.clone(),
            recipe,
            class_weights: loss::class_weights(recipe.class_weights, &labels, classes),
        }
    }

    /// Learns from one batch, by value so that weights are updated in place; `step` counts over the whole run and, with the seed, decides what dropout drops.
    ///
    /// # Errors
    /// A loss that is no number.
    /// `shape` is that of one sample.
    pub fn step(mut self, batch: Batch, shape: [usize; 3], step: u64, learning_rate: f64) -> Result<(Self, Learnt)> {
        let dropout = DropoutSeed {
            seed: self.recipe.seed,
            step,
        };
        let input = pixels(batch.pixels, shape, &self.device.clone().autodiff());
        let logits = self.network.forward(input, Some(dropout));
        let loss = self.loss(logits.clone(), &batch.labels);
        let learnt = Learnt {
            images: batch.labels.len(),
            loss: f64::from(parameters::to_vec(loss.clone().inner())[0]),
            correct: evaluate::count_correct(logits.inner(), &batch.labels),
        };
        if !learnt.loss.is_finite() {
            return Err(diverged(step, learning_rate));
        }
        self.network = self
            .optimizer
            .step(self.recipe, learning_rate, self.network, loss.backward());
        if self.recipe.ema_momentum > 0.0 {
            self.average.update(&self.network, step + 1, self.recipe.ema_momentum);
        }
        Ok((self, learnt))
    }

    /// The network to validate and to save, without autodiff: the average of the weights, where there is one.
    ///
    /// # Errors
    /// An average of another network.
    pub fn evaluated(&self) -> Result<Network> {
        let network = self.network.valid();
        match self.average.values.is_empty() {
            true => Ok(network),
            false => parameters::write(network, self.average.values.clone()).map_err(Error::Input),
        }
    }

    /// The mean loss of a batch, as a tensor of one number.
    pub fn loss(&self, logits: Tensor<2>, labels: &[usize]) -> Tensor<1> {
        loss::loss(self.recipe, logits, labels, self.class_weights.as_deref())
    }
}

/// Samples of `[h, w, c]` each as `[n, h, w, c]` on `device`.
pub(crate) fn pixels(values: Vec<f32>, [h, w, c]: [usize; 3], device: &Device) -> Tensor<4> {
    let shape = [values.len() / (h * w * c), h, w, c];
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn diverged(step: u64, learning_rate: f64) -> Error {
    Error::Input(format!(
        "the loss is no number any more at step {step} with learning rate {learning_rate:.3e}; \
         try --learning-rate {:.0e}, and look at the pictures with `pelage inspect`",
        learning_rate / 10.0
    ))
}
