//! Helpers for several test files.
#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod formula;
pub(crate) mod naive_onnx;
pub(crate) mod wide;

use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor};
use pelage::model::networks::Network;
use pelage::model::values::to_vec;

/// The gradient of each parameter that has one, by name.
pub(crate) fn gradients(network: &Network, gradients: Gradients) -> BTreeMap<String, Vec<f32>> {
    let mut reader = Reader {
        path: Vec::new(),
        gradients,
        found: BTreeMap::new(),
    };
    network.visit(&mut reader);
    reader.found
}

struct Reader {
    path: Vec<String>,
    gradients: Gradients,
    found: BTreeMap<String, Vec<f32>>,
}

impl ModuleVisitor for Reader {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_string());
    }
    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = param.val().grad(&self.gradients) {
            let levels = self
                .path
                .iter()
                .filter(|name| !name.starts_with(|c: char| c.is_uppercase()));
            let name = levels.cloned().collect::<Vec<_>>().join(".");
            self.found.insert(name, to_vec(gradient));
        }
    }
}
