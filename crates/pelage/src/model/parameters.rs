//! A network's parameters by name, as plain memory: what is saved, loaded and counted.

use std::collections::BTreeMap;

use burn::Tensor;
use burn::module::{Module, ModuleVisitor, Param};

use super::Network;

/// A tensor in plain memory, row-major.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Values {
    /// Lengths of the axes.
    pub shape: Vec<usize>,
    /// The numbers.
    pub data: Vec<f32>,
}

/// Tensors by name (`conv1.weight`), in name order.
pub type Named = BTreeMap<String, Values>;

/// Copies every tensor of `network` out: parameters, and running statistics of batch norms.
pub fn read(network: &Network) -> Named {
    let mut reader = Reader::default();
    network.visit(&mut reader);
    reader.found
}

/// Puts `values` into `network`; what was frozen stays frozen.
///
/// # Errors
/// A message that names the first missing, surplus or misshapen tensor.
pub fn write(network: Network, values: Named) -> Result<Network, String> {
    let written = Network::assemble(network.graph().clone(), values, &network.device())?;
    Ok(written.with_frozen(|layer| network.is_frozen(layer)))
}

/// Whether a tensor of this name is moved by batches, not by gradients, and no parameter.
pub fn is_statistic(name: &str) -> bool {
    name.ends_with(".running_mean") || name.ends_with(".running_var")
}

/// The dotted name of the parameter under visit.
#[derive(Default)]
pub(crate) struct Path(Vec<String>);

impl Path {
    pub(crate) fn enter(&mut self, name: &str) {
        self.0.push(name.to_string());
    }
    pub(crate) fn exit(&mut self) {
        self.0.pop();
    }
    pub(crate) fn name(&self) -> String {
        // Burn makes the variant of `Layer` a level of its own; the layer's name says enough.
        let levels = self
            .0
            .iter()
            .filter(|name| !name.starts_with(|c: char| c.is_uppercase()));
        levels.cloned().collect::<Vec<_>>().join(".")
    }
}

#[derive(Default)]
struct Reader {
    path: Path,
    found: Named,
}

impl ModuleVisitor for Reader {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.enter(name);
    }
    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let values = Values {
            shape: param.val().dims().to_vec(),
            data: to_vec(param.val()),
        };
        self.found.insert(self.path.name(), values);
    }
}

/// The numbers of an f32 tensor, row-major.
pub fn to_vec<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    let data = tensor.into_data();
    match data.try_into_vec::<f32>() {
        Ok(values) => values,
        // Every device that pelage offers computes in f32.
        Err(_) => unreachable!("a float tensor that is not f32"),
    }
}
