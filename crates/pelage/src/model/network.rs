//! A network that runs: a [`Graph`] and the layers that hold its parameters, as one Burn module.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use burn::Tensor;
use burn::module::{Devices, Module, ModuleMapper, ModuleVisitor};
use burn::tensor::Device;

use super::graph::{Graph, Node, Operation};
use super::layer::{ConvolutionLayer, DenseLayer, Layer};
use super::parameters::{self, Named};
use super::{Architecture, head::Head, init};
use crate::ops::Activation;

/// What a forward pass in training needs to draw its dropout masks: the same numbers give the same masks.
#[derive(Clone, Copy, Debug)]
pub struct DropoutSeed {
    /// The seed of the run.
    pub seed: u64,
    /// The step, counted over the whole run.
    pub step: u64,
}

/// A network of any architecture.
///
/// A clone shares the running statistics of its batch norms with the original, as Burn's own batch norm does.
#[derive(Clone, Debug)]
pub struct Network {
    pub(super) graph: Arc<Graph>,
    pub(super) layers: BTreeMap<String, Layer>,
    /// Names of the layers that stand still in training.
    frozen: BTreeSet<String>,
    /// Convolutions that are computed together with the max-pooling behind them.
    pub(super) blocks: Arc<BTreeSet<usize>>,
    /// Convolutions that are computed together, by the last of them.
    pub(super) chains: Arc<BTreeMap<usize, Vec<usize>>>,
}

impl Network {
    /// Freshly initialized, the weights a function of `seed` alone; for pictures of `size` `[h, w]`.
    pub fn new(architecture: Architecture, size: [usize; 2], classes: usize, seed: u64, device: &Device) -> Self {
        let graph = architecture.graph(size, classes);
        let values = init::values(&graph, architecture.init(), seed);
        Self::build(graph, values, device)
    }

    /// The network of `graph` with `values` for its parameters. A convolution of `graph` with batch norm may be there
    /// with the norm folded into it (see [`Network::folded`]).
    ///
    /// # Errors
    /// A message that names the first missing, surplus or misshapen tensor.
    pub fn assemble(graph: Graph, values: Named, device: &Device) -> Result<Self, String> {
        let graph = folded_as(graph, &values);
        let mut known = 0;
        for (name, wanted) in graph.nodes().iter().flat_map(|node| graph.tensors(node)) {
            match values.get(&name) {
                Some(values) if values.shape == wanted && values.data.len() == wanted.iter().product::<usize>() => {
                    known += 1
                }
                Some(values) => {
                    return Err(format!(
                        "tensor '{name}' has shape {:?}, expected {wanted:?}",
                        values.shape
                    ));
                }
                None => return Err(format!("tensor '{name}' is missing")),
            }
        }
        if known == values.len() {
            return Ok(Self::build(graph, values, device));
        }
        let known: Vec<_> = graph
            .nodes()
            .iter()
            .flat_map(|node| graph.tensors(node))
            .map(|(name, _)| name)
            .collect();
        let surplus = values
            .into_keys()
            .find(|name| !known.contains(name))
            .unwrap_or_default();
        Err(format!("has a tensor '{surplus}' that the architecture does not know"))
    }

    /// A head alone, freshly initialized, over feature maps of `[h, w, c]`.
    pub fn of_head(head: &Head, map: [usize; 3], classes: usize, seed: u64, device: &Device) -> Self {
        let graph = head.graph(map, classes);
        let values = init::head(&graph, seed);
        Self::build(graph, values, device)
    }

    /// `values` are those of `graph`, neither more nor less.
    pub(crate) fn build(graph: Graph, mut values: Named, device: &Device) -> Self {
        let mut layers = BTreeMap::new();
        for node in graph.nodes() {
            let layer = match node.operation {
                Operation::Convolution(_) => {
                    Layer::Convolution(ConvolutionLayer::take(&node.name, &mut values, device))
                }
                Operation::Dense { .. } => Layer::Dense(DenseLayer::take(&node.name, &mut values, device)),
                _ => continue,
            };
            layers.insert(node.name.clone(), layer);
        }
        let blocks = (0..graph.nodes.len()).filter(|&i| graph.is_block(i)).collect();
        let chains = (1..graph.nodes.len()).filter_map(|last| Some((last, graph.chain(last)?)));
        Network {
            chains: Arc::new(chains.collect()),
            graph: Arc::new(graph),
            layers,
            frozen: BTreeSet::new(),
            blocks: Arc::new(blocks),
        }
    }

