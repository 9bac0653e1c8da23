//! Variants of a network: norms folded, layers frozen, head replaced, fusion off.

use std::sync::Arc;

use burn::module::Module;

use super::graph::{Node, Operation};
use super::head::Head;
use super::layer::Batch;
use super::network::Network;
use super::{init, parameters};
use crate::ops::Gather;
use crate::options::Activation;

impl Network {
    /// The same network with the batch norms of the layers that `choose` names folded into the convolutions before
    /// them, as weights and a bias (Jacob et al. 2018, section 3.2). Equal to the original within rounding, except in
    /// training.
    pub fn folded(&self, choose: impl Fn(&str) -> bool) -> Self {
        let has_norm = |node: &Node| match &node.operation {
            Operation::Convolution(convolution) => convolution.norm.is_some(),
            Operation::Norm(norm) => norm.epsilon.is_some(),
            _ => false,
        };
        if !self.graph.nodes.iter().any(|node| has_norm(node) && choose(&node.name)) {
            return self.clone();
        }
        let mut values = parameters::read(self);
        let mut graph = (*self.graph).clone();
        graph.fold(&mut values, choose);
        Self::build(graph, values, &self.device()).with_frozen(|layer| self.is_frozen(layer))
    }

    /// The same network without fusion, so that every operation's output is visible (see [`Network::forward_with`]).
    /// Slower; equal to the original within rounding.
    pub fn unfused(self) -> Self {
        Network {
            blocks: Arc::default(),
            chains: Arc::default(),
            ..self
        }
    }

    /// The same network without activations and fusion: its response if every activation passed its input through.
    pub fn without_activations(&self) -> Self {
        let mut graph = (*self.graph).clone();
        for node in &mut graph.nodes {
            if let Some(activation) = node.activation_mut() {
                *activation = Activation::None;
            }
        }
        Network {
            graph: Arc::new(graph),
            ..self.clone().unfused()
        }
    }

    /// The same network whose batch norms take their statistics in training over the parts of a batch that several
    /// processes have.
    pub fn with_norms_over(self, all: Gather) -> Self {
        Network {
            batch: Batch(Some(all)),
            ..self
        }
    }

    /// The same network with exactly the layers that `choose` names frozen: no gradients, and batch norms use and keep
    /// their running statistics.
    pub fn with_frozen(self, choose: impl Fn(&str) -> bool) -> Self {
        let frozen = self.layers.keys().filter(|name| choose(name)).cloned().collect();
        let network = self.each(|name, layer| layer.set_require_grad(!choose(name)));
        Network { frozen, ..network }
    }

    /// The same network where batch norms go by their running statistics, and keep them, in training too; their scales
    /// and shifts learn all the same.
    pub fn with_fixed_norms(self, fixed_norms: bool) -> Self {
        Network { fixed_norms, ..self }
    }

    /// The same network with another, freshly initialized head for `classes`; `size` `[h, w]` is that of the images.
    pub fn with_head(&self, head: &Head, size: [usize; 2], classes: usize, seed: u64) -> Self {
        let mut graph = (*self.graph).clone();
        graph.behead();
        let keep: Vec<_> = graph
            .nodes()
            .iter()
            .flat_map(|node| graph.tensors(node))
            .map(|(name, _)| name)
            .collect();
        head.put_on(&mut graph, size, classes);
        let mut values = init::head(&graph, seed);
        let old = parameters::read(self)
            .into_iter()
            .filter(|(name, _)| keep.contains(name));
        values.extend(old);
        let network = Self::build(graph, values, &self.device());
        network.with_frozen(|layer| self.is_frozen(layer) && !layer.starts_with("head"))
    }
}

impl Node {
    /// The activation applied to the output, if the operation has one, to be changed.
    fn activation_mut(&mut self) -> Option<&mut Activation> {
        match &mut self.operation {
            Operation::Convolution(convolution) => Some(&mut convolution.activation),
            Operation::Norm(norm) => Some(&mut norm.activation),
            Operation::Dense { activation } => Some(activation),
            _ => None,
        }
    }
}
