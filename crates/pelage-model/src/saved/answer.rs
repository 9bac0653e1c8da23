//! The answer of several networks, of their logits.

use burn::Tensor;
use burn::tensor::activation;

use super::together::Together;

impl Together {
    /// The logits `[n, classes]` of the model, of those of its networks in their order. Of an ensemble they are the
    /// logarithms of the mean probabilities.
    pub(super) fn answer(&self, logits: Vec<Tensor<2>>) -> Tensor<2> {
        let mut logits = logits.into_iter();
        let mut voices = self.voices.iter().map(|voice| {
            let sum = sum(logits.by_ref().take(voice.networks));
            match self.is_ensemble() {
                // A voice that does not count has the logarithm of next to nothing.
                true => activation::log_softmax(sum / voice.temperature, 1) + voice.weight.max(1e-30).ln(),
                false => sum,
            }
        });
        match self.is_ensemble() {
            true => log_sum(voices.collect()),
            false => sum(&mut voices),
        }
    }
}

fn sum(tensors: impl Iterator<Item = Tensor<2>>) -> Tensor<2> {
    match tensors.reduce(|a, b| a + b) {
        Some(sum) => sum,
        // Every voice has a network, and every model a voice.
        None => unreachable!("a model without networks"),
    }
}

/// The logarithm of the sum of the powers of e, without overflow.
fn log_sum(tensors: Vec<Tensor<2>>) -> Tensor<2> {
    let largest = tensors
        .iter()
        .skip(1)
        .fold(tensors[0].clone(), |a, b| a.max_pair(b.clone()));
    let powers = tensors.into_iter().map(|tensor| (tensor - largest.clone()).exp());
    sum(powers).log() + largest
}
