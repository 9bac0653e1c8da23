//! Softmax cross-entropy, the usual loss of a classifier.

use burn::Tensor;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{Device, TensorData, activation};
use pelage_data::targets::Targets;
use pelage_kernels::loss as kernel;

use super::backward::propagate;
use super::flex::{dims, runs_on_kernels, tensor, values};

/// The targets of a batch.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The class of each image, or its distribution over the classes.
    pub truth: Targets,
    /// Label smoothing: the fraction of a target, 0 to 1, that is spread over all classes (Szegedy et al. 2016, section
    /// 7).
    pub smoothing: f32,
    /// A factor for the loss of each class's images, without renormalizing; for a distribution, the mean factor under
    /// it.
    pub class_weights: Option<Vec<f32>>,
}

impl Wanted {
    /// Target probabilities `[n, classes]`, smoothed.
    pub fn probabilities(&self, classes: usize, device: &Device) -> Tensor<2> {
        let n = self.truth.len();
        let everywhere = self.smoothing / classes as f32;
        let mut targets = vec![everywhere; n * classes];
        match &self.truth {
            Targets::Classes(labels) => {
                for (targets, &label) in targets.chunks_exact_mut(classes).zip(labels) {
                    targets[label] += 1.0 - self.smoothing;
                }
            }
            Targets::Distributions { values, .. } => {
                for (target, share) in targets.iter_mut().zip(values) {
                    *target += (1.0 - self.smoothing) * share;
                }
            }
        }
        Tensor::from_data(TensorData::new(targets, [n, classes]), device)
    }

    /// The mean of the images' losses `[n, 1]`, each times the weight of its class.
    pub fn mean(&self, losses: Tensor<2>) -> Tensor<1> {
        let Some(weights) = &self.class_weights else {
            return losses.mean();
        };
        let weights: Vec<f32> = match &self.truth {
            Targets::Classes(labels) => labels.iter().map(|&label| weights[label]).collect(),
            Targets::Distributions { classes, values } => values
                .chunks(*classes)
                .map(|row| row.iter().zip(weights).map(|(share, weight)| share * weight).sum())
                .collect(),
        };
        let weights = TensorData::new(weights, losses.dims());
        let device = losses.device();
        (losses * Tensor::from_data(weights, &device)).mean()
    }
}

/// The mean cross-entropy between `targets` and the softmax of `logits` `[n, classes]`.
pub fn cross_entropy(logits: Tensor<2>, targets: Wanted) -> Tensor<1> {
    if !runs_on_kernels(&logits) {
        return cross_entropy_composed(logits, targets);
    }
    Tensor::from_dispatch(<Dispatch as CrossEntropyBackend>::softmax_cross_entropy(
        logits.into_dispatch(),
        targets,
    ))
}

/// The same composed of Burn's own operations: for other devices, and the reference for tests.
pub fn cross_entropy_composed(logits: Tensor<2>, targets: Wanted) -> Tensor<1> {
    let probabilities = targets.probabilities(logits.dims()[1], &logits.device());
    let each = (probabilities * activation::log_softmax(logits, 1)).sum_dim(1).neg();
    targets.mean(each)
}

/// The loss, one value, as a Burn backend extension.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait CrossEntropyBackend: Backend {
    /// The loss `[1]` of logits `[n, classes]`.
    fn softmax_cross_entropy(logits: FloatTensor<Self>, targets: Wanted) -> FloatTensor<Self>;
}

/// The loss with its gradient, which comes for free; a separate trait, which rules out second derivatives.
pub(crate) trait CrossEntropyGradient: Backend {
    /// The loss `[1]` and the gradient of the logits.
    fn loss_and_gradient(logits: FloatTensor<Self>, targets: &Wanted) -> (FloatTensor<Self>, FloatTensor<Self>);
}

impl CrossEntropyGradient for Flex {
    fn loss_and_gradient(logits: FlexTensor, targets: &Wanted) -> (FlexTensor, FlexTensor) {
        let logits = logits.to_contiguous();
        let [n, classes] = dims(&logits);
        let mut gradient = vec![0.0; n * classes];
        let loss = kernel::cross_entropy(
            classes,
            values(&logits),
            match &targets.truth {
                Targets::Classes(labels) => kernel::Targets::Classes(labels),
                Targets::Distributions { values, .. } => kernel::Targets::Distributions(values),
            },
            targets.smoothing,
            targets.class_weights.as_deref(),
            &mut gradient,
        );
        (tensor(vec![loss], [1]), tensor(gradient, [n, classes]))
    }
}

impl CrossEntropyBackend for Flex {
    fn softmax_cross_entropy(logits: FlexTensor, targets: Wanted) -> FlexTensor {
        Flex::loss_and_gradient(logits, &targets).0
    }
}

#[derive(Debug)]
struct SoftmaxCrossEntropy;

impl<B: CrossEntropyGradient> Backward<B, 1> for SoftmaxCrossEntropy {
    /// The gradient of the logits.
    type State = FloatTensor<B>;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        propagate::<B, _, _>(ops, grads, |of_logits, gradient, _| {
            [B::float_mul(of_logits, B::float_reshape(gradient, [1, 1].into()))]
        });
    }
}

impl<B: CrossEntropyGradient, C: CheckpointStrategy> CrossEntropyBackend for Autodiff<B, C> {
    fn softmax_cross_entropy(logits: FloatTensor<Self>, targets: Wanted) -> FloatTensor<Self> {
        let nodes = [logits.node()];
        let (loss, gradient) = B::loss_and_gradient(logits.into_primitive(), &targets);
        match SoftmaxCrossEntropy.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(gradient, loss),
            OpsKind::UnTracked(prepared) => prepared.finish(loss),
        }
    }
}
