//! Batch normalization in training, fused with the residual sum and activation that usually follow.

use std::sync::Arc;

use burn::Tensor;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, AutodiffBackend, Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::module;
use pelage_kernels::batch_norm::{self as kernel, Affine, Statistics, Together};
use pelage_kernels::isa::Isa;

use super::backward::propagate;
use super::flex::{dims, runs_on_kernels, tensor, values};
use crate::options::Activation;

/// The result of a batch norm in training.
pub struct Normalized {
    /// Normalized, of the input's shape.
    pub output: Tensor<4>,
    /// Mean of the batch, `[c]`, without gradient.
    pub mean: Tensor<1>,
    /// Biased variance of the batch, `[c]`, without gradient.
    pub variance: Tensor<1>,
    /// Pixels of the batch.
    pub pixels: usize,
}

/// Replaces numbers by their sums over all processes that each normalize a part of the same batch.
#[derive(Clone)]
pub struct Gather(pub Arc<dyn Fn(&mut [f64]) + Send + Sync>);

impl std::fmt::Debug for Gather {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gather")
    }
}

/// `activation((input - mean) / sqrt(variance + epsilon) * scale + shift + residual)`, with the mean and variance of
/// each channel over the batch (Ioffe and Szegedy 2015).
///
/// Where there is a `gather`, on the CPU alone, `input` is a part of the batch; mean and variance are those of it all.
///
/// # Shapes
/// `input` and `residual` `[n, h, w, c]`; `scale` and `shift` `[c]`.
pub fn batch_norm(
    input: Tensor<4>,
    scale: Tensor<1>,
    shift: Tensor<1>,
    epsilon: f64,
    residual: Option<Tensor<4>>,
    activation: Activation,
    gather: Option<&Gather>,
) -> Normalized {
    if !runs_on_kernels(&input) {
        return batch_norm_composed(input, scale, shift, epsilon, residual, activation);
    }
    let (fused, after) = activation.fused(true);
    let [n, h, w, _] = input.dims();
    let mut pixels = [(n * h * w) as f64];
    if let Some(Gather(sum)) = gather {
        sum(&mut pixels);
    }
    let pixels = pixels[0] as usize;
    let settings = Settings {
        together: gather.map(|gather| (pixels, gather.clone())),
        epsilon: epsilon as f32,
        activation: fused,
        has_residual: residual.is_some(),
    };
    let device = input.device();
    let (output, mean, variance) = <Dispatch as BatchNormBackend>::normalize_batch(
        input.into_dispatch(),
        scale.into_dispatch(),
        shift.into_dispatch(),
        residual
            .unwrap_or_else(|| Tensor::zeros([1; 4], &device))
            .into_dispatch(),
        settings,
    );
    Normalized {
        output: after.apply(Tensor::from_dispatch(output)),
        mean: Tensor::from_dispatch(mean),
        variance: Tensor::from_dispatch(variance),
        pixels,
    }
}

/// The same composed of Burn's own operations: for other devices, and the reference for tests.
pub fn batch_norm_composed(
    input: Tensor<4>,
    scale: Tensor<1>,
    shift: Tensor<1>,
    epsilon: f64,
    residual: Option<Tensor<4>>,
    activation: Activation,
) -> Normalized {
    let [n, h, w, _] = input.dims();
    let done = module::batch_norm_train(input.permute([0, 3, 1, 2]), scale, shift, epsilon);
    let normal = done.output.permute([0, 2, 3, 1]);
    let sum = match residual {
        Some(residual) => normal + residual,
        None => normal,
    };
    Normalized {
        output: activation.apply(sum),
        mean: done.mean,
        variance: done.variance,
        pixels: n * h * w,
    }
}

/// The arguments of a batch norm besides tensors. A missing residual is a tensor of one unused value.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    epsilon: f32,
    activation: Activation,
    has_residual: bool,
    /// Pixels of the batch of which this is a part, and what the other parts know.
    together: Option<(usize, Gather)>,
}

impl Settings {
    fn together(&self) -> Option<Together<'_>> {
        self.together.as_ref().map(|(pixels, Gather(sum))| Together {
            pixels: *pixels,
            sum: &**sum,
        })
    }
}

