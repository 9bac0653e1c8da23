//! Optimizers in Keras's formulation, with their state by parameter name for the checkpoint.

use std::collections::{BTreeMap, BTreeSet};

use burn::Tensor;
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, TensorData};
use pelage_model::networks::parameters::Path;
use pelage_model::networks::{Network, parameters};
use pelage_model::ops::optimizer::{self, Adam, Muon, Rate, RmsProp, Sgd};
use pelage_model::tensors;
use pelage_model::values::{Named, Values, to_vec};

use super::depth::distances;
use super::gradients::Gradients;
use super::recipe::{OptimizerKind, Recipe};

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

/// Newton-Schulz steps of `muon`.
const MUON_STEPS: usize = 3;

/// The running averages of each parameter, flattened: `[momentum]` or `[first moment, second moment]`.
#[derive(Default)]
pub struct Optimizer {
    state: BTreeMap<String, Vec<Tensor<1>>>,
    steps: u64,
}

impl Optimizer {
    /// A fresh optimizer.
    pub fn new() -> Self {
        Self::default()
    }

    /// Updates every parameter by one step along its gradient.
    pub fn step(&mut self, recipe: &Recipe, learning_rate: f64, network: Network, gradients: Gradients) -> Network {
        self.steps += 1;
        let normalized = match recipe.optimizer {
            OptimizerKind::Muon => network.graph().normalized(),
            _ => BTreeSet::new(),
        };
        let mut mapper = Step {
            optimizer: self,
            recipe,
            learning_rate,
            gradients,
            normalized,
            distances: match &recipe.transfer {
                Some(transfer) if transfer.layer_rate < 1.0 => distances(network.graph()),
                _ => BTreeMap::new(),
            },
            last: network
                .graph()
                .nodes()
                .last()
                .map_or_else(String::new, |node| node.name.clone()),
            path: Path::default(),
        };
        network.map(&mut mapper)
    }

    /// The state in plain memory: `conv1.weight/0` and so on.
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

    /// The optimizer with the state from [`Self::read`], of a training of `network` by `recipe`.
    ///
    /// # Errors
    /// A message that names the first missing, surplus or misshapen average, or one that is not finite.
    pub fn restore(
        mut named: Named,
        steps: u64,
        recipe: &Recipe,
        network: &Network,
        device: &Device,
    ) -> Result<Self, String> {
        tensors::check_finite(&named)?;
        let mut state: BTreeMap<String, Vec<Tensor<1>>> = BTreeMap::new();
        // Before its first step it has none.
        let learning = parameters::learning(network).filter(|_| steps > 0);
        for (parameter, shape) in learning {
            for i in 0..averages(recipe.optimizer) {
                let name = format!("{parameter}/{i}");
                let length = shape.iter().product::<usize>();
                let Values { shape, data } = named.remove(&name).ok_or_else(|| format!("'{name}' is missing"))?;
                if shape != [length] || data.len() != length {
                    return Err(format!("'{name}' has shape {shape:?}, expected [{length}]"));
                }
                let average = Tensor::from_data(TensorData::new(data, shape), device);
                state.entry(parameter.clone()).or_default().push(average);
            }
        }
        match named.into_keys().next() {
            None => Ok(Optimizer { state, steps }),
            Some(surplus) => Err(format!("'{surplus}' is of no parameter that learns")),
        }
    }

    /// The new value of a flattened parameter of `shape`; `rescale`: its length means nothing.
    fn update(
        &mut self,
        recipe: &Recipe,
        rate: Rate,
        name: String,
        shape: &[usize],
        rescale: bool,
        value: Tensor<1>,
        gradient: Tensor<1>,
    ) -> Tensor<1> {
        let state = self.state.entry(name).or_default();
        // At the first step.
        if state.is_empty() {
            let averages = 0..averages(recipe.optimizer);
            *state = averages.map(|_| Tensor::zeros_like(&gradient)).collect();
        }
        match (recipe.optimizer, state.as_mut_slice()) {
            (OptimizerKind::Muon, [average, ..]) if shape.len() == 4 => {
                let rule = Muon {
                    momentum: recipe.momentum,
                    nesterov: recipe.nesterov,
                    steps: MUON_STEPS,
                    rescale,
                };
                let matrix = [shape[0], shape[1..].iter().product()];
                optimizer::muon(rule, rate, matrix, value, gradient, average)
            }
            (OptimizerKind::Sgd | OptimizerKind::Muon, [velocity, ..]) => {
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
            (_, _) => unreachable!("as many averages as the optimizer has"),
        }
    }
}

/// How many running averages an optimizer has of each parameter.
fn averages(kind: OptimizerKind) -> usize {
    match kind {
        OptimizerKind::Adam | OptimizerKind::AdamW => 2,
        OptimizerKind::Sgd | OptimizerKind::RmsProp | OptimizerKind::Muon => 1,
    }
}

struct Step<'a> {
    optimizer: &'a mut Optimizer,
    recipe: &'a Recipe,
    learning_rate: f64,
    gradients: Gradients,
    /// The weights whose length means nothing.
    normalized: BTreeSet<String>,
    /// How far from the head each parameter is, where that matters.
    distances: BTreeMap<String, i32>,
    /// The last layer's name.
    last: String,
    path: Path,
}

