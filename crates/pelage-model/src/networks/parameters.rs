//! A network's parameters by name, as plain memory.

use burn::Tensor;
use burn::module::{Module, ModuleVisitor, Param};

use super::network::Network;
use crate::values::{Named, Values, to_vec};

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

/// The dotted name of the parameter under visit, for one's own `ModuleVisitor` or `ModuleMapper`.
#[derive(Default)]
pub struct Path(Vec<String>);

impl Path {
    /// Goes down into the module `name`.
    pub fn enter(&mut self, name: &str) {
        self.0.push(name.to_string());
    }
    /// Comes back up.
    pub fn exit(&mut self) {
        self.0.pop();
    }
    /// The name as model files have it.
    pub fn name(&self) -> String {
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
