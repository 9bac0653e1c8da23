//! Functions of single values that no kernel has as an activation: those of MobileNetV3, of squeeze and excitation, and
//! activations that follow something else than a convolution, transformers' among them.

use std::f32::consts::FRAC_1_SQRT_2;

#[cfg(feature = "burn")]
use burn::Tensor;
#[cfg(feature = "burn")]
use burn::tensor::activation;

use crate::options::Activation;

/// A function of each value of a map.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Function {
    /// min(max(x, low), high).
    Clip {
        /// The smallest value.
        low: f32,
        /// The largest one.
        high: f32,
    },
    /// The error function.
    Erf,
    /// x * (1 + erf(x / sqrt(2))) / 2, Hendrycks and Gimpel 2016.
    Gelu,
    /// min(max(slope * x + shift, 0), 1).
    HardSigmoid {
        /// What each value is multiplied by.
        slope: f32,
        /// What is added to that.
        shift: f32,
    },
    /// x * min(max(x / 6 + 1 / 2, 0), 1), Howard et al. 2019.
    HardSwish,
    /// 1 / (1 + exp(-x)).
    Sigmoid,
    /// x * sigmoid(x).
    Silu,
}

impl Function {
    /// max(x, 0).
    pub const RELU: Function = Function::Clip {
        low: 0.0,
        high: f32::INFINITY,
    };

    /// The function that an activation is, where it is no clamp.
    pub(crate) fn of_activation(activation: Activation) -> Option<Function> {
        match activation {
            Activation::None | Activation::Relu | Activation::Relu6 => None,
            Activation::Silu => Some(Function::Silu),
            Activation::HardSwish => Some(Function::HardSwish),
            Activation::Gelu => Some(Function::Gelu),
        }
    }

    /// Of one value.
    pub(crate) fn of(self, x: f32) -> f32 {
        match self {
            Function::Clip { low, high } => x.max(low).min(high),
            Function::Erf => libm::erff(x),
            Function::Gelu => 0.5 * x * (1.0 + libm::erff(x * FRAC_1_SQRT_2)),
            Function::HardSigmoid { slope, shift } => (slope * x + shift).clamp(0.0, 1.0),
            Function::HardSwish => x * (x / 6.0 + 0.5).clamp(0.0, 1.0),
            Function::Sigmoid => 1.0 / (1.0 + (-x).exp()),
            Function::Silu => x / (1.0 + (-x).exp()),
        }
    }

    /// Of a tensor.
    #[cfg(feature = "burn")]
    pub(crate) fn apply(self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Function::Clip { low, high } if high == f32::INFINITY => match low {
                0.0 => activation::relu(x),
                _ => x.clamp_min(low),
            },
            Function::Clip { low, high } => x.clamp(low, high),
            Function::Erf => x.erf(),
            Function::Gelu => activation::gelu(x),
            Function::HardSigmoid { slope, shift } => (x * slope + shift).clamp(0.0, 1.0),
            Function::HardSwish => x.clone() * (x / 6.0 + 0.5).clamp(0.0, 1.0),
            Function::Sigmoid => activation::sigmoid(x),
            Function::Silu => activation::silu(x),
        }
    }
}
