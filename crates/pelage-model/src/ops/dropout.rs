//! Inverted dropout (Srivastava et al. 2014) with a counter-based mask: the backward pass regenerates it instead of
//! storing it, and a resumed run draws the same one.

use burn::Tensor;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{DType, Device, Int};
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
        let mask = mask(input.dims(), seed, probability, first, &input.device());
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

/// The factors from that of value `first` on, made where they are needed: the same as the kernel's. Below 2^32.
fn mask(shape: [usize; 2], seed: u64, probability: f32, first: usize, device: &Device) -> Tensor<2> {
    let draw = kernel::Draw::of(seed, probability);
    let xor = |values: Tensor<1, Int>, key: u32| values.bitwise_xor_scalar(i64::from(key));
    let mix = |values: Tensor<1, Int>| {
        let round = |values: Tensor<1, Int>, (shift, factor): (u32, u32)| {
            shifted(values.clone(), shift).bitwise_xor(values) * i64::from(factor)
        };
        let mixed = kernel::ROUNDS.into_iter().fold(values, round);
        shifted(mixed.clone(), 15).bitwise_xor(mixed)
    };
    let [first, count] = [first, shape[0] * shape[1]].map(|number| number as i64);
    let places = Tensor::<1, Int>::arange(first..first + count, (device, DType::U32));
    let random = shifted(mix(xor(mix(xor(places, draw.keys[0])), draw.keys[1])), 8);
    let kept = random.greater_equal_elem(i64::from(draw.threshold)).float();
    // Where nothing is kept the factor is infinite, and the product of zero and infinity no number.
    (kept * draw.keep.min(f32::MAX)).reshape(shape)
}

fn shifted(values: Tensor<1, Int>, bits: u32) -> Tensor<1, Int> {
    values.bitwise_right_shift_scalar(i64::from(bits))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::to_vec;

    #[test]
    fn factors_that_a_device_makes_are_those_of_the_kernel() {
        let shape = [37, 512];
        for (seed, probability) in [(0, 0.5), (7, 0.2), (u64::MAX, 0.9), (3, 0.0), (5, 1.0)] {
            for first in [0, 1234] {
                let made = to_vec(mask(shape, seed, probability, first, &Device::flex()));
                let mut expected = vec![1.0; shape[0] * shape[1]];
                kernel::apply_from(Isa::best(), seed, probability, first, &mut expected);
                assert_eq!(made, expected, "seed {seed}, probability {probability}, from {first}");
            }
        }
    }
}
