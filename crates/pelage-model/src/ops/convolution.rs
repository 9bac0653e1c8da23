//! Convolution fused with what usually follows: bias, residual sum, activation.

use burn::Tensor;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{activation, module};
use pelage_kernels::convolution as kernel;
use pelage_kernels::isa::Isa;

use super::backward::propagate;
use super::flex::{dims, runs_on_kernels, tensor, values};
use super::packed::Packed;
use crate::options::{Activation, Options};

impl Activation {
    /// Applies the function.
    pub fn apply<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Activation::None => x,
            Activation::Relu => activation::relu(x),
            Activation::Relu6 => x.clamp(0.0, 6.0),
            Activation::Silu => activation::silu(x),
            Activation::HardSwish => x.clone() * (x / 6.0 + 0.5).clamp(0.0, 1.0),
            Activation::Gelu => activation::gelu(x),
        }
    }

    /// The activation that the kernel applies, and the one that is applied to its output. Nothing but the output is
    /// saved for the backward pass, from which not every gradient can be computed.
    pub(super) fn fused(self, is_tracked: bool) -> (Activation, Activation) {
        match is_tracked && !self.of_kernel().is_known_by_output() {
            true => (Activation::None, self),
            false => (self, Activation::None),
        }
    }
}

/// `activation(input * weight + bias + residual)`.
///
/// # Shapes
/// `input` `[n, h, w, ci]`, `weight` `[co, ci / groups, kh, kw]` (PyTorch's order), `bias` `[co]`; output and
/// `residual` `[n, (h + top + bottom - kh) / stride + 1, (w + left + right - kw) / stride + 1, co]`.
pub fn convolution(
    input: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    options: &Options,
    residual: Option<Tensor<4>>,
) -> Tensor<4> {
    convolution_packed(input, weight, bias, options, residual, Packed::default())
}

/// The same, with weights packed once for many calls.
pub fn convolution_packed(
    input: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    options: &Options,
    residual: Option<Tensor<4>>,
    packed: Packed,
) -> Tensor<4> {
    if !runs_on_kernels(&input) || is_dense(&input, &weight, options) {
        return convolution_composed(input, weight, bias, options, residual);
    }
    let (fused, after) = options.activation.fused(input.is_autodiff() || weight.is_autodiff());
    let settings = Settings {
        options: Options {
            activation: fused,
            ..*options
        },
        has_bias: bias.is_some(),
        has_residual: residual.is_some(),
    };
    let device = input.device();
    let output = <Dispatch as ConvolutionBackend>::convolve(
        input.into_dispatch(),
        weight.into_dispatch(),
        bias.unwrap_or_else(|| Tensor::zeros([1], &device)).into_dispatch(),
        residual
            .unwrap_or_else(|| Tensor::zeros([1; 4], &device))
            .into_dispatch(),
        settings,
        packed,
    );
    after.apply(Tensor::from_dispatch(output))
}

/// The same composed of Burn's own operations: for other devices, and the reference for tests.
pub fn convolution_composed(
    input: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    options: &Options,
    residual: Option<Tensor<4>>,
) -> Tensor<4> {
    let output = match is_dense(&input, &weight, options) {
        true => dense(input, weight, bias),
        false => {
            let [top, left, bottom, right] = options.padding;
            let (stride, padding) = ([options.stride; 2], [(top, bottom), (left, right)]);
            let settings = ConvOptions::new_with_padding(stride, padding, [1, 1], options.groups);
            module::conv2d(input.permute([0, 3, 1, 2]), weight, bias, settings).permute([0, 2, 3, 1])
        }
    };
    let output = match residual {
        Some(residual) => output + residual,
        None => output,
    };
    options.activation.apply(output)
}

/// Whether the kernel is as large as the image (VGG's first dense layer): the convolution is then a matrix product that
/// uses each weight once per image, and packing would cost more than it saves.
fn is_dense(input: &Tensor<4>, weight: &Tensor<4>, options: &Options) -> bool {
    let ([_, h, w, _], [_, _, kh, kw]) = (input.dims(), weight.dims());
    options.groups == 1 && options.padding == [0; 4] && [h, w] == [kh, kw] && h * w > 1
}

