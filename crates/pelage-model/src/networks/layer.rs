//! The layers with parameters.

use burn::Tensor;
use burn::module::{Module, Param, RunningState};
use burn::tensor::{Device, TensorData};

use super::graph::Convolution;
use super::tokens::TokensLayer;
use crate::ops;
use crate::options::{Activation, Options};
use crate::values::{Named, Values, to_vec};

/// A layer with parameters.
#[derive(Module, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "a network has a hundred of them at most, nearly all convolutions"
)]
pub(super) enum Layer {
    /// A convolution with a bias or a batch norm.
    Convolution(ConvolutionLayer),
    /// A batch norm on its own.
    Norm(BatchNorm),
    /// A dense layer.
    Dense(DenseLayer),
    /// The first token and the positions of all.
    Tokens(TokensLayer),
}

/// Weights of a convolution `[co, ci / groups, kh, kw]`, and a bias `[co]`, a batch norm, or neither.
#[derive(Module, Debug)]
pub(super) struct ConvolutionLayer {
    weight: Param<Tensor<4>>,
    bias: Option<Param<Tensor<1>>>,
    norm: Option<BatchNorm>,
    /// For inference without a norm; stale once the weights change, see [`Layer::forget_packed`].
    #[module(skip)]
    packed: ops::Packed,
    /// The same for [`ConvolutionLayer::forward_block`].
    #[module(skip)]
    packed_block: ops::PackedBlock,
}

/// Batch norm (Ioffe and Szegedy 2015): scale, if there is one, shift and running statistics, each `[co]`.
#[derive(Module, Debug)]
pub(super) struct BatchNorm {
    weight: Option<Param<Tensor<1>>>,
    bias: Param<Tensor<1>>,
    running_mean: RunningState<Tensor<1>>,
    running_var: RunningState<Tensor<1>>,
}

/// Weights of a dense layer: `[out, in]` as in PyTorch, bias `[out]`.
#[derive(Module, Debug)]
pub(super) struct DenseLayer {
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

/// The batch that norms take their statistics of in training: what is computed here, or that together with the parts of
/// other processes.
#[derive(Clone, Debug, Default)]
pub(super) struct Batch(pub(super) Option<ops::Gather>);

/// Weight of a batch in the running statistics: PyTorch's default.
const MOMENTUM: f64 = 0.1;

impl Layer {
    /// Must be called after the parameters may have changed.
    pub(super) fn forget_packed(&mut self) {
        if let Layer::Convolution(layer) = self {
            layer.packed = ops::Packed::default();
            layer.packed_block = ops::PackedBlock::default();
        }
    }
}

impl ConvolutionLayer {
    /// Takes the tensors named `name.…` out of `values`, whose shapes have been checked.
    pub(super) fn take(name: &str, values: &mut Named, device: &Device) -> Self {
        let mut named = |suffix: &str| values.remove(&format!("{name}.{suffix}"));
        ConvolutionLayer {
            weight: Param::from_tensor(tensor(named("weight").unwrap_or_default(), device)),
            bias: named("bias").map(|bias| Param::from_tensor(tensor(bias, device))),
            norm: values
                .contains_key(&format!("{name}.norm.weight"))
                .then(|| BatchNorm::take(&format!("{name}.norm"), values, device)),
            packed: ops::Packed::default(),
            packed_block: ops::PackedBlock::default(),
        }
    }

    /// `[n, h, w, ci]` to `[n, h', w', co]`. In `training`, a batch norm uses the batch's statistics and updates its
    /// running ones; otherwise the running ones are folded into the convolution.
    pub(super) fn forward(
        &self,
        input: Tensor<4>,
        residual: Option<Tensor<4>>,
        convolution: &Convolution,
        training: Option<&Batch>,
    ) -> Tensor<4> {
        let [_, h, w, _] = input.dims();
        let (options, weight) = (convolution.options([h, w]), self.weight.val());
        let bias = self.bias.as_ref().map(Param::val);
        let Some((norm, epsilon)) = self.norm.as_ref().zip(convolution.norm) else {
            // In training the weights change at every step.
            let packed = if weight.is_autodiff() {
                ops::Packed::default()
            } else {
                self.packed.clone()
            };
            return ops::convolution_packed(input, weight, bias, &options, residual, packed);
        };
        if let Some(batch) = training {
            let plain = Options {
                activation: Activation::None,
                ..options
            };
            let convolved = ops::convolution(input, weight, None, &plain, None);
            return norm.train(convolved, epsilon, residual, options.activation, batch);
        }
        let (scale, shift) = norm.scale_and_shift(epsilon);
        let channels = scale.dims()[0];
        ops::convolution(
            input,
            weight * scale.reshape([channels, 1, 1, 1]),
            Some(shift),
            &options,
            residual,
        )
    }
}

impl Layer {
    /// Its batch norm, if it has one.
    pub(super) fn norm(&self) -> Option<&BatchNorm> {
        match self {
            Layer::Convolution(layer) => layer.norm.as_ref(),
            Layer::Norm(norm) => Some(norm),
            Layer::Dense(_) | Layer::Tokens(_) => None,
        }
    }
}

impl ConvolutionLayer {
    /// The weights, `[co, ci / groups, kh, kw]`.
    pub(super) fn kernel(&self) -> Tensor<4> {
        self.weight.val()
    }

    /// As a link of [`ops::convolution_chain`], for a layer without a norm and an input of `[h, w]`.
    pub(super) fn link(&self, convolution: &Convolution, [h, w]: [usize; 2]) -> ops::Link {
        ops::Link {
            weight: self.weight.val(),
            bias: self.bias.as_ref().map(Param::val),
            options: convolution.options([h, w]),
            packed: self.packed.clone(),
        }
    }

