//! A fused chain of convolutions for inference: intermediate results stay in the cache.

use burn::Tensor;
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use pelage_kernels::convolution as kernel;
use pelage_kernels::isa::Isa;

use super::convolution::convolution_packed;
use super::flex::{dims, runs_on_kernels, tensor, values};
use super::packed::Packed;
use crate::options::Options;
use crate::values::to_vec;

/// A convolution of a chain, with the arguments of [`convolution_packed`].
pub struct Link {
    /// `[co, ci / groups, kh, kw]`.
    pub weight: Tensor<4>,
    /// `[co]`.
    pub bias: Option<Tensor<1>>,
    /// Stride, padding, groups and activation.
    pub options: Options,
    /// The weights in the kernel's layout.
    pub packed: Packed,
}

/// Applies the convolutions of `links` in order, with `residual` added before the last activation. None of them may be
/// 3x3 with stride 1 and one group: those are faster on their own.
pub fn convolution_chain(input: Tensor<4>, links: Vec<Link>, mut residual: Option<Tensor<4>>) -> Tensor<4> {
    // Gradients need the intermediate results.
    let is_tracked = input.is_autodiff() || links.iter().any(|link| link.weight.is_autodiff());
    if is_tracked || !runs_on_kernels(&input) {
        let (mut x, last) = (input, links.len() - 1);
        for (i, link) in links.into_iter().enumerate() {
            let residual = residual.take_if(|_| i == last);
            x = convolution_packed(x, link.weight, link.bias, &link.options, residual, link.packed);
        }
        return x;
    }
    let mut size = input.dims();
    let mut chain = Chain {
        links: Vec::new(),
        has_residual: residual.is_some(),
    };
    for link in links {
        let geometry = link.options.geometry(size, link.weight.dims());
        size = [
            size[0],
            geometry.output_height(),
            geometry.output_width(),
            geometry.out_channels,
        ];
        link.packed.get_or_make(|| {
            let bias = link.bias.map(to_vec);
            kernel::pack(Isa::best(), &geometry, &to_vec(link.weight), bias.as_deref())
        });
        chain
            .links
            .push((geometry, link.options.activation.of_kernel(), link.packed));
    }
    let device = input.device();
    let residual = residual.unwrap_or_else(|| Tensor::zeros([1; 4], &device));
    Tensor::from_dispatch(<Dispatch as ChainBackend>::chain(
        input.into_dispatch(),
        residual.into_dispatch(),
        chain,
    ))
}

/// The arguments of a chain besides tensors. A missing residual is a tensor of one unused value.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    links: Vec<(kernel::Geometry, kernel::Activation, Packed)>,
    has_residual: bool,
}

/// The chain, as a Burn backend extension.
#[backend_extension(Flex)]
pub(crate) trait ChainBackend: Backend {
    /// See [`convolution_chain`].
    fn chain(input: FloatTensor<Self>, residual: FloatTensor<Self>, chain: Chain) -> FloatTensor<Self>;
}

impl ChainBackend for Flex {
    fn chain(input: FlexTensor, residual: FlexTensor, chain: Chain) -> FlexTensor {
        let (input, residual) = (input.to_contiguous(), residual.to_contiguous());
        let links: Vec<_> = chain
            .links
            .iter()
            .map(|(geometry, activation, packed)| kernel::Link {
                geometry: *geometry,
                packed: packed.get().expect("packed by `convolution_chain`"),
                activation: *activation,
            })
            .collect();
        let last = links[links.len() - 1].geometry;
        let residual = chain.has_residual.then(|| values(&residual));
        let output = kernel::forward_chain_new(Isa::best(), &links, values(&input), residual);
        let [n, ..] = dims::<4>(&input);
        tensor(
            output,
            [n, last.output_height(), last.output_width(), last.out_channels],
        )
    }
}
