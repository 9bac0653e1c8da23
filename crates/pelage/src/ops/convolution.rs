//! Convolution with everything that networks put right behind it: bias, residual sum, activation.

use burn::Tensor;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{activation, module};

/// What is applied to every output number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    #[default]
    None,
    /// max(x, 0).
    Relu,
    /// min(max(x, 0), 6), Howard et al. 2017.
    Relu6,
    /// x * sigmoid(x).
    Silu,
}

impl Activation {
    /// The function itself.
    pub fn apply<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Activation::None => x,
            Activation::Relu => activation::relu(x),
            Activation::Relu6 => x.clamp(0.0, 6.0),
            Activation::Silu => activation::silu(x),
        }
    }
}

/// How a kernel moves over the picture, and what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Pixels from one output to the next.
    pub stride: usize,
    /// Zeros around the picture: top, left, bottom, right.
    pub padding: [usize; 4],
    /// Channels are cut into so many parts that do not see each other; as many as channels: depthwise.
    pub groups: usize,
    /// What follows.
    pub activation: Activation,
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
    convolution_composed(input, weight, bias, options, residual)
}

/// The same composed of Burn's own operations: what other devices run, and the reference for tests.
pub fn convolution_composed(
    input: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    options: &Options,
    residual: Option<Tensor<4>>,
) -> Tensor<4> {
    let ([n, h, w, ci], [co, _, kh, kw]) = (input.dims(), weight.dims());
    let output = if options.groups == 1 && options.padding == [0; 4] && [h, w] == [kh, kw] {
        // A kernel as large as the picture is a dense layer, and a product of matrices far faster than a convolution.
        let rows = input.permute([0, 3, 1, 2]).reshape([n, ci * h * w]);
        let product = rows.matmul(weight.reshape([co, ci * h * w]).transpose()).reshape([n, 1, 1, co]);
        match bias {
            Some(bias) => product + bias.reshape([1, 1, 1, co]),
            None => product,
        }
    } else {
        windows(input, weight, bias, options)
    };
    let output = match residual {
        Some(residual) => output + residual,
        None => output,
    };
    options.activation.apply(output)
}

fn windows(input: Tensor<4>, weight: Tensor<4>, bias: Option<Tensor<1>>, options: &Options) -> Tensor<4> {
    let [top, left, bottom, right] = options.padding;
    let stride = [options.stride; 2];
    let settings = ConvOptions::new_with_padding(stride, [(top, bottom), (left, right)], [1, 1], options.groups);
    module::conv2d(input.permute([0, 3, 1, 2]), weight, bias, settings).permute([0, 2, 3, 1])
}
