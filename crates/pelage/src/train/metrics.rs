//! Running loss and accuracy, in training and validation.

use burn::Tensor;
use burn::tensor::{Int, TensorData};
use pelage_data::targets::Targets;
use pelage_model::probability::argmax;
use pelage_model::values::to_vec;
use serde::{Deserialize, Serialize};

use super::ranks::Ranks;
use crate::Result;

/// Sums over images, so that means are exact whatever the size of the last batch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Images seen.
    pub images: usize,
    loss_sum: f64,
    correct: usize,
}

impl Metrics {
    /// Adds a batch with its mean loss and its number of images classified correctly.
    pub fn add(&mut self, images: usize, mean_loss: f64, correct: usize) {
        self.images += images;
        self.loss_sum += mean_loss * images as f64;
        self.correct += correct;
    }

    /// Adds what the other ranks have seen.
    ///
    /// # Errors
    /// One of them has failed.
    pub fn gather(&mut self, ranks: &Ranks) -> Result<()> {
        let mut sums = [self.images as f64, self.loss_sum, self.correct as f64];
        ranks.agree(&mut sums)?;
        let [images, loss_sum, correct] = sums;
        *self = Metrics {
            images: images as usize,
            loss_sum,
            correct: correct as usize,
        };
        Ok(())
    }

    /// Mean loss per image.
    pub fn loss(&self) -> f64 {
        self.loss_sum / self.images.max(1) as f64
    }

    /// Accuracy, 0 to 1.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.images.max(1) as f64
    }
}

/// The label of each image, or the most probable class of its target, and the class where its row of `logits`
/// `[n, classes]` is largest.
pub fn answers(logits: Tensor<2>, targets: &Targets) -> Vec<(usize, usize)> {
    let classes = logits.dims()[1];
    let values = to_vec(logits);
    let rows = values.chunks(classes).zip(targets.labels());
    rows.map(|(row, label)| (label, argmax(row))).collect()
}

/// How many images have their largest logit at their label, as a tensor of one value where the logits are.
pub fn correct(logits: Tensor<2>, targets: &Targets) -> Tensor<1> {
    let labels: Vec<i32> = targets.labels().into_iter().map(|label| label as i32).collect();
    let length = labels.len();
    let labels = Tensor::<2, Int>::from_data(TensorData::new(labels, [length, 1]), &logits.device());
    logits.argmax(1).equal(labels).float().sum()
}

/// How many of `answers` are correct.
pub fn count_correct(answers: &[(usize, usize)]) -> usize {
    answers.iter().filter(|(label, predicted)| label == predicted).count()
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn what_a_device_counts_is_what_is_counted_here() {
        let values: Vec<f32> = (0..60).map(|i| ((i * 37) % 53) as f32).collect();
        let logits = Tensor::<2>::from_data(TensorData::new(values, [20, 3]), &Device::flex());
        let targets = Targets::Classes((0..20).map(|i| i % 3).collect());
        let counted = count_correct(&answers(logits.clone(), &targets));
        assert!(counted > 0 && counted < 20);
        assert_eq!(to_vec(correct(logits, &targets)), [counted as f32]);
    }
}
