//! Pooling over windows and over whole images.

use burn::Tensor;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{TensorData, module};
use pelage_kernels::pooling::{self as kernel, Geometry};

use super::backward::propagate;
use super::convolution::convolution;
use super::flex::{dims, runs_on_kernels, tensor, values};
use crate::options::{Activation, Options};

/// The maximum of each `kernel` x `kernel` window.
///
/// # Shapes
/// `input` `[n, h, w, c]`, `padding` top, left, bottom, right (never the maximum); output
/// `[n, (h + top + bottom - kernel) / stride + 1, (w + left + right - kernel) / stride + 1, c]`.
pub fn max_pool(input: Tensor<4>, kernel: usize, stride: usize, padding: [usize; 4]) -> Tensor<4> {
    if !runs_on_kernels(&input) {
        return max_pool_composed(input, kernel, stride, padding);
    }
    let [batch, height, width, channels] = input.dims();
    let (kernel, stride) = ([kernel; 2], [stride; 2]);
    let geometry = Geometry {
        batch,
        height,
        width,
        channels,
        kernel,
        stride,
        padding,
    };
    let (output, _winners) = <Dispatch as MaxPoolBackend>::max_pool_of(input.into_dispatch(), geometry);
    Tensor::from_dispatch(output)
}

/// The same composed of Burn's own operations: for other devices, and the reference for tests.
pub fn max_pool_composed(input: Tensor<4>, kernel: usize, stride: usize, padding: [usize; 4]) -> Tensor<4> {
    let [top, left, bottom, right] = padding;
    let options = MaxPoolOptions::new([kernel; 2])
        .with_stride([stride; 2])
        .with_padding_pairs([(top, bottom), (left, right)]);
    module::max_pool2d(input.permute([0, 3, 1, 2]), options).permute([0, 2, 3, 1])
}

/// The mean of each window, of its pixels on the map; `shares` has one number for each window, what a pixel counts.
///
/// # Shapes
/// `[n, h, w, c]` to `[n, h', w', c]`, as [`max_pool`].
pub fn mean_pool(input: Tensor<4>, kernel: usize, stride: usize, padding: [usize; 4], shares: Vec<f32>) -> Tensor<4> {
    let ([_, _, _, channels], device) = (input.dims(), input.device());
    let options = Options {
        stride,
        padding,
        groups: channels,
        activation: Activation::None,
    };
    let sums = convolution(
        input,
        Tensor::ones([channels, 1, kernel, kernel], &device),
        None,
        &options,
        None,
    );
    let [_, height, width, _] = sums.dims();
    let shares = Tensor::<1>::from_data(TensorData::new(shares, [height * width]), &device);
    sums * shares.reshape([1, height, width, 1])
}

/// Means over `output[0]` x `output[1]` parts of nearly equal size, as in PyTorch's adaptive average pooling.
///
/// # Shapes
/// `[n, h, w, c]` to `[n, output[0], output[1], c]`.
pub fn average_pool(input: Tensor<4>, output: [usize; 2]) -> Tensor<4> {
    let [_, h, w, _] = input.dims();
    match output {
        [1, 1] => global_average_pool(input),
        _ if [h, w] == output => input,
        _ => module::adaptive_avg_pool2d(input.permute([0, 3, 1, 2]), output).permute([0, 2, 3, 1]),
    }
}

/// The mean over the pixels: `[n, h, w, c]` to `[n, 1, 1, c]`.
pub fn global_average_pool(input: Tensor<4>) -> Tensor<4> {
    if !runs_on_kernels(&input) {
        return global_average_pool_composed(input);
    }
    Tensor::from_dispatch(<Dispatch as AveragePoolBackend>::global_average(input.into_dispatch()))
}

/// The same composed of Burn's own operations: for other devices, and the reference for tests.
pub fn global_average_pool_composed(input: Tensor<4>) -> Tensor<4> {
    let [n, h, w, c] = input.dims();
    input.reshape([n, h * w, c]).mean_dim(1).reshape([n, 1, 1, c])
}

/// Global average pooling, as a Burn backend extension.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait AveragePoolBackend: Backend {
    /// `[n, h, w, c]` to `[n, 1, 1, c]`.
    fn global_average(input: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// Its backward pass; a separate trait, which rules out second derivatives.
pub(crate) trait AveragePoolBackward: Backend {
    /// The gradient of the input, which is `[n, h, w, c]`.
    fn global_average_backward(gradient: FloatTensor<Self>, input: [usize; 4]) -> FloatTensor<Self>;
}

impl AveragePoolBackend for Flex {
    fn global_average(input: FlexTensor) -> FlexTensor {
        let [n, h, w, c] = dims(&input);
        let means = kernel::global_average_forward(h * w, c, values(&input.to_contiguous()));
        tensor(means, [n, 1, 1, c])
    }
}

impl AveragePoolBackward for Flex {
    fn global_average_backward(gradient: FlexTensor, [n, h, w, c]: [usize; 4]) -> FlexTensor {
        let gradient = gradient.to_contiguous();
        tensor(
            kernel::global_average_backward(h * w, c, values(&gradient)),
            [n, h, w, c],
        )
    }
}

#[derive(Debug)]
struct GlobalAverage;

impl<B: AveragePoolBackward> Backward<B, 1> for GlobalAverage {
    type State = [usize; 4];

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        propagate::<B, _, _>(ops, grads, |shape, gradient, _| {
            [B::global_average_backward(gradient, shape)]
        });
    }
}

