//! Optimizers in Keras's formulation, with their state by parameter name so that a checkpoint can hold it.

use std::collections::BTreeMap;

use burn::Tensor;
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Gradients, TensorData};

use super::recipe::{OptimizerKind, Recipe};
use crate::model::Network;
use crate::model::parameters::{Named, Path, Values, to_vec};
use crate::ops::optimizer::{self, Adam, Rate, RmsProp, Sgd};

/// Keras's defaults.
const RMS_PROP: RmsProp = RmsProp {
    rho: 0.9,
    epsilon: 1e-7,
};
const ADAM: Adam = Adam {
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-7,
    decoupled: false,
};

/// The running averages of each parameter, flattened: `[momentum]` or `[first moment, second moment]`.
#[derive(Default)]
pub struct Optimizer {
    state: BTreeMap<String, Vec<Tensor<1>>>,
    steps: u64,
}

impl Optimizer {
    /// An optimizer that has seen nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves every parameter one step along its gradient.
    pub fn step(&mut self, recipe: &Recipe, learning_rate: f64, network: Network, gradients: Gradients) -> Network {
        self.steps += 1;
        let mut mapper = Step {
            optimizer: self,
            recipe,
            learning_rate,
            gradients,
            path: Path::default(),
        };
        network.map(&mut mapper)
    }

    /// The state as plain memory: `conv1.weight/0` and so on.
    pub fn read(&self) -> (Named, u64) {
        let mut named = Named::new();
        for (name, tensors) in &self.state {
            for (i, tensor) in tensors.iter().enumerate() {
                let data = to_vec(tensor.clone());
                named.insert(
                    format!("{name}/{i}"),
                    Values {
                        shape: vec![data.len()],
                        data,
                    },
                );
            }
        }
        (named, self.steps)
    }

    /// The optimizer that [`Self::read`] described.
    pub fn restore(named: Named, steps: u64, device: &burn::tensor::Device) -> Self {
        let mut state: BTreeMap<String, Vec<Tensor<1>>> = BTreeMap::new();
        // Names are in order, so the parts of one parameter come as 0, 1.
        for (name, values) in named {
            let parameter = name.rsplit_once('/').map_or(name.as_str(), |(parameter, _)| parameter);
            let tensor = Tensor::from_data(TensorData::new(values.data, values.shape), device);
            state.entry(parameter.to_string()).or_default().push(tensor);
        }
        Optimizer { state, steps }
    }

    /// The new value of one flattened parameter.
    fn update(
        &mut self,
        recipe: &Recipe,
        rate: Rate,
        name: String,
        value: Tensor<1>,
        gradient: Tensor<1>,
    ) -> Tensor<1> {
        let averages = if matches!(recipe.optimizer, OptimizerKind::Adam | OptimizerKind::AdamW) {
            2
        } else {
            1
        };
        let state = self.state.entry(name).or_default();
        // At the first step, or where another optimizer goes on.
        if state.len() != averages {
            *state = (0..averages).map(|_| Tensor::zeros_like(&gradient)).collect();
        }
        match (recipe.optimizer, state.as_mut_slice()) {
            (OptimizerKind::Sgd, [velocity, ..]) => {
                let rule = Sgd {
                    momentum: recipe.momentum,
                    nesterov: recipe.nesterov,
                };
                optimizer::sgd(rule, rate, value, gradient, velocity)
            }
            (OptimizerKind::RmsProp, [square, ..]) => optimizer::rms_prop(RMS_PROP, rate, value, gradient, square),
            (kind, [mean, square, ..]) => {
                let rule = Adam {
                    decoupled: kind == OptimizerKind::AdamW,
                    ..ADAM
                };
                optimizer::adam(rule, rate, self.steps, value, gradient, mean, square)
            }
            (_, _) => unreachable!("the averages were just counted"),
        }
    }
}

struct Step<'a> {
    optimizer: &'a mut Optimizer,
    recipe: &'a Recipe,
    learning_rate: f64,
    gradients: Gradients,
    path: Path,
}

impl Step<'_> {
    /// The share of the learning rate that a parameter moves with.
    fn share(&self, name: &str) -> f64 {
        match &self.recipe.transfer {
            Some(transfer) if !name.starts_with("head") => transfer.backbone_rate,
            _ => 1.0,
        }
    }
}

impl ModuleMapper for Step<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.enter(name);
    }
    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(gradient) = param.val().grad_remove(&mut self.gradients) else {
            return param;
        };
        let (id, value, mapper) = param.consume();
        let (shape, name) = (value.dims(), self.path.name());
        let count = shape.iter().product::<usize>();
        let updated = self.optimizer.update(
            self.recipe,
            Rate {
                learning_rate: self.learning_rate * self.share(&name),
                weight_decay: self.recipe.weight_decay,
            },
            name,
            value.inner().reshape([count]),
            gradient.reshape([count]),
        );
        Param::from_mapped_value(id, Tensor::from_inner(updated.reshape(shape)).require_grad(), mapper)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::parameters::read;
    use crate::model::{Architecture, Head};
    use crate::train::transfer::Transfer;

    #[test]
    fn a_backbone_moves_by_its_share_of_the_rate_and_the_head_by_all_of_it() {
        let device = burn::tensor::Device::flex().autodiff();
        let network = Network::new(Architecture::ResNet18, [32, 32], 2, 0, &device);
        let network = network.with_head(&Head::linear(), [32, 32], 2, 0);
        let before = read(&network);
        let moved = |backbone_rate| {
            let recipe = Recipe {
                optimizer: OptimizerKind::Sgd,
                momentum: 0.0,
                transfer: Some(Transfer {
                    backbone_rate,
                    ..Transfer::new(None)
                }),
                ..Recipe::default()
            };
            let pixels = Tensor::<4>::ones([2, 32, 32, 3], &device);
            let gradients = network.forward(pixels, None).powi_scalar(2).sum().backward();
            let after = read(&Optimizer::new().step(&recipe, 0.1, network.clone(), gradients));
            let distance = |name: &str| {
                let pairs = after[name].data.iter().zip(&before[name].data);
                pairs.map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt()
            };
            ["conv1.weight", "layer4.1.conv2.weight", "head.weight"].map(distance)
        };
        let (whole, part) = (moved(1.0), moved(0.25));
        for (i, share) in [0.25, 0.25, 1.0].into_iter().enumerate() {
            assert!(
                whole[i] > 0.0 && (part[i] / whole[i] - share).abs() < 1e-2,
                "{i}: {part:?} {whole:?}"
            );
        }
    }
}
