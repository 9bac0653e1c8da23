//! Optimizer steps on flat tensors: one pass in place on the CPU, the same formulas in Burn's operations elsewhere.

use burn::Tensor;
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use burn::tensor::TensorData;
use pelage_kernels::isa::Isa;
use pelage_kernels::optimizer as kernel;
pub use pelage_kernels::optimizer::{Adam, Rate, RmsProp, Sgd};
use pelage_kernels::orthogonal::orthogonalize;

use super::flex::{dims, runs_on_kernels, values, values_mut};
use crate::values::to_vec;

/// The steps as a Burn backend extension; each returns the new parameters and state.
#[backend_extension(Flex)]
pub(crate) trait OptimizerBackend: Backend {
    /// Parameters and velocity.
    fn sgd_step(
        rule: Sgd,
        rate: Rate,
        parameters: FloatTensor<Self>,
        gradients: FloatTensor<Self>,
        velocity: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);

    /// Parameters and average squared gradient.
    fn rms_prop_step(
        rule: RmsProp,
        rate: Rate,
        parameters: FloatTensor<Self>,
        gradients: FloatTensor<Self>,
        square: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);

    /// Parameters, average gradient and average squared gradient, at step `t`, which starts at 1.
    fn adam_step(
        rule: Adam,
        rate: Rate,
        t: u64,
        parameters: FloatTensor<Self>,
        gradients: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        square: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    /// The matrix with singular values near 1.
    fn orthogonal(matrix: FloatTensor<Self>, steps: usize) -> FloatTensor<Self>;
}

impl OptimizerBackend for Flex {
    fn sgd_step(
        rule: Sgd,
        rate: Rate,
        parameters: FlexTensor,
        gradients: FlexTensor,
        velocity: FlexTensor,
    ) -> (FlexTensor, FlexTensor) {
        let [mut parameters, gradients, mut velocity] =
            [parameters, gradients, velocity].map(|tensor| tensor.to_contiguous());
        let (p, v) = (values_mut(&mut parameters), values_mut(&mut velocity));
        kernel::sgd(Isa::best(), rule, rate, p, values(&gradients), v);
        (parameters, velocity)
    }

    fn rms_prop_step(
        rule: RmsProp,
        rate: Rate,
        parameters: FlexTensor,
        gradients: FlexTensor,
        square: FlexTensor,
    ) -> (FlexTensor, FlexTensor) {
        let [mut parameters, gradients, mut square] =
            [parameters, gradients, square].map(|tensor| tensor.to_contiguous());
        let (p, s) = (values_mut(&mut parameters), values_mut(&mut square));
        kernel::rms_prop(Isa::best(), rule, rate, p, values(&gradients), s);
        (parameters, square)
    }

    fn adam_step(
        rule: Adam,
        rate: Rate,
        t: u64,
        parameters: FlexTensor,
        gradients: FlexTensor,
        mean: FlexTensor,
        square: FlexTensor,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let (mut parameters, gradients) = (parameters.to_contiguous(), gradients.to_contiguous());
        let (mut mean, mut square) = (mean.to_contiguous(), square.to_contiguous());
        let (p, m, s) = (
            values_mut(&mut parameters),
            values_mut(&mut mean),
            values_mut(&mut square),
        );
        kernel::adam(Isa::best(), rule, rate, t, p, values(&gradients), m, s);
        (parameters, mean, square)
    }