    /// The convolution and its pooling, see [`ops::conv_block`].
    pub(super) fn forward_block(&self, input: Tensor<4>, activation: Activation) -> Tensor<4> {
        let zeros = || Tensor::zeros([self.weight.val().dims()[0]], &input.device());
        let (weight, bias) = (self.weight.val(), self.bias.as_ref().map_or_else(zeros, Param::val));
        // In training the weights change at every step.
        let packed = if weight.is_autodiff() {
            ops::PackedBlock::default()
        } else {
            self.packed_block.clone()
        };
        // `Graph::is_block` knows of no other activation.
        ops::conv_block(input, weight, bias, activation == Activation::Relu, packed)
    }
}

impl BatchNorm {
    /// Takes the tensors named `name.…` out of `values`, whose shapes have been checked.
    pub(super) fn take(name: &str, values: &mut Named, device: &Device) -> Self {
        let mut named = |suffix: &str| values.remove(&format!("{name}.{suffix}"));
        BatchNorm {
            weight: named("weight").map(|weight| Param::from_tensor(tensor(weight, device))),
            bias: Param::from_tensor(tensor(named("bias").unwrap_or_default(), device)),
            running_mean: RunningState::new(tensor(named("running_mean").unwrap_or_default(), device)),
            running_var: RunningState::new(tensor(named("running_var").unwrap_or_default(), device)),
        }
    }

    /// By the batch's statistics in training, otherwise by the running ones; then the activation.
    pub(super) fn forward(
        &self,
        x: Tensor<4>,
        epsilon: f64,
        activation: Activation,
        training: Option<&Batch>,
    ) -> Tensor<4> {
        if let Some(batch) = training {
            return self.train(x, epsilon, None, activation, batch);
        }
        let (scale, shift) = self.scale_and_shift(epsilon);
        let channels = scale.dims()[0];
        let [scale, shift] = [scale, shift].map(|row| row.reshape([1, 1, 1, channels]));
        activation.apply(x * scale + shift)
    }

    /// The scale, which is 1 where none is learnt.
    fn scale(&self) -> Tensor<1> {
        self.weight
            .as_ref()
            .map_or_else(|| self.bias.val().ones_like(), Param::val)
    }

    /// Normalizes by the batch's mean and variance per channel, adds the residual, and applies the activation.
    fn train(
        &self,
        x: Tensor<4>,
        epsilon: f64,
        residual: Option<Tensor<4>>,
        activation: Activation,
        batch: &Batch,
    ) -> Tensor<4> {
        let (scale, shift) = (self.scale(), self.bias.val());
        let done = ops::batch_norm(x, scale, shift, epsilon, residual, activation, batch.0.as_ref());
        // The running variance is the unbiased one, as in PyTorch.
        let count = done.pixels as f64;
        let unbiased = done.variance * (count / (count - 1.0).max(1.0));
        for (state, new) in [(&self.running_mean, done.mean), (&self.running_var, unbiased)] {
            state.update(state.value_sync() * (1.0 - MOMENTUM) + new * MOMENTUM);
            // Without this, the saved state would lag one batch behind.
            state.value_sync();
        }
        done.output
    }

    /// The running means, then the running variances.
    pub(super) fn statistics(&self) -> Vec<f32> {
        [&self.running_mean, &self.running_var]
            .map(|state| to_vec(state.value_sync()))
            .concat()
    }

    /// Replaces them by the first of `values`, and returns the others.
    pub(super) fn set_statistics<'a>(&self, mut values: &'a [f32]) -> &'a [f32] {
        for state in [&self.running_mean, &self.running_var] {
            let now = state.value_sync();
            let (own, rest) = values.split_at(now.dims()[0]);
            state.update(Tensor::from_data(
                TensorData::new(own.to_vec(), [own.len()]),
                &now.device(),
            ));
            state.value_sync();
            values = rest;
        }
        values
    }

    /// The `a` and `b` of the norm by running statistics, `a * x + b`.
    fn scale_and_shift(&self, epsilon: f64) -> (Tensor<1>, Tensor<1>) {
        let scale = self.scale() / (self.running_var.value_sync() + epsilon).sqrt();
        let shift = self.bias.val() - self.running_mean.value_sync() * scale.clone();
        (scale, shift)
    }
}

impl DenseLayer {
    /// Takes `name.weight` and `name.bias` out of `values`, whose shapes have been checked.
    pub(super) fn take(name: &str, values: &mut Named, device: &Device) -> Self {
        let mut named = |suffix: &str| values.remove(&format!("{name}.{suffix}")).unwrap_or_default();
        DenseLayer {
            weight: Param::from_tensor(tensor(named("weight"), device)),
            bias: Param::from_tensor(tensor(named("bias"), device)),
        }
    }

    /// `[n, 1, 1, in]` to `[n, 1, 1, out]`.
    pub(super) fn forward(&self, x: Tensor<4>, activation: Activation) -> Tensor<4> {
        let [n, _, _, inputs] = x.dims();
        let (rows, relu) = (x.reshape([n, inputs]), activation == Activation::Relu);
        let x = ops::dense(rows, self.weight.val(), self.bias.val(), relu);
        let outputs = x.dims()[1];
        let x = if relu { x } else { activation.apply(x) };
        x.reshape([n, 1, 1, outputs])
    }
}

fn tensor<const D: usize>(values: Values, device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values.data, values.shape), device)
}
