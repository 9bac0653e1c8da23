//! The common part of every backward pass.

use burn::backend::Backend;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::Ops;
use burn::backend::tensor::FloatTensor;

/// Registers the gradient of each parent. `gradients_of` computes them, in the order of the parents, from what the
/// forward pass saved, the output gradient, and which gradients are needed; the others may be anything.
pub(super) fn propagate<B: Backend, S, const N: usize>(
    ops: Ops<S, N>,
    grads: &mut Gradients,
    gradients_of: impl FnOnce(S, FloatTensor<B>, [bool; N]) -> [FloatTensor<B>; N],
) {
    let gradient = grads.consume::<B>(&ops.node);
    let wanted = std::array::from_fn(|i| ops.parents[i].is_some());
    if wanted == [false; N] {
        return;
    }
    let found = gradients_of(ops.state, gradient, wanted);
    for (node, gradient) in ops.parents.into_iter().zip(found) {
        if let Some(node) = node {
            grads.register::<B>(node.id, gradient);
        }
    }
}