impl<B: AveragePoolBackend + AveragePoolBackward, C: CheckpointStrategy> AveragePoolBackend for Autodiff<B, C> {
    fn global_average(input: FloatTensor<Self>) -> FloatTensor<Self> {
        let (node, shape) = (input.node(), input.primitive().shape().dims());
        let output = B::global_average(input.into_primitive());
        match GlobalAverage.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(shape, output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }
}

/// Max pooling, as a Burn backend extension.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait MaxPoolBackend: Backend {
    /// The maxima and, per value, which pixel of its window won.
    fn max_pool_of(input: FloatTensor<Self>, geometry: Geometry) -> (FloatTensor<Self>, IntTensor<Self>);
}

/// Its backward pass; a separate trait, which rules out second derivatives.
pub(crate) trait MaxPoolBackward: Backend {
    /// The gradient of the input.
    fn max_pool_backward(
        winners: IntTensor<Self>,
        gradient: FloatTensor<Self>,
        geometry: Geometry,
    ) -> FloatTensor<Self>;
}

impl MaxPoolBackend for Flex {
    fn max_pool_of(input: FlexTensor, geometry: Geometry) -> (FlexTensor, FlexTensor) {
        let mut output = vec![0.0; geometry.output_len()];
        let mut winners = vec![0u8; geometry.output_len()];
        kernel::max_forward(&geometry, values(&input.to_contiguous()), &mut output, &mut winners);
        let shape = [
            geometry.batch,
            geometry.output_height(),
            geometry.output_width(),
            geometry.channels,
        ];
        (
            tensor(output, shape),
            FlexTensor::from_data(TensorData::new(winners, shape)),
        )
    }
}

impl MaxPoolBackward for Flex {
    fn max_pool_backward(winners: FlexTensor, gradient: FlexTensor, geometry: Geometry) -> FlexTensor {
        let mut grad_input = vec![0.0; geometry.input_len()];
        let gradient = gradient.to_contiguous();
        kernel::max_backward(&geometry, winners.storage::<u8>(), values(&gradient), &mut grad_input);
        tensor(
            grad_input,
            [geometry.batch, geometry.height, geometry.width, geometry.channels],
        )
    }
}

#[derive(Debug)]
struct MaxPool;

impl<B: MaxPoolBackward> Backward<B, 1> for MaxPool {
    type State = (IntTensor<B>, Geometry);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        propagate::<B, _, _>(ops, grads, |(winners, geometry), gradient, _| {
            [B::max_pool_backward(winners, gradient, geometry)]
        });
    }
}

impl<B: MaxPoolBackend + MaxPoolBackward, C: CheckpointStrategy> MaxPoolBackend for Autodiff<B, C> {
    fn max_pool_of(input: FloatTensor<Self>, geometry: Geometry) -> (FloatTensor<Self>, IntTensor<Self>) {
        let node = input.node();
        let (output, winners) = B::max_pool_of(input.into_primitive(), geometry);
        let output = match MaxPool.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((winners.clone(), geometry), output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        };
        (output, winners)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::{drawn, to_vec};

    #[test]
    fn kernels_equal_the_composition_forward_and_backward() {
        for (kernel, stride, padding) in [(2, 2, [0; 4]), (3, 2, [1; 4]), (3, 1, [1; 4]), (3, 2, [0, 0, 1, 1])] {
            let input = drawn([2, 9, 12, 5], 0.0, 1.0, &mut 1);
            let run = |pool: fn(Tensor<4>, usize, usize, [usize; 4]) -> Tensor<4>| {
                let input = Tensor::from_inner(input.clone()).require_grad();
                let output = pool(input.clone(), kernel, stride, padding);
                let gradients = (output.clone() * output.clone().detach()).sum().backward();
                (to_vec(output.inner()), input.grad(&gradients).map(to_vec))
            };
            assert_eq!(run(max_pool), run(max_pool_composed), "{kernel} {stride} {padding:?}");
        }
    }

    #[test]
    fn the_mean_over_the_pixels_equals_the_composition_forward_and_backward() {
        for shape in [[2, 7, 7, 33], [1, 1, 1, 5], [3, 4, 2, 1]] {
            let input = drawn(shape, 1.0, 1.0, &mut 1);
            let run = |pool: fn(Tensor<4>) -> Tensor<4>| {
                let input = Tensor::from_inner(input.clone()).require_grad();
                let output = pool(input.clone());
                let gradients = (output.clone() * output.clone().detach().sin()).sum().backward();
                [Some(output.inner()), input.grad(&gradients)].map(|values| to_vec(values.unwrap()))
            };
            for (ours, theirs) in run(global_average_pool).iter().zip(&run(global_average_pool_composed)) {
                let error = ours
                    .iter()
                    .zip(theirs)
                    .fold(0f32, |error, (a, b)| error.max((a - b).abs()));
                assert!(ours.len() == theirs.len() && error < 1e-6, "{shape:?}: {error}");
            }
        }
    }
}