/// Batch norm in training, as a Burn backend extension.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait BatchNormBackend: Backend {
    /// The output, mean and variance of the batch.
    fn normalize_batch(
        input: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        settings: Settings,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

/// Saved by the forward pass for the backward pass: input, scale, shift, mean, variance, output.
type Kept<B> = [FloatTensor<B>; 6];

/// Its backward pass; a separate trait, which rules out second derivatives.
pub(crate) trait BatchNormBackward: Backend {
    /// Gradients of input, scale, shift and residual, given that of the output.
    fn normalize_batch_backward(
        kept: Kept<Self>,
        gradient: FloatTensor<Self>,
        settings: Settings,
    ) -> [FloatTensor<Self>; 4];
}

impl BatchNormBackend for Flex {
    fn normalize_batch(
        input: FlexTensor,
        scale: FlexTensor,
        shift: FlexTensor,
        residual: FlexTensor,
        settings: Settings,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let [input, scale, shift, residual] = [input, scale, shift, residual].map(|tensor| tensor.to_contiguous());
        let channels = scale.shape().num_elements();
        let mut statistics = kernel::statistics(Isa::best(), channels, values(&input));
        if let Some(together) = settings.together() {
            statistics = together.statistics(&statistics, values(&input).len() / channels);
        }
        let affine = affine(&scale, &shift, &settings);
        let residual = settings.has_residual.then(|| values(&residual));
        let output = kernel::forward(Isa::best(), values(&input), &statistics, &affine, residual);
        (
            tensor(output, dims::<4>(&input)),
            tensor(statistics.mean, [channels]),
            tensor(statistics.variance, [channels]),
        )
    }
}

impl BatchNormBackward for Flex {
    fn normalize_batch_backward(kept: Kept<Self>, gradient: FlexTensor, settings: Settings) -> [FlexTensor; 4] {
        let [input, scale, shift, mean, variance, output] = kept.map(|tensor| tensor.to_contiguous());
        let statistics = Statistics {
            mean: values(&mean).to_vec(),
            variance: values(&variance).to_vec(),
        };
        let found = kernel::backward(
            Isa::best(),
            values(&input),
            &statistics,
            &affine(&scale, &shift, &settings),
            values(&output),
            values(&gradient.to_contiguous()),
            settings.together(),
        );
        let (shape, channels) = (dims::<4>(&input), [statistics.mean.len()]);
        [
            tensor(found.input, shape),
            tensor(found.scale, channels),
            tensor(found.shift, channels),
            tensor(found.sum, shape),
        ]
    }
}

fn affine<'a>(scale: &'a FlexTensor, shift: &'a FlexTensor, settings: &Settings) -> Affine<'a> {
    Affine {
        scale: values(scale),
        shift: values(shift),
        epsilon: settings.epsilon,
        activation: settings.activation.of_kernel(),
    }
}

#[derive(Debug)]
struct NormalizeBatch;

impl<B: BatchNormBackward> Backward<B, 4> for NormalizeBatch {
    type State = (Kept<B>, Settings);

    fn backward(self, ops: Ops<Self::State, 4>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        propagate::<B, _, _>(ops, grads, |(kept, settings), gradient, _| {
            B::normalize_batch_backward(kept, gradient, settings)
        });
    }
}

impl<B: BatchNormBackend + BatchNormBackward, C: CheckpointStrategy> BatchNormBackend for Autodiff<B, C> {
    fn normalize_batch(
        input: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        settings: Settings,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let nodes = [input.node(), scale.node(), shift.node(), residual.node()];
        let (input, scale) = (input.into_primitive(), scale.into_primitive());
        let (shift, residual) = (shift.into_primitive(), residual.into_primitive());
        let (output, mean, variance) =
            B::normalize_batch(input.clone(), scale.clone(), shift.clone(), residual, settings.clone());
        let kept = [input, scale, shift, mean.clone(), variance.clone(), output.clone()];
        let output = match NormalizeBatch.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((kept, settings), output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        };
        (output, Self::from_inner(mean), Self::from_inner(variance))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::{drawn, to_vec};

    #[test]
    fn kernels_equal_the_composition_forward_and_backward() {
        let mut seed = 1;
        for activation in Activation::ALL {
            for with_residual in [false, true] {
                let [input, residual] = [0, 1].map(|_| drawn([3, 7, 9, 6], 0.5, 3.0, &mut seed));
                let [scale, shift] = [0, 1].map(|_| drawn([6], 0.5, 3.0, &mut seed));
                let run = |composed: bool| {
                    let [input, residual] = [&input, &residual].map(|t| Tensor::from_inner(t.clone()).require_grad());
                    let [scale, shift] = [&scale, &shift].map(|t| Tensor::from_inner(t.clone()).require_grad());
                    let more = with_residual.then(|| residual.clone());
                    let (x, a, b) = (input.clone(), scale.clone(), shift.clone());
                    let done = match composed {
                        true => batch_norm_composed(x, a, b, 1e-5, more, activation),
                        false => batch_norm(x, a, b, 1e-5, more, activation, None),
                    };
                    // A gradient that varies from value to value, but not with the rounding of the output.
                    let upstream = drawn(done.output.dims(), 0.0, 1.0, &mut 2);
                    let gradients = (done.output.clone() * upstream).sum().backward();
                    let wide = |t: &Tensor<4>| t.grad(&gradients).map_or(Vec::new(), to_vec);
                    let row = |t: &Tensor<1>| t.grad(&gradients).map_or(Vec::new(), to_vec);
                    [
                        to_vec(done.output.inner()),
                        to_vec(done.mean.inner()),
                        to_vec(done.variance.inner()),
                        wide(&input),
                        wide(&residual),
                        row(&scale),
                        row(&shift),
                    ]
                };
                for (what, (a, b)) in run(false).iter().zip(&run(true)).enumerate() {
                    assert_eq!(a.len(), b.len(), "{what}");
                    let largest = b.iter().fold(0f32, |largest, x| largest.max(x.abs()));
                    let error = a.iter().zip(b).fold(0f32, |error, (a, b)| error.max((a - b).abs()));
                    assert!(
                        error <= 3e-5 * largest,
                        "{what} with {activation:?}: {error} of {largest}"
                    );
                }
            }
        }
    }
}