fn dense(input: Tensor<4>, weight: Tensor<4>, bias: Option<Tensor<1>>) -> Tensor<4> {
    let ([n, h, w, ci], co) = (input.dims(), weight.dims()[0]);
    let rows = input.permute([0, 3, 1, 2]).reshape([n, ci * h * w]);
    let product = rows
        .matmul(weight.reshape([co, ci * h * w]).transpose())
        .reshape([n, 1, 1, co]);
    match bias {
        Some(bias) => product + bias.reshape([1, 1, 1, co]),
        None => product,
    }
}

/// The arguments of a convolution besides tensors. A missing bias or residual is a tensor of one unused value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    options: Options,
    has_bias: bool,
    has_residual: bool,
}

/// Which gradients are needed: of input, weight, bias, residual.
type Wanted = [bool; 4];

/// The convolution, as a Burn backend extension.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait ConvolutionBackend: Backend {
    /// See [`convolution`].
    fn convolve(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        settings: Settings,
        packed: Packed,
    ) -> FloatTensor<Self>;
}

/// Its backward pass; a separate trait, which rules out second derivatives.
pub(crate) trait ConvolutionBackward: Backend {
    /// Gradients of input, weight, bias and residual, given that of the output; one unused value for each unneeded one.
    fn convolve_backward(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        output: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        settings: Settings,
        wanted: Wanted,
    ) -> [FloatTensor<Self>; 4];
}

impl ConvolutionBackend for Flex {
    fn convolve(
        input: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        residual: FlexTensor,
        settings: Settings,
        packed: Packed,
    ) -> FlexTensor {
        let (isa, geometry) = (Isa::best(), settings.options.geometry(dims(&input), dims(&weight)));
        let packed = packed.get_or_make(|| {
            let (weight, bias) = (weight.to_contiguous(), bias.to_contiguous());
            kernel::pack(
                isa,
                &geometry,
                values(&weight),
                settings.has_bias.then(|| values(&bias)),
            )
        });
        let (input, residual) = (input.to_contiguous(), residual.to_contiguous());
        let output = kernel::forward_new(
            isa,
            &geometry,
            values(&input),
            packed,
            settings.has_residual.then(|| values(&residual)),
            settings.options.activation.of_kernel(),
        );
        let [n, h, w] = [geometry.batch, geometry.output_height(), geometry.output_width()];
        tensor(output, [n, h, w, geometry.out_channels])
    }
}

impl ConvolutionBackward for Flex {
    fn convolve_backward(
        input: FlexTensor,
        weight: FlexTensor,
        output: FlexTensor,
        gradient: FlexTensor,
        settings: Settings,
        wanted: Wanted,
    ) -> [FlexTensor; 4] {
        let (isa, geometry) = (Isa::best(), settings.options.geometry(dims(&input), dims(&weight)));
        let (input, weight) = (input.to_contiguous(), weight.to_contiguous());
        // The gradient before the activation, from the one after it; it is also the residual's.
        let gradient = match settings.options.activation {
            Activation::None => gradient.to_contiguous(),
            cut => {
                let mut before = values(&gradient.to_contiguous()).to_vec();
                kernel::activation_backward(isa, cut.of_kernel(), values(&output.to_contiguous()), &mut before);
                tensor(before, gradient.shape().to_vec())
            }
        };
        let room = |wanted: bool, length: usize| vec![0.0f32; if wanted { length } else { 1 }];
        let mut grad_input = room(wanted[0], geometry.input_len());
        let mut grad_weight = room(wanted[1], geometry.weight_len());
        let mut grad_bias = room(wanted[2], geometry.out_channels);
        kernel::backward(
            isa,
            &geometry,
            values(&input),
            values(&weight),
            values(&gradient),
            wanted[1].then_some(&mut grad_weight[..]),
            wanted[2].then_some(&mut grad_bias[..]),
            wanted[0].then_some(&mut grad_input[..]),
        );
        let shaped =
            |values: Vec<f32>, wanted: bool, shape: Vec<usize>| tensor(values, if wanted { shape } else { vec![1] });
        [
            shaped(grad_input, wanted[0], input.shape().to_vec()),
            shaped(grad_weight, wanted[1], weight.shape().to_vec()),
            shaped(grad_bias, wanted[2], vec![geometry.out_channels]),
            gradient,
        ]
    }
}

