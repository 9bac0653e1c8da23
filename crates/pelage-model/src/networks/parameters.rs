//! A network's parameters by name, in plain memory.

use std::collections::BTreeMap;

use burn::Tensor;
use burn::module::{Module, ModuleVisitor, Param};

use super::network::Network;
pub use super::shapes::is_statistic;
use crate::tensors;
use crate::values::{Named, Values, to_vec};

/// Copies every tensor of `network`: parameters, and running statistics of batch norms.
pub fn read(network: &Network) -> Named {
    copied(&tensors(network))
}

/// Shapes and values, flattened, of tensors by name, where they are.
pub type Held = BTreeMap<String, (Vec<usize>, Tensor<1>)>;

/// Every tensor that [`read`] copies; without autodiff.
pub fn tensors(network: &Network) -> Held {
    let mut holder = Holder::default();
    network.visit(&mut holder);
    holder.found
}

/// Tensors in plain memory.
pub fn copied(held: &Held) -> Named {
    let one = |(name, (shape, values)): (&String, &(Vec<usize>, Tensor<1>))| {
        let (shape, data) = (shape.clone(), to_vec(values.clone()));
        (name.clone(), Values { shape, data })
    };
    held.iter().map(one).collect()
}

/// Loads `values` into `network`; frozen layers stay frozen.
///
/// # Errors
/// A message that names the first missing, surplus or misshapen tensor.
pub fn write(network: Network, values: Named) -> Result<Network, String> {
    let written = Network::assemble(network.graph().clone(), values, &network.device())?;
    Ok(written.with_frozen(|layer| network.is_frozen(layer)))
}

/// Name and shape of every parameter that learns: of layers that are not frozen, without running statistics.
pub fn learning(network: &Network) -> impl Iterator<Item = (String, Vec<usize>)> {
    let graph = network.graph();
    let nodes = graph.nodes().iter().filter(|node| !network.is_frozen(&node.name));
    let tensors = nodes.flat_map(|node| graph.tensors(node));
    tensors.filter(|(name, _)| !is_statistic(name))
}

/// Refuses `values` that are not exactly the tensors of `network`, or not finite.
///
/// # Errors
/// A message that names the first missing, surplus or misshapen tensor, or one that is not finite.
pub fn check(network: &Network, values: &Named) -> Result<(), String> {
    network.graph().check(values)?;
    tensors::check_finite(values)
}

/// The dotted name of the current parameter, for a `ModuleVisitor` or `ModuleMapper` of your own.
#[derive(Default)]
pub struct Path(Vec<String>);

impl Path {
    /// Enters the module `name`.
    pub fn enter(&mut self, name: &str) {
        self.0.push(name.to_string());
    }
    /// Leaves the current module.
    pub fn exit(&mut self) {
        self.0.pop();
    }
    /// The name as in model files.
    pub fn name(&self) -> String {
        // Burn adds a level for the variant of `Layer`; the layer's name is enough.
        let levels = self
            .0
            .iter()
            .filter(|name| !name.starts_with(|c: char| c.is_uppercase()));
        levels.cloned().collect::<Vec<_>>().join(".")
    }
}

#[derive(Default)]
struct Holder {
    path: Path,
    found: Held,
}

impl ModuleVisitor for Holder {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.enter(name);
    }
    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let (shape, values) = (param.val().dims().to_vec(), param.val().without_autodiff());
        let count = shape.iter().product::<usize>();
        self.found.insert(self.path.name(), (shape, values.reshape([count])));
    }
}
