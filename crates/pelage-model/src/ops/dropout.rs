//! Inverted dropout (Srivastava et al. 2014) with a counter-based mask: the backward pass regenerates it instead of
//! storing it, and a resumed run draws the same one.

use burn::Tensor;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::TensorData;
use pelage_kernels::dropout as kernel;
use pelage_kernels::isa::Isa;

use super::backward::propagate;
use super::flex::{runs_on_kernels, values_mut};

/// What is drawn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draw {
    seed: u64,
    probability: f32,
    /// The place of the first value among all of a batch that is shared out.
    first: usize,
}

/// Dropout as a Burn backend extension; it is its own backward pass.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait DropoutBackend: Backend {
    /// `input` with the values dropped that `draw` selects.
    fn counter_dropout(input: FloatTensor<Self>, draw: Draw) -> FloatTensor<Self>;
}

/// `input` with each value set to 0 with `probability` (0 to 1), the others scaled by 1 / (1 - probability). Which ones
/// depends on `seed` and the position alone. `input` may be a part of a batch, from row `first` on.
pub fn dropout(input: Tensor<2>, seed: u64, probability: f32, first: usize) -> Tensor<2> {
    let first = first * input.dims()[1];
    if !runs_on_kernels(&input) {
        let mut mask = vec![0.0; input.dims().iter().product()];
        kernel::mask(seed, probability, first, &mut mask);
        let mask = Tensor::from_data(TensorData::new(mask, input.dims()), &input.device());
        return input * mask;
    }
    Tensor::from_dispatch(<Dispatch as DropoutBackend>::counter_dropout(
        input.into_dispatch(),
        Draw {
            seed,
            probability,
            first,
        },
    ))
}

impl DropoutBackend for Flex {
    fn counter_dropout(input: FlexTensor, draw: Draw) -> FlexTensor {
        let mut output = input.to_contiguous();
        kernel::apply_from(
            Isa::best(),
            draw.seed,
            draw.probability,
            draw.first,
            values_mut(&mut output),
        );
        output
    }
}

#[derive(Debug)]
struct CounterDropout;

impl<B: DropoutBackend> Backward<B, 1> for CounterDropout {
    type State = Draw;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        propagate::<B, _, _>(ops, grads, |draw, gradient, _| [B::counter_dropout(gradient, draw)]);
    }
}

impl<B: DropoutBackend, C: CheckpointStrategy> DropoutBackend for Autodiff<B, C> {
    fn counter_dropout(input: FloatTensor<Self>, draw: Draw) -> FloatTensor<Self> {
        let nodes = [input.node()];
        let output = B::counter_dropout(input.into_primitive(), draw);
        match CounterDropout.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(draw, output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }
}
