//! The tensors of a network: their names and shapes.

use super::graph::{Graph, Node, Norm, Operation};
use crate::values::Named;

impl Graph {
    /// Name and shape of every tensor of `node`: parameters, and running statistics of a batch norm.
    pub fn tensors(&self, node: &Node) -> Vec<(String, Vec<usize>)> {
        let named = |name: &str, shape: &[usize]| (format!("{}.{name}", node.name), shape.to_vec());
        let inputs = || self.nodes()[node.inputs[0]].channels;
        match &node.operation {
            Operation::Convolution(c) => {
                let weight = named("weight", &[c.channels, inputs() / c.groups, c.kernel, c.kernel]);
                let others: &[&str] = match c.norm {
                    Some(_) => &["norm.weight", "norm.bias", "norm.running_mean", "norm.running_var"],
                    None if c.bias => &["bias"],
                    None => &[],
                };
                let others = others.iter().map(|name| named(name, &[c.channels]));
                std::iter::once(weight).chain(others).collect()
            }
            Operation::Norm(Norm { epsilon: Some(_), .. }) => ["bias", "running_mean", "running_var"]
                .map(|name| named(name, &[node.channels]))
                .to_vec(),
            Operation::Tokens { grid } => vec![
                named("weight", &[1 + grid * grid, node.channels]),
                named("bias", &[node.channels]),
            ],
            Operation::Dense { .. } => {
                vec![
                    named("weight", &[node.channels, inputs()]),
                    named("bias", &[node.channels]),
                ]
            }
            _ => Vec::new(),
        }
    }

    /// Refuses `values` that are not exactly the tensors of this network.
    ///
    /// # Errors
    /// A message that names the first missing, surplus or misshapen tensor.
    pub(crate) fn check(&self, values: &Named) -> Result<(), String> {
        let mut known = Vec::new();
        for (name, wanted) in self.nodes().iter().flat_map(|node| self.tensors(node)) {
            match values.get(&name) {
                Some(values) if values.shape == wanted && values.data.len() == wanted.iter().product::<usize>() => {}
                Some(values) => {
                    return Err(format!(
                        "tensor '{name}' has shape {:?}, expected {wanted:?}",
                        values.shape
                    ));
                }
                None => return Err(format!("tensor '{name}' is missing")),
            }
            known.push(name);
        }
        match values.keys().find(|name| !known.contains(name)) {
            Some(surplus) => Err(format!("has a tensor '{surplus}' that the architecture does not know")),
            None => Ok(()),
        }
    }
}

/// Whether the tensor of this name is a running statistic, updated by batches and not by gradients.
pub fn is_statistic(name: &str) -> bool {
    name.ends_with(".running_mean") || name.ends_with(".running_var")
}
