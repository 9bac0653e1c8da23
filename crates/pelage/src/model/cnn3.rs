//! `cnn3`, the tutorial's network: three times (3x3 'same' convolution, ReLU, 2x2 max-pooling) with 32, 32 and 64
//! channels, dropout 0.25, dense 64 with ReLU, dropout 0.5, dense to the classes. 1,355,938 parameters for 150 x 150
//! pixels and two classes.

use burn::Tensor;
use burn::module::{Module, Param};
use burn::tensor::{Device, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::DropoutSeed;
use crate::ops;

/// Channels after each block.
pub const CHANNELS: [usize; 3] = [32, 32, 64];
/// Width of the hidden dense layer.
pub const HIDDEN: usize = 64;

/// Weights of a convolution: `[co, ci, 3, 3]`, bias `[co]`.
#[derive(Module, Debug)]
pub struct Convolution {
    weight: Param<Tensor<4>>,
    bias: Param<Tensor<1>>,
}

/// Weights of a dense layer: `[out, in]` as in PyTorch, bias `[out]`.
#[derive(Module, Debug)]
pub struct Dense {
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

/// The network; parameter names are the field names (`conv1.weight` ... `dense2.bias`).
#[derive(Module, Debug)]
pub struct Cnn3 {
    conv1: Convolution,
    conv2: Convolution,
    conv3: Convolution,
    dense1: Dense,
    dense2: Dense,
}

impl Cnn3 {
    /// Glorot-uniform weights (Glorot and Bengio 2010, eq. 16) and zero biases, a function of `seed` alone.
    pub fn new(size: [usize; 2], classes: usize, seed: u64, device: &Device) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut convolution = |ci, co| Convolution {
            weight: glorot([co, ci, 3, 3], ci * 9, co * 9, &mut random, device),
            bias: Param::from_tensor(Tensor::zeros([co], device)),
        };
        let conv1 = convolution(3, CHANNELS[0]);
        let conv2 = convolution(CHANNELS[0], CHANNELS[1]);
        let conv3 = convolution(CHANNELS[1], CHANNELS[2]);
        let mut dense = |inputs, outputs| Dense {
            weight: glorot([outputs, inputs], inputs, outputs, &mut random, device),
            bias: Param::from_tensor(Tensor::zeros([outputs], device)),
        };
        let flat = (size[0] / 8) * (size[1] / 8) * CHANNELS[2];
        let (dense1, dense2) = (dense(flat, HIDDEN), dense(HIDDEN, classes));
        Cnn3 {
            conv1,
            conv2,
            conv3,
            dense1,
            dense2,
        }
    }

    /// Logits `[n, classes]` for pixels `[n, h, w, 3]`.
    pub fn forward(&self, pixels: Tensor<4>, dropout: Option<DropoutSeed>) -> Tensor<2> {
        let x = ops::conv_block(pixels, self.conv1.weight.val(), self.conv1.bias.val());
        let x = ops::conv_block(x, self.conv2.weight.val(), self.conv2.bias.val());
        let x = ops::conv_block(x, self.conv3.weight.val(), self.conv3.bias.val());
        let x = drop(x.flatten(1, 3), 0.25, 1, dropout);
        let x = drop(self.dense1.forward(x, true), 0.5, 2, dropout);
        self.dense2.forward(x, false)
    }
}

impl Dense {
    fn forward(&self, x: Tensor<2>, relu: bool) -> Tensor<2> {
        ops::dense(x, self.weight.val(), self.bias.val(), relu)
    }
}

/// Dropout in training, with a mask of its own for each layer and step.
fn drop(x: Tensor<2>, probability: f32, layer: u64, dropout: Option<DropoutSeed>) -> Tensor<2> {
    match dropout {
        None => x,
        Some(DropoutSeed { seed, step }) => {
            let key = seed
                .wrapping_mul(0x9E37_79B9_7F4A_7C15)
                .wrapping_add(step.wrapping_mul(8).wrapping_add(layer));
            ops::dropout(x, key, probability)
        }
    }
}

fn glorot<const D: usize>(
    shape: [usize; D],
    fan_in: usize,
    fan_out: usize,
    random: &mut ChaCha8Rng,
    device: &Device,
) -> Param<Tensor<D>> {
    let limit = (6.0 / (fan_in + fan_out) as f32).sqrt();
    let values: Vec<f32> = (0..shape.iter().product())
        .map(|_| random.random_range(-limit..limit))
        .collect();
    Param::from_tensor(Tensor::from_data(TensorData::new(values, shape), device))
}
