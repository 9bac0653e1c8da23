//! A network's parameters by name, as plain memory: what is saved, loaded and counted.

use std::collections::BTreeMap;

use burn::Tensor;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::TensorData;

use super::Network;

/// A tensor in plain memory, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Values {
    /// Lengths of the axes.
    pub shape: Vec<usize>,
    /// The numbers.
    pub data: Vec<f32>,
}

/// Tensors by name (`conv1.weight`), in name order.
pub type Named = BTreeMap<String, Values>;

/// Copies every parameter of `network` out.
pub fn read(network: &Network) -> Named {
    let mut reader = Reader::default();
    network.visit(&mut reader);
    reader.found
}

/// Puts `values` into `network`.
///
/// # Errors
/// A message that names the first missing, surplus or misshapen tensor.
pub fn write(network: Network, values: Named) -> Result<Network, String> {
    let mut writer = Writer {
        values,
        path: Path::default(),
        problem: None,
    };
    let network = network.map(&mut writer);
    if let Some(problem) = writer.problem {
        return Err(problem);
    }
    match writer.values.keys().next() {
        Some(surplus) => Err(format!("has a tensor '{surplus}' that the architecture does not know")),
        None => Ok(network),
    }
}

/// The dotted name of the parameter under visit, without the enum's own level.
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
        // The first level is the variant of `Network`, which the architecture names already.
        let fields = self
            .0
            .iter()
            .filter(|name| name.starts_with(|c: char| c.is_lowercase()));
        fields.cloned().collect::<Vec<_>>().join(".")
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

struct Writer {
    values: Named,
    path: Path,
    problem: Option<String>,
}

impl ModuleMapper for Writer {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.enter(name);
    }
    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.path.name();
        let wanted = param.val().dims().to_vec();
        match self.values.remove(&name) {
            Some(values) if values.shape == wanted => param.map(|old| {
                let device = old.device();
                let new = Tensor::from_data(TensorData::new(values.data, values.shape), &device);
                if old.is_require_grad() { new.require_grad() } else { new }
            }),
            Some(values) => {
                let problem = format!("tensor '{name}' has shape {:?}, expected {wanted:?}", values.shape);
                self.problem.get_or_insert(problem);
                param
            }
            None => {
                self.problem.get_or_insert(format!("tensor '{name}' is missing"));
                param
            }
        }
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
