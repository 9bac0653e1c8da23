//! The fused block: 3x3 'same' convolution, bias, ReLU or nothing, 2x2 max pooling.

use burn::Tensor;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::ops::{ConvOptions, MaxPoolOptions};
use burn::tensor::{TensorData, activation, module};
use pelage_kernels::conv_block::{self as kernel, Shape};
use pelage_kernels::isa::Isa;

use super::backward::propagate;
use super::flex::{dims, runs_on_kernels, tensor, values};
use super::packed::PackedBlock;

/// The fused block, as a Burn backend extension.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait ConvBlockBackend: Backend {
    /// Pooled output `[n, h/2, w/2, co]` and, per value, which of the four positions won (4: none, ReLU gave 0).
    fn fused_block(
        input: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        relu: bool,
        packed: PackedBlock,
    ) -> (FloatTensor<Self>, IntTensor<Self>);
}

/// Its backward pass; a separate trait, which rules out second derivatives.
pub(crate) trait ConvBlockBackward: Backend {
    /// Gradients of input, weights and bias; the first is one unused value unless `needs_input`.
    fn fused_block_backward(
        input: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        winners: IntTensor<Self>,
        gradient: FloatTensor<Self>,
        needs_input: bool,
    ) -> [FloatTensor<Self>; 3];
}

/// The fused block on `input` `[n, h, w, ci]` with PyTorch's weight layout `[co, ci, 3, 3]` and `bias` `[co]`:
/// `[n, h/2, w/2, co]`. An odd last row or column is dropped, as by Keras's `MaxPooling2D`. Weights are packed once for
/// all calls with the same `packed`.
pub fn conv_block(input: Tensor<4>, weights: Tensor<4>, bias: Tensor<1>, relu: bool, packed: PackedBlock) -> Tensor<4> {
    if !runs_on_kernels(&input) {
        return conv_block_composed(input, weights, bias, relu);
    }
    let (output, _winners) = <Dispatch as ConvBlockBackend>::fused_block(
        input.into_dispatch(),
        weights.into_dispatch(),
        bias.into_dispatch(),
        relu,
        packed,
    );
    Tensor::from_dispatch(output)
}

/// The same composed of Burn's own operations: for other devices, and the reference for tests.
pub fn conv_block_composed(input: Tensor<4>, weights: Tensor<4>, bias: Tensor<1>, relu: bool) -> Tensor<4> {
    let options = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
    let convolved = module::conv2d(input.permute([0, 3, 1, 2]), weights, Some(bias), options);
    let activated = if relu { activation::relu(convolved) } else { convolved };
    let pooled = module::max_pool2d(activated, MaxPoolOptions::new([2, 2]));
    pooled.permute([0, 2, 3, 1])
}

fn activation_of(relu: bool) -> kernel::Activation {
    match relu {
        true => kernel::Activation::Relu,
        false => kernel::Activation::None,
    }
}

fn shape_of(input: &FlexTensor, weights: &FlexTensor) -> Shape {
    let ([batch, height, width, in_channels], [out_channels, ..]) = (dims(input), dims::<4>(weights));
    Shape {
        batch,
        height,
        width,
        in_channels,
        out_channels,
    }
}

impl ConvBlockBackend for Flex {
    fn fused_block(
        input: FlexTensor,
        weights: FlexTensor,
        bias: FlexTensor,
        relu: bool,
        packed: PackedBlock,
    ) -> (FlexTensor, FlexTensor) {
        let (isa, shape, input) = (Isa::best(), shape_of(&input, &weights), input.to_contiguous());
        let packed = packed.get_or_make(|| {
            let (weights, bias) = (weights.to_contiguous(), bias.to_contiguous());
            kernel::pack(isa, shape, values(&weights), values(&bias))
        });
        let (output, winners) = kernel::forward_new(isa, shape, activation_of(relu), values(&input), packed);
        let pooled = [
            shape.batch,
            shape.pooled_height(),
            shape.pooled_width(),
            shape.out_channels,
        ];
        (
            tensor(output, pooled),
            FlexTensor::from_data(TensorData::new(winners, pooled)),
        )
    }
}

impl ConvBlockBackward for Flex {
    fn fused_block_backward(
        input: FlexTensor,
        weights: FlexTensor,
        winners: FlexTensor,
        gradient: FlexTensor,
        needs_input: bool,
    ) -> [FlexTensor; 3] {
        let (input, weights, gradient) = (input.to_contiguous(), weights.to_contiguous(), gradient.to_contiguous());
        let shape = shape_of(&input, &weights);
        let (grad_weights, grad_bias, grad_input) = kernel::backward_new(
            Isa::best(),
            shape,
            values(&input),
            values(&weights),
            winners.storage::<u8>(),
            values(&gradient),
            needs_input,
        );
        let input_shape = match needs_input {
            true => vec![shape.batch, shape.height, shape.width, shape.in_channels],
            false => vec![1],
        };
        [
            tensor(grad_input.unwrap_or_else(|| vec![0.0]), input_shape),
            tensor(grad_weights, [shape.out_channels, shape.in_channels, 3, 3]),
            tensor(grad_bias, [shape.out_channels]),
        ]
    }
}

#[derive(Debug)]
struct FusedBlock;

impl<B: ConvBlockBackward> Backward<B, 3> for FusedBlock {
    type State = (FloatTensor<B>, FloatTensor<B>, IntTensor<B>);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        propagate::<B, _, _>(ops, grads, |(input, weights, winners), gradient, [needs_input, ..]| {
            B::fused_block_backward(input, weights, winners, gradient, needs_input)
        });
    }
}

impl<B: ConvBlockBackend + ConvBlockBackward, C: CheckpointStrategy> ConvBlockBackend for Autodiff<B, C> {
    fn fused_block(
        input: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        relu: bool,
        packed: PackedBlock,
    ) -> (FloatTensor<Self>, IntTensor<Self>) {
        let nodes = [input.node(), weights.node(), bias.node()];
        let (input, weights) = (input.into_primitive(), weights.into_primitive());
        let (output, winners) = B::fused_block(input.clone(), weights.clone(), bias.into_primitive(), relu, packed);
        let output = match FusedBlock.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((input, weights, winners.clone()), output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        };
        (output, winners)
    }
}
