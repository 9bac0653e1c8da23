//! Optimizers in Keras's formulation, with their state by parameter name so that a checkpoint can hold it.

use std::collections::BTreeMap;

use burn::Tensor;
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Gradients, TensorData};

use super::recipe::{OptimizerKind, Recipe};
use crate::model::Network;
use crate::model::parameters::{Named, Path, Values, to_vec};

/// Decay rates and the small number of Adam (Kingma and Ba 2015) and RMSprop, Keras's defaults.
const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const RHO: f64 = 0.9;
const EPSILON: f64 = 1e-7;

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
                named.insert(format!("{name}/{i}"), Values { shape: vec![data.len()], data });
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
    fn update(&mut self, recipe: &Recipe, rate: f64, name: String, mut value: Tensor<1>, mut gradient: Tensor<1>) -> Tensor<1> {
        let decay = recipe.weight_decay;
        if decay > 0.0 {
            if recipe.optimizer == OptimizerKind::AdamW {
                value = value.clone() - value * (rate * decay);
            } else {
                gradient = gradient + value.clone() * decay;
            }
        }
        let zeros = || Tensor::zeros_like(&gradient);
        let state = self.state.entry(name).or_insert_with(|| match recipe.optimizer {
            OptimizerKind::Sgd | OptimizerKind::RmsProp => vec![zeros()],
            OptimizerKind::Adam | OptimizerKind::AdamW => vec![zeros(), zeros()],
        });
        match recipe.optimizer {
            OptimizerKind::Sgd => {
                let descent = gradient * rate;
                let velocity = state[0].clone() * recipe.momentum - descent.clone();
                state[0] = velocity.clone();
                match recipe.nesterov {
                    true => value + velocity * recipe.momentum - descent,
                    false => value + velocity,
                }
            }
            OptimizerKind::RmsProp => {
                state[0] = state[0].clone() * RHO + gradient.clone() * gradient.clone() * (1.0 - RHO);
                value - gradient * rate / (state[0].clone() + EPSILON).sqrt()
            }
            OptimizerKind::Adam | OptimizerKind::AdamW => {
                let t = self.steps as i32;
                state[0] = state[0].clone() * BETA1 + gradient.clone() * (1.0 - BETA1);
                state[1] = state[1].clone() * BETA2 + gradient.clone() * gradient * (1.0 - BETA2);
                let rate = rate * (1.0 - BETA2.powi(t)).sqrt() / (1.0 - BETA1.powi(t));
                value - state[0].clone() * rate / (state[1].clone().sqrt() + EPSILON)
            }
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
            self.learning_rate,
            name,
            value.inner().reshape([count]),
            gradient.reshape([count]),
        );
        Param::from_mapped_value(id, Tensor::from_inner(updated.reshape(shape)).require_grad(), mapper)
    }
}
