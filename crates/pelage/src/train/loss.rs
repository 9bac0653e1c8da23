//! Losses over logits, averaged over the images of a batch.

use burn::Tensor;
use burn::tensor::activation;
use pelage_data::targets::Targets;
use pelage_model::ops::{self, Wanted};

use super::recipe::{ClassWeights, Loss, Recipe};

/// What the loss by `recipe` is where it is not the log loss of the images, as adjectives before its name, with a blank
/// behind them; else nothing.
pub fn adjectives(recipe: &Recipe) -> String {
    let kinds = [
        (recipe.class_weights == ClassWeights::Balanced, "class-weighted"),
        (recipe.label_smoothing > 0.0, "label-smoothed"),
        (recipe.loss == Loss::Focal, "focal"),
    ];
    let kinds: Vec<_> = kinds.into_iter().filter_map(|(is, kind)| is.then_some(kind)).collect();
    match kinds.is_empty() {
        true => String::new(),
        false => kinds.join(", ") + " ",
    }
}

/// The mean loss of `logits` `[n, classes]` against `truth`, as a tensor of one value.
///
/// Binary cross-entropy is Keras's: of the softmax outputs against the one-hot labels, averaged over the classes; for
/// two classes it equals cross-entropy. The focal loss is Lin et al. 2017, eq. 4, with gamma 2. Class weights scale
/// each image's loss, as in Keras's `class_weight`.
pub fn loss(recipe: &Recipe, logits: Tensor<2>, truth: &Targets, class_weights: Option<&[f32]>) -> Tensor<1> {
    let targets = Wanted {
        truth: truth.clone(),
        smoothing: recipe.label_smoothing as f32,
        class_weights: class_weights.map(<[f32]>::to_vec),
    };
    let each: fn(Tensor<2>, Tensor<2>) -> Tensor<2> = match recipe.loss {
        Loss::CrossEntropy => return ops::cross_entropy(logits, targets),
        Loss::BinaryCrossEntropy => binary_cross_entropy,
        Loss::Focal => focal,
    };
    let probabilities = targets.probabilities(logits.dims()[1], &logits.device());
    targets.mean(each(probabilities, activation::log_softmax(logits, 1)))
}

fn binary_cross_entropy(targets: Tensor<2>, log_probabilities: Tensor<2>) -> Tensor<2> {
    let others = (log_probabilities.clone().exp().neg() + 1.0).clamp_min(1e-7).log();
    let entropy = targets.clone() * log_probabilities + (targets.neg() + 1.0) * others;
    entropy.mean_dim(1).neg()
}

fn focal(targets: Tensor<2>, log_probabilities: Tensor<2>) -> Tensor<2> {
    let easy = log_probabilities.clone().exp().neg() + 1.0;
    (targets * easy.clone() * easy * log_probabilities).sum_dim(1).neg()
}

/// `balanced`: images / (classes x images of the class), as in scikit-learn; `none`: no weights.
pub fn class_weights(kind: ClassWeights, labels: &[usize], classes: usize) -> Option<Vec<f32>> {
    match kind {
        ClassWeights::None => None,
        ClassWeights::Balanced => {
            let mut counts = vec![0usize; classes];
            labels.iter().for_each(|&label| counts[label] += 1);
            let weight = |&count: &usize| labels.len() as f32 / (classes * count.max(1)) as f32;
            Some(counts.iter().map(weight).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    fn value(kind: Loss, smoothing: f64, logits: [[f32; 3]; 2], labels: &[usize], weights: Option<&[f32]>) -> f64 {
        let recipe = Recipe {
            loss: kind,
            label_smoothing: smoothing,
            ..Recipe::default()
        };
        let logits = Tensor::<2>::from_floats(logits, &Device::flex());
        f64::from(loss(&recipe, logits, &Targets::Classes(labels.to_vec()), weights).into_scalar::<f32>())
    }

    /// Naive f64 formulas over the same values.
    fn reference(kind: Loss, smoothing: f64, logits: [[f32; 3]; 2], labels: &[usize], weights: Option<&[f32]>) -> f64 {
        let mut sum = 0.0;
        for (row, &label) in logits.iter().zip(labels) {
            let z: f64 = row.iter().map(|&v| f64::from(v).exp()).sum();
            let mut one = 0.0;
            for (class, &v) in row.iter().enumerate() {
                let p = f64::from(v).exp() / z;
                let t = smoothing / 3.0 + if class == label { 1.0 - smoothing } else { 0.0 };
                one -= match kind {
                    Loss::CrossEntropy => t * p.ln(),
                    Loss::BinaryCrossEntropy => (t * p.ln() + (1.0 - t) * (1.0 - p).ln()) / 3.0,
                    Loss::Focal => t * (1.0 - p).powi(2) * p.ln(),
                };
            }
            sum += one * weights.map_or(1.0, |w| f64::from(w[label]));
        }
        sum / 2.0
    }

    #[test]
    fn every_loss_equals_its_formula() {
        let logits = [[0.3, -1.2, 2.0], [1.5, 0.1, -0.4]];
        for kind in [Loss::CrossEntropy, Loss::BinaryCrossEntropy, Loss::Focal] {
            for smoothing in [0.0, 0.1] {
                for weights in [None, Some(&[0.5, 2.0, 1.25][..])] {
                    let ours = value(kind, smoothing, logits, &[2, 1], weights);
                    let truth = reference(kind, smoothing, logits, &[2, 1], weights);
                    assert!(
                        (ours - truth).abs() < 1e-5,
                        "{kind:?} {smoothing} {weights:?}: {ours} {truth}"
                    );
                }
            }
        }
    }

    #[test]
    fn balanced_weights_as_scikit_learn() {
        let weights = class_weights(ClassWeights::Balanced, &[0, 0, 0, 1], 2);
        assert_eq!(weights, Some(vec![4.0 / 6.0, 2.0]));
    }
}
