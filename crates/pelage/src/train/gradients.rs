//! The gradients of a step, between the backward pass and the update: here they are summed, scaled and clipped.

use std::collections::BTreeMap;

use burn::Tensor;
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, TensorData};
use pelage_model::networks::Network;
use pelage_model::networks::parameters::Path;
use pelage_model::values::to_vec;

/// The gradient of each trained parameter, flattened, by the parameter's name.
#[derive(Clone, Debug, Default)]
pub struct Gradients(BTreeMap<String, Tensor<1>>);

impl Gradients {
    /// Takes the gradients of the parameters of `network` from the result of a backward pass.
    pub fn of(network: &Network, gradients: burn::tensor::Gradients) -> Self {
        let mut collect = Collect {
            path: Path::default(),
            gradients,
            found: BTreeMap::new(),
        };
        network.visit(&mut collect);
        Gradients(collect.found)
    }

    /// Removes and returns the gradient of the parameter `name`.
    pub fn take(&mut self, name: &str) -> Option<Tensor<1>> {
        self.0.remove(name)
    }

    /// Multiplies every value by `factor`.
    pub fn scale(&mut self, factor: f64) {
        for gradient in self.0.values_mut() {
            *gradient = gradient.clone() * factor;
        }
    }

    /// Adds `other`, of the same network, elementwise.
    pub fn add(&mut self, other: Gradients) {
        for (name, gradient) in other.0 {
            let sum = match self.0.remove(&name) {
                Some(sum) => sum + gradient,
                None => gradient,
            };
            self.0.insert(name, sum);
        }
    }

    /// All values one behind the other, by the order of names.
    pub fn flat(&self) -> Vec<f32> {
        self.0.values().flat_map(|gradient| to_vec(gradient.clone())).collect()
    }

    /// Takes its values from what [`Gradients::flat`] has given, and returns what is left behind them.
    pub fn set_flat<'a>(&mut self, mut flat: &'a [f32]) -> &'a [f32] {
        for gradient in self.0.values_mut() {
            let (own, rest) = flat.split_at(gradient.dims()[0]);
            *gradient = Tensor::from_data(TensorData::new(own.to_vec(), [own.len()]), &gradient.device());
            flat = rest;
        }
        flat
    }

    /// The Euclidean norm over all parameters together.
    pub fn norm(&self) -> f64 {
        let square = |gradient: &Tensor<1>| {
            let values = to_vec(gradient.clone());
            values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>()
        };
        self.0.values().map(square).sum::<f64>().sqrt()
    }

    /// Scales them down to a norm of at most `most` (Pascanu et al. 2013, algorithm 1).
    pub fn clip(&mut self, most: f64) {
        let device = self.0.values().next().map(Tensor::device);
        if device.is_some_and(|device| device.without_autodiff() != Device::flex()) {
            return self.clip_there(most);
        }
        let norm = self.norm();
        if norm > most {
            self.scale(most / norm);
        }
    }

    /// The same where they are, in f32: nothing is read.
    fn clip_there(&mut self, most: f64) {
        let squares = self
            .0
            .values()
            .map(|gradient| (gradient.clone() * gradient.clone()).sum());
        let norm = Tensor::cat(squares.collect(), 0).sum().sqrt();
        let factor = (norm.recip() * most).clamp_max(1.0);
        for gradient in self.0.values_mut() {
            *gradient = gradient.clone() * factor.clone();
        }
    }
}

struct Collect {
    path: Path,
    gradients: burn::tensor::Gradients,
    found: BTreeMap<String, Tensor<1>>,
}

impl ModuleVisitor for Collect {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.enter(name);
    }
    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = param.val().grad_remove(&mut self.gradients) {
            let count = gradient.dims().iter().product::<usize>();
            self.found.insert(self.path.name(), gradient.reshape([count]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gradients(values: &[(&str, &[f32])]) -> Gradients {
        let tensor = |values: &[f32]| Tensor::from_floats(values, &Device::flex());
        Gradients(
            values
                .iter()
                .map(|(name, values)| (name.to_string(), tensor(values)))
                .collect(),
        )
    }

    #[test]
    fn clipping_is_over_all_of_them_together_and_leaves_small_ones_alone() {
        let mut ours = gradients(&[("a", &[3.0, 0.0]), ("b", &[4.0])]);
        assert!((ours.norm() - 5.0).abs() < 1e-9);
        ours.clip(10.0);
        assert_eq!(to_vec(ours.0["b"].clone()), [4.0]);
        ours.clip(1.0);
        assert!((ours.norm() - 1.0).abs() < 1e-6);
        assert!((to_vec(ours.0["a"].clone())[0] - 0.6).abs() < 1e-6);
        // As on a GPU.
        let mut there = gradients(&[("a", &[3.0, 0.0]), ("b", &[4.0])]);
        there.clip_there(10.0);
        assert_eq!(to_vec(there.0["a"].clone()), [3.0, 0.0]);
        there.clip_there(1.0);
        assert!((there.norm() - 1.0).abs() < 1e-6);
        let mut none = gradients(&[("a", &[0.0])]);
        none.clip_there(1.0);
        assert_eq!(to_vec(none.0["a"].clone()), [0.0]);
    }

    #[test]
    fn one_buffer_holds_them_all_and_more() {
        let mut ours = gradients(&[("b", &[7.0]), ("a", &[1.0, 2.0])]);
        let mut flat = ours.flat();
        assert_eq!(flat, [1.0, 2.0, 7.0]);
        flat.iter_mut().for_each(|value| *value += 1.0);
        flat.push(0.5);
        assert_eq!(ours.set_flat(&flat), [0.5]);
        assert_eq!(ours.flat(), [2.0, 3.0, 8.0]);
        assert_eq!(to_vec(ours.take("b").unwrap()), [8.0]);
    }

    #[test]
    fn sums_go_by_name() {
        let mut ours = gradients(&[("a", &[1.0, 2.0])]);
        ours.scale(0.5);
        ours.add(gradients(&[("a", &[1.0, 1.0]), ("b", &[7.0])]));
        assert_eq!(to_vec(ours.take("a").unwrap()), [1.5, 2.0]);
        assert_eq!(to_vec(ours.take("b").unwrap()), [7.0]);
        assert!(ours.take("a").is_none());
    }
}