    fn orthogonal(matrix: FlexTensor, steps: usize) -> FlexTensor {
        let mut matrix = matrix.to_contiguous();
        let shape = dims(&matrix);
        orthogonalize(Isa::best(), shape, steps, values_mut(&mut matrix));
        matrix
    }
}

/// Stochastic gradient descent with momentum, see [`kernel::sgd`]; updates `velocity` and returns the new parameters.
pub fn sgd(rule: Sgd, rate: Rate, parameters: Tensor<1>, gradients: Tensor<1>, velocity: &mut Tensor<1>) -> Tensor<1> {
    if runs_on_kernels(&parameters) {
        let [p, g, v] = [parameters, gradients, take(velocity)].map(Tensor::into_dispatch);
        let (p, v) = <Dispatch as OptimizerBackend>::sgd_step(rule, rate, p, g, v);
        *velocity = Tensor::from_dispatch(v);
        return Tensor::from_dispatch(p);
    }
    let descent = (gradients + parameters.clone() * rate.weight_decay) * rate.learning_rate;
    *velocity = take(velocity) * rule.momentum - descent.clone();
    match rule.nesterov {
        true => parameters + velocity.clone() * rule.momentum - descent,
        false => parameters + velocity.clone(),
    }
}

/// RMSprop, see [`kernel::rms_prop`]; updates `square` and returns the new parameters.
pub fn rms_prop(
    rule: RmsProp,
    rate: Rate,
    parameters: Tensor<1>,
    gradients: Tensor<1>,
    square: &mut Tensor<1>,
) -> Tensor<1> {
    if runs_on_kernels(&parameters) {
        let [p, g, s] = [parameters, gradients, take(square)].map(Tensor::into_dispatch);
        let (p, s) = <Dispatch as OptimizerBackend>::rms_prop_step(rule, rate, p, g, s);
        *square = Tensor::from_dispatch(s);
        return Tensor::from_dispatch(p);
    }
    let gradients = gradients + parameters.clone() * rate.weight_decay;
    *square = take(square) * rule.rho + gradients.clone() * gradients.clone() * (1.0 - rule.rho);
    parameters - gradients * rate.learning_rate / (square.clone() + rule.epsilon).sqrt()
}

/// Adam or AdamW at step `t`, which starts at 1, see [`kernel::adam`]; updates `mean` and `square` and returns the new
/// parameters.
pub fn adam(
    rule: Adam,
    rate: Rate,
    t: u64,
    parameters: Tensor<1>,
    gradients: Tensor<1>,
    mean: &mut Tensor<1>,
    square: &mut Tensor<1>,
) -> Tensor<1> {
    if runs_on_kernels(&parameters) {
        let [p, g, m, s] = [parameters, gradients, take(mean), take(square)].map(Tensor::into_dispatch);
        let (p, m, s) = <Dispatch as OptimizerBackend>::adam_step(rule, rate, t, p, g, m, s);
        (*mean, *square) = (Tensor::from_dispatch(m), Tensor::from_dispatch(s));
        return Tensor::from_dispatch(p);
    }
    let (parameters, gradients) = match rule.decoupled {
        true => (parameters * (1.0 - rate.learning_rate * rate.weight_decay), gradients),
        false => (parameters.clone(), gradients + parameters * rate.weight_decay),
    };
    *mean = take(mean) * rule.beta1 + gradients.clone() * (1.0 - rule.beta1);
    *square = take(square) * rule.beta2 + gradients.clone() * gradients * (1.0 - rule.beta2);
    let correction = |beta: f64| 1.0 - beta.powi(t as i32);
    let step = rate.learning_rate * correction(rule.beta2).sqrt() / correction(rule.beta1);
    parameters - mean.clone() * step / (square.clone().sqrt() + rule.epsilon)
}

/// Muon (Jordan 2024): momentum, whose steps are made orthogonal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Muon {
    /// Share of the running average of gradients that is kept.
    pub momentum: f64,
    /// Whether to look ahead by Nesterov's momentum.
    pub nesterov: bool,
    /// Newton-Schulz steps, see [`orthogonalize`].
    pub steps: usize,
    /// Whether the length of the parameters means nothing, as before a batch norm: they are then brought to that of as
    /// many unit rows, so that the learning rate is an angle, and weight decay has no part.
    pub rescale: bool,
}

/// One step on a matrix of `shape`, flattened, as in `torch.optim.Muon`; updates `average` and returns the new
/// parameters.
pub fn muon(
    rule: Muon,
    rate: Rate,
    shape: [usize; 2],
    parameters: Tensor<1>,
    gradients: Tensor<1>,
    average: &mut Tensor<1>,
) -> Tensor<1> {
    *average = take(average) * rule.momentum + gradients.clone() * (1.0 - rule.momentum);
    let direction = match rule.nesterov {
        true => gradients * (1.0 - rule.momentum) + average.clone() * rule.momentum,
        false => average.clone(),
    };
    let step = orthogonal(direction.reshape(shape), rule.steps);
    let kept = match rule.rescale {
        true => {
            let square = |&value: &f32| f64::from(value).powi(2);
            let norm = to_vec(parameters.clone()).iter().map(square).sum::<f64>().sqrt();
            (shape[0] as f64).sqrt() / norm.max(1e-12)
        }
        false => 1.0 - rate.learning_rate * rate.weight_decay,
    };
    let longer = (shape[0] as f64 / shape[1] as f64).max(1.0).sqrt();
    parameters * kept - step.reshape([shape[0] * shape[1]]) * (rate.learning_rate * longer)
}

/// The matrix with the same singular vectors and singular values near 1, see [`orthogonalize`].
fn orthogonal(matrix: Tensor<2>, steps: usize) -> Tensor<2> {
    if runs_on_kernels(&matrix) {
        return Tensor::from_dispatch(<Dispatch as OptimizerBackend>::orthogonal(
            matrix.into_dispatch(),
            steps,
        ));
    }
    // Elsewhere it is brought to the CPU and back: a few matrices a step.
    let (device, shape) = (matrix.device(), matrix.dims());
    let mut values = to_vec(matrix);
    orthogonalize(Isa::best(), shape, steps, &mut values);
    Tensor::from_data(TensorData::new(values, shape), &device)
}

/// Moves the tensor out and leaves an empty one: a second owner would prevent the in-place update.
fn take(tensor: &mut Tensor<1>) -> Tensor<1> {
    let empty = Tensor::empty([0], &tensor.device());
    std::mem::replace(tensor, empty)
}