#[derive(Debug)]
struct Convolve;

impl<B: ConvolutionBackward> Backward<B, 4> for Convolve {
    type State = (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>, Settings);

    fn backward(self, ops: Ops<Self::State, 4>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        propagate::<B, _, _>(ops, grads, |(input, weight, output, settings), gradient, wanted| {
            B::convolve_backward(input, weight, output, gradient, settings, wanted)
        });
    }
}

impl<B: ConvolutionBackend + ConvolutionBackward, C: CheckpointStrategy> ConvolutionBackend for Autodiff<B, C> {
    fn convolve(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        settings: Settings,
        packed: Packed,
    ) -> FloatTensor<Self> {
        let nodes = [input.node(), weight.node(), bias.node(), residual.node()];
        let (input, weight) = (input.into_primitive(), weight.into_primitive());
        let (bias, residual) = (bias.into_primitive(), residual.into_primitive());
        let output = B::convolve(input.clone(), weight.clone(), bias, residual, settings, packed);
        match Convolve.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((input, weight, output.clone(), settings), output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::drawn;

    /// Output and gradients of input, weight, bias and residual.
    fn run(composed: bool, tensors: &[Tensor<4>; 3], bias: &Tensor<1>, options: &Options, all: bool) -> Vec<Vec<f32>> {
        let [input, weight, residual] = tensors.clone().map(|t| Tensor::from_inner(t).require_grad());
        let bias = Tensor::from_inner(bias.clone()).require_grad();
        let (with_bias, with_residual) = (all.then(|| bias.clone()), all.then(|| residual.clone()));
        let convolve = if composed { convolution_composed } else { convolution };
        let output = convolve(input.clone(), weight.clone(), with_bias, options, with_residual);
        // A gradient that varies from value to value, but not with the rounding of the output.
        let gradients = (output.clone() * drawn(output.dims(), 0.0, 1.0, &mut 2))
            .sum()
            .backward();
        let vec = |t: Option<Tensor<4>>| t.map_or(Vec::new(), crate::values::to_vec);
        let grad_bias = bias.grad(&gradients).map_or(Vec::new(), crate::values::to_vec);
        vec![
            crate::values::to_vec(output.inner()),
            vec(input.grad(&gradients)),
            vec(weight.grad(&gradients)),
            vec(residual.grad(&gradients)),
            grad_bias,
        ]
    }

    #[test]
    fn kernels_equal_the_composition_forward_and_backward() {
        let mut seed = 1;
        let shapes = [
            (3, 8, 3, 2, 1, [1; 4]),
            (6, 6, 5, 2, 6, [1, 2, 2, 2]),
            (8, 12, 1, 1, 1, [0; 4]),
            (4, 8, 3, 1, 2, [1; 4]),
        ];
        for (ci, co, k, stride, groups, padding) in shapes {
            for activation in Activation::ALL {
                for all in [false, true] {
                    let options = Options {
                        stride,
                        padding,
                        groups,
                        activation,
                    };
                    let mut draw = |shape: [usize; 4]| drawn(shape, 0.0, 3.0, &mut seed);
                    let (input, weight) = (draw([2, 9, 11, ci]), draw([co, ci / groups, k, k]));
                    let out = |i: usize, p: usize| (i + p - k) / stride + 1;
                    let rows = out(9, padding[0] + padding[2]);
                    let residual = draw([2, rows, out(11, padding[1] + padding[3]), co]);
                    let bias = drawn([co], 0.0, 2.0, &mut seed);
                    let tensors = [input, weight, residual];
                    let ours = run(false, &tensors, &bias, &options, all);
                    let theirs = run(true, &tensors, &bias, &options, all);
                    for (what, (a, b)) in ours.iter().zip(&theirs).enumerate() {
                        assert_eq!(a.len(), b.len());
                        let largest = b.iter().fold(0f32, |largest, x| largest.max(x.abs()));
                        let error = a.iter().zip(b).fold(0f32, |error, (a, b)| error.max((a - b).abs()));
                        assert!(error <= 2e-5 * largest, "{what} of {options:?}: {error} of {largest}");
                    }
                }
            }
        }
    }
}