    /// What the network computes, as data.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The same network without batch norms in the convolutions that `choose` names: they become part of the weights
    /// and of a bias (Jacob et al. 2018, section 3.2). Equal to the original within rounding, except in training.
    pub fn folded(&self, choose: impl Fn(&str) -> bool) -> Self {
        let has_norm = |node: &Node| matches!(&node.operation, Operation::Convolution(c) if c.norm.is_some());
        if !self.graph.nodes.iter().any(|node| has_norm(node) && choose(&node.name)) {
            return self.clone();
        }
        let mut values = parameters::read(self);
        let mut graph = (*self.graph).clone();
        for node in &mut graph.nodes {
            if let Operation::Convolution(convolution) = &mut node.operation
                && choose(&node.name)
                && let Some(epsilon) = convolution.norm.take()
            {
                super::fold::fold(&node.name, epsilon, &mut values);
            }
        }
        Self::build(graph, values, &self.device()).with_frozen(|layer| self.is_frozen(layer))
    }

    /// The same network, where every operation is computed by itself, so that its output is seen (see
    /// [`Network::forward_with`]). Slower; equal to the original within rounding.
    pub fn unfused(self) -> Self {
        Network {
            blocks: Arc::default(),
            chains: Arc::default(),
            ..self
        }
    }

    /// The same network without activations, unfused: what it does to small changes where every activation lets them pass.
    pub(crate) fn without_activations(&self) -> Self {
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

    /// The weights of a convolution, `[co, ci / groups, kh, kw]`.
    pub fn kernel(&self, layer: &str) -> Option<Tensor<4>> {
        match self.layers.get(layer) {
            Some(Layer::Convolution(convolution)) => Some(convolution.kernel()),
            _ => None,
        }
    }

    /// The same network where exactly the layers that `choose` names stand still in training: no gradients, and batch
    /// norms keep their running statistics and use them.
    pub fn with_frozen(self, choose: impl Fn(&str) -> bool) -> Self {
        let frozen = self.layers.keys().filter(|name| choose(name)).cloned().collect();
        let network = self.each(|name, layer| layer.set_require_grad(!choose(name)));
        Network { frozen, ..network }
    }

    /// Whether a layer stands still in training.
    pub fn is_frozen(&self, layer: &str) -> bool {
        self.frozen.contains(layer)
    }

    /// The same network with another, freshly initialized head for `classes`; `size` `[h, w]` is that of the pictures.
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

    /// Where the network lives.
    pub fn device(&self) -> Device {
        // Every network has a layer with parameters.
        self.devices().swap_remove(0)
    }
}

/// `graph` without the batch norms that `values` show folded: a bias stands there, and no norm.
fn folded_as(mut graph: Graph, values: &Named) -> Graph {
    for node in &mut graph.nodes {
        if let Operation::Convolution(convolution) = &mut node.operation {
            let has = |suffix: &str| values.contains_key(&format!("{}.{suffix}", node.name));
            if has("bias") && !has("norm.weight") {
                convolution.norm = None;
            }
        }
    }
    graph
}

/// By hand, because Burn derives it for fields, not for layers by name.
impl Module for Network {
    fn collect_devices(&self, devices: Devices) -> Devices {
        self.layers
            .values()
            .fold(devices, |devices, layer| layer.collect_devices(devices))
    }

    fn fork(self, device: &Device) -> Self {
        self.each(|_, layer| layer.fork(device))
    }

    fn to_device(self, device: &Device) -> Self {
        self.each(|_, layer| layer.to_device(device))
    }

    fn train(self) -> Self {
        self.each(|_, layer| layer.train())
    }

    fn valid(&self) -> Self {
        self.clone().each(|_, layer| layer.valid())
    }

    fn materialize(self) -> Self {
        self.each(|_, layer| layer.materialize())
    }

    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        for (name, layer) in &self.layers {
            visitor.enter_module(name, "Network");
            layer.visit(visitor);
            visitor.exit_module(name, "Network");
        }
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        self.each(|name, layer| {
            mapper.enter_module(name, "Network");
            let layer = layer.map(mapper);
            mapper.exit_module(name, "Network");
            layer
        })
    }
}

impl Network {
    fn each(self, mut change: impl FnMut(&str, Layer) -> Layer) -> Self {
        let mut changed = BTreeMap::new();
        for (name, layer) in self.layers {
            let mut layer = change(&name, layer);
            layer.forget_packed();
            changed.insert(name, layer);
        }
        Network {
            layers: changed,
            ..self
        }
    }
}