/// The parameter group of `name`: its learning rate and weight decay. `last` is the name of the last layer, `distance`
/// how many blocks are between it and the head.
fn rate(recipe: &Recipe, name: &str, last: &str, distance: i32, learning_rate: f64) -> Rate {
    let of_last = name.strip_prefix(last).is_some_and(|rest| rest.starts_with('.'));
    let share = match &recipe.transfer {
        Some(transfer) if !name.starts_with("head") => transfer.backbone_rate * transfer.layer_rate.powi(distance),
        None if of_last => recipe.head_rate,
        _ => 1.0,
    };
    let parts = [".bias", "norm.weight", "norm_scale.weight", ".scale.weight"];
    let is_norm_or_bias = parts.iter().any(|part| name.ends_with(part));
    Rate {
        learning_rate: learning_rate * share,
        weight_decay: match recipe.decay_norms || !is_norm_or_bias {
            true => recipe.weight_decay,
            false => 0.0,
        },
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
        let name = self.path.name();
        let Some(gradient) = self.gradients.take(&name) else {
            return param;
        };
        let (id, value, mapper) = param.consume();
        let shape = value.dims();
        let count = shape.iter().product::<usize>();
        let rescale = self.normalized.contains(&name);
        let distance = self.distances.get(&name).copied().unwrap_or(0);
        let updated = self.optimizer.update(
            self.recipe,
            rate(self.recipe, &name, &self.last, distance, self.learning_rate),
            name,
            &shape,
            rescale,
            value.inner().reshape([count]),
            gradient,
        );
        Param::from_mapped_value(id, Tensor::from_inner(updated.reshape(shape)).require_grad(), mapper)
    }
}

#[cfg(test)]
mod tests {
    use pelage_model::networks::parameters::read;
    use pelage_model::networks::{Architecture, Head, Mode};

    use super::*;
    use crate::train::transfer::Transfer;

    #[test]
    fn the_backbone_has_its_share_of_the_rate_and_the_head_all_of_it() {
        let device = burn::tensor::Device::flex().autodiff();
        let network = Network::new(Architecture::ResNet18, [32, 32], 2, 0, &device);
        let network = network.with_head(&Head::linear(), [32, 32], 2, 0);
        let before = read(&network);
        let moved = |backbone_rate, layer_rate| {
            let recipe = Recipe {
                optimizer: OptimizerKind::Sgd,
                momentum: 0.0,
                transfer: Some(Transfer {
                    backbone_rate,
                    layer_rate,
                    ..Transfer::new(None)
                }),
                ..Recipe::default()
            };
            let pixels = Tensor::<4>::ones([2, 32, 32, 3], &device);
            let mode = Mode::Infer;
            let gradients = network.forward(pixels, mode).powi_scalar(2).sum().backward();
            let gradients = Gradients::of(&network, gradients);
            let after = read(&Optimizer::new().step(&recipe, 0.1, network.clone(), gradients));
            let distance = |name: &str| {
                let pairs = after[name].data.iter().zip(&before[name].data);
                pairs.map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt()
            };
            ["conv1.weight", "layer4.1.conv2.weight", "head.weight"].map(distance)
        };
        let whole = moved(1.0, 1.0);
        // Eight blocks lie after the first layer.
        let far = 0.5f64.powi(8);
        for (part, shares) in [
            (moved(0.25, 1.0), [0.25, 0.25, 1.0]),
            (moved(1.0, 0.5), [far, 1.0, 1.0]),
        ] {
            for (i, share) in shares.into_iter().enumerate() {
                let found = part[i] / whole[i];
                assert!(
                    whole[i] > 0.0 && (found / share - 1.0).abs() < 4e-2,
                    "{i}: {part:?} {whole:?}"
                );
            }
        }
    }

    #[test]
    fn norms_and_biases_decay_only_where_they_are_meant_to() {
        let decays = |decay_norms| {
            let recipe = Recipe {
                weight_decay: 0.5,
                decay_norms,
                ..Recipe::default()
            };
            ["conv1.weight", "conv1.norm.weight", "conv1.norm.bias", "head.bias"]
                .map(|name| rate(&recipe, name, "dense", 0, 0.1).weight_decay)
        };
        assert_eq!(decays(true), [0.5; 4]);
        assert_eq!(decays(false), [0.5, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn the_last_layer_has_its_share_of_the_rate() {
        let recipe = Recipe {
            head_rate: 0.1,
            ..Recipe::default()
        };
        let rates = ["dense2.weight", "dense2.bias", "dense20.weight", "conv1.weight"]
            .map(|name| rate(&recipe, name, "dense2", 0, 1.0).learning_rate);
        assert_eq!(rates, [0.1, 0.1, 1.0, 1.0]);
    }
}
