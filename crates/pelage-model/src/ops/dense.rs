//! The fully connected layer, optionally with fused ReLU.

use burn::Tensor;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::activation;
use pelage_kernels::dense::{self as kernel, Activation, Shape};
use pelage_kernels::isa::Isa;

use super::backward::propagate;
use super::flex::{dims, runs_on_kernels, tensor, values};

/// The layer, as a Burn backend extension.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait DenseBackend: Backend {
    /// Output `[n, outputs]`.
    fn fused_dense(
        input: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        relu: bool,
    ) -> FloatTensor<Self>;
}

/// Its backward pass; a separate trait, which rules out second derivatives.
pub(crate) trait DenseBackward: Backend {
    /// Gradients of input, weights and bias; the first is one unused value unless `needs_input`.
    fn fused_dense_backward(
        input: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        output: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        relu: bool,
        needs_input: bool,
    ) -> [FloatTensor<Self>; 3];
}

/// `input` `[n, inputs]` times PyTorch's weights `[outputs, inputs]`, transposed, plus `bias` `[outputs]`, then ReLU if
/// `relu`: `[n, outputs]`.
pub fn dense(input: Tensor<2>, weights: Tensor<2>, bias: Tensor<1>, relu: bool) -> Tensor<2> {
    if !runs_on_kernels(&input) {
        return dense_composed(input, weights, bias, relu);
    }
    Tensor::from_dispatch(<Dispatch as DenseBackend>::fused_dense(
        input.into_dispatch(),
        weights.into_dispatch(),
        bias.into_dispatch(),
        relu,
    ))
}

/// The same composed of Burn's own operations: for other devices, and the reference for tests.
pub fn dense_composed(input: Tensor<2>, weights: Tensor<2>, bias: Tensor<1>, relu: bool) -> Tensor<2> {
    let output = input.matmul(weights.transpose()) + bias.unsqueeze();
    if relu { activation::relu(output) } else { output }
}

fn shape_of(input: &FlexTensor, weights: &FlexTensor) -> Shape {
    let ([batch, inputs], [outputs, _]) = (dims(input), dims::<2>(weights));
    Shape { batch, inputs, outputs }
}

fn activation_of(relu: bool) -> Activation {
    if relu { Activation::Relu } else { Activation::None }
}

impl DenseBackend for Flex {
    fn fused_dense(input: FlexTensor, weights: FlexTensor, bias: FlexTensor, relu: bool) -> FlexTensor {
        let (input, weights, bias) = (input.to_contiguous(), weights.to_contiguous(), bias.to_contiguous());
        let shape = shape_of(&input, &weights);
        let mut output = vec![0.0; shape.batch * shape.outputs];
        let (x, w, b) = (values(&input), values(&weights), values(&bias));
        kernel::forward(Isa::best(), shape, activation_of(relu), x, w, b, &mut output);
        tensor(output, [shape.batch, shape.outputs])
    }
}

impl DenseBackward for Flex {
    fn fused_dense_backward(
        input: FlexTensor,
        weights: FlexTensor,
        output: FlexTensor,
        gradient: FlexTensor,
        relu: bool,
        needs_input: bool,
    ) -> [FlexTensor; 3] {
        let (input, weights) = (input.to_contiguous(), weights.to_contiguous());
        let (output, gradient) = (output.to_contiguous(), gradient.to_contiguous());
        let shape = shape_of(&input, &weights);
        let input_len = if needs_input { shape.batch * shape.inputs } else { 1 };
        let (mut grad_input, mut grad_bias) = (vec![0.0; input_len], vec![0.0; shape.outputs]);
        let mut grad_weights = vec![0.0; shape.outputs * shape.inputs];
        kernel::backward(
            Isa::best(),
            shape,
            activation_of(relu),
            values(&input),
            values(&weights),
            values(&output),
            values(&gradient),
            &mut grad_weights,
            &mut grad_bias,
            needs_input.then_some(&mut grad_input[..]),
        );
        let input_shape = if needs_input {
            vec![shape.batch, shape.inputs]
        } else {
            vec![1]
        };
        [
            tensor(grad_input, input_shape),
            tensor(grad_weights, [shape.outputs, shape.inputs]),
            tensor(grad_bias, [shape.outputs]),
        ]
    }
}

#[derive(Debug)]
struct FusedDense;

impl<B: DenseBackward> Backward<B, 3> for FusedDense {
    type State = (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>, bool);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        propagate::<B, _, _>(
            ops,
            grads,
            |(input, weights, output, relu), gradient, [needs_input, ..]| {
                B::fused_dense_backward(input, weights, output, gradient, relu, needs_input)
            },
        );
    }
}

impl<B: DenseBackend + DenseBackward, C: CheckpointStrategy> DenseBackend for Autodiff<B, C> {
    fn fused_dense(
        input: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        relu: bool,
    ) -> FloatTensor<Self> {
        let nodes = [input.node(), weights.node(), bias.node()];
        let (input, weights) = (input.into_primitive(), weights.into_primitive());
        let output = B::fused_dense(input.clone(), weights.clone(), bias.into_primitive(), relu);
        match FusedDense.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((input, weights, output.clone(), relu), output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }
}
