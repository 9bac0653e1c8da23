//! How a convolution is computed, beside its weights.

use pelage_kernels::convolution as kernel;

/// The function applied to every output value.
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
    /// x * min(max(x / 6 + 1 / 2, 0), 1), Howard et al. 2019.
    HardSwish,
    /// x * (1 + erf(x / sqrt(2))) / 2, Hendrycks and Gimpel 2016.
    Gelu,
}

impl Activation {
    /// All there are.
    pub const ALL: [Activation; 6] = [
        Activation::None,
        Activation::Relu,
        Activation::Relu6,
        Activation::Silu,
        Activation::HardSwish,
        Activation::Gelu,
    ];

    pub(crate) fn of_kernel(self) -> kernel::Activation {
        match self {
            Activation::None => kernel::Activation::None,
            Activation::Relu => kernel::Activation::Relu,
            Activation::Relu6 => kernel::Activation::Relu6,
            Activation::Silu => kernel::Activation::Silu,
            Activation::HardSwish => kernel::Activation::HardSwish,
            Activation::Gelu => kernel::Activation::Gelu,
        }
    }
}

/// Stride, padding, groups and activation of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Stride in pixels.
    pub stride: usize,
    /// Zero padding: top, left, bottom, right.
    pub padding: [usize; 4],
    /// Groups of channels that are convolved independently; depthwise if there are as many as channels.
    pub groups: usize,
    /// The activation that follows.
    pub activation: Activation,
}

impl Options {
    /// For an input `[n, h, w, ci]` and weights `[co, ci / groups, kh, kw]`.
    pub(crate) fn geometry(&self, input: [usize; 4], weight: [usize; 4]) -> kernel::Geometry {
        let ([batch, height, width, in_channels], [out_channels, _, kh, kw]) = (input, weight);
        kernel::Geometry {
            batch,
            height,
            width,
            in_channels,
            out_channels,
            kernel: [kh, kw],
            stride: [self.stride; 2],
            padding: self.padding,
            groups: self.groups,
        }
    }
}
