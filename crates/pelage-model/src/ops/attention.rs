//! Attention in several heads.

use burn::Tensor;
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use burn::tensor::activation;
use pelage_kernels::attention as kernel;
use pelage_kernels::isa::Isa;

use super::flex::{dims, runs_on_kernels, tensor, values};

/// Scaled dot-product attention among the pixels of each image (Vaswani et al. 2017, section 3.2): `[n, h, w, 3 * c]`,
/// queries, keys and values of `heads` heads each, to `[n, h, w, c]`.
pub fn attention(input: Tensor<4>, heads: usize) -> Tensor<4> {
    // Gradients need the shares, which the kernel does not keep.
    match input.is_autodiff() || !runs_on_kernels(&input) {
        true => attention_composed(input, heads),
        false => Tensor::from_dispatch(<Dispatch as AttentionBackend>::attend(input.into_dispatch(), heads)),
    }
}

/// The same composed of Burn's own operations: for gradients and other devices, and the reference for tests.
pub fn attention_composed(input: Tensor<4>, heads: usize) -> Tensor<4> {
    let [n, h, w, c] = input.dims();
    let depth = c / 3 / heads;
    let parts = input.reshape([n, h * w, 3 * heads, depth]).swap_dims(1, 2);
    let part = |i: usize| parts.clone().narrow(1, i * heads, heads);
    let scores = part(0).matmul(part(1).swap_dims(2, 3)) / (depth as f32).sqrt();
    let output = activation::softmax(scores, 3).matmul(part(2));
    output.swap_dims(1, 2).reshape([n, h, w, c / 3])
}

/// Attention, as a Burn backend extension.
#[backend_extension(Flex)]
pub(crate) trait AttentionBackend: Backend {
    /// See [`attention`].
    fn attend(input: FloatTensor<Self>, heads: usize) -> FloatTensor<Self>;
}

impl AttentionBackend for Flex {
    fn attend(input: FlexTensor, heads: usize) -> FlexTensor {
        let input = input.to_contiguous();
        let [n, h, w, c] = dims::<4>(&input);
        let shape = kernel::Shape {
            batch: n,
            tokens: h * w,
            heads,
            depth: c / 3 / heads,
        };
        tensor(kernel::forward(Isa::best(), shape, values(&input)), [n, h, w, c / 3])
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;
    use crate::values::to_vec;

    #[test]
    fn the_kernel_equals_the_composition() {
        let count = 2 * 3 * 7 * 36;
        let numbers: Vec<f32> = (0..count)
            .map(|i| ((i * 37 + i / 11) % 101) as f32 / 25.0 - 2.0)
            .collect();
        let input = Tensor::<4>::from_data(TensorData::new(numbers, [2, 3, 7, 36]), &Device::flex());
        let ours = to_vec(attention(input.clone(), 4));
        let theirs = to_vec(attention_composed(input, 4));
        for (a, b) in ours.iter().zip(&theirs) {
            assert!((a - b).abs() < 2e-6, "{a} {b}");
        }
    }
}
