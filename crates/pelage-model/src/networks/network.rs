//! An executable network: a [`Graph`] and the layers that hold its parameters, as one Burn module.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use burn::Tensor;
use burn::module::{Devices, Module, ModuleMapper, ModuleVisitor};
use burn::tensor::Device;

use super::graph::{Graph, Norm, Operation};
use super::layer::{Batch, BatchNorm, ConvolutionLayer, DenseLayer, Layer};
use super::tokens::TokensLayer;
use super::{Architecture, head::Head, init};
use crate::values::Named;

/// What a forward pass is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Inference: no dropout, and batch norms use their running statistics.
    Infer,
    /// Training: dropout, and batch norms that are not frozen use the batch's statistics and update their running ones.
    Train {
        /// The seed of the run; the same seed and step give the same dropout masks.
        seed: u64,
        /// The step, counted over the whole run.
        step: u64,
        /// The place of the first image, from 0, in a batch of which this may be a part.
        first: usize,
    },
}

impl Mode {
    /// Training on whole batches.
    pub fn train(seed: u64, step: u64) -> Self {
        Mode::Train { seed, step, first: 0 }
    }
}

/// A network of any architecture.
///
/// A clone shares the running statistics of its batch norms with the original, as Burn's own batch norm does.
#[derive(Clone, Debug)]
pub struct Network {
    pub(super) graph: Arc<Graph>,
    pub(super) layers: BTreeMap<String, Layer>,
    /// Names of the frozen layers.
    pub(super) frozen: BTreeSet<String>,
    /// Convolutions fused with their max pooling.
    pub(super) blocks: Arc<BTreeSet<usize>>,
    /// Chains of fused convolutions, by their last one.
    pub(super) chains: Arc<BTreeMap<usize, Vec<usize>>>,
    /// What batch norms take their statistics of.
    pub(super) batch: Batch,
    /// Whether batch norms go by their running statistics in training too.
    pub(super) fixed_norms: bool,
}

impl Network {
    /// Freshly initialized, the weights a function of `seed` alone; for images of `size` `[h, w]`.
    pub fn new(architecture: Architecture, size: [usize; 2], classes: usize, seed: u64, device: &Device) -> Self {
        let graph = architecture.graph(size, classes);
        let values = init::values(&graph, architecture.init(), seed);
        Self::build(graph, values, device)
    }

    /// The network of `graph` with `values` as its parameters. A convolution with batch norm may come with the norm
    /// folded into it (see [`Network::folded`]).
    ///
    /// # Errors
    /// A message that names the first missing, surplus or misshapen tensor.
    pub fn assemble(mut graph: Graph, values: Named, device: &Device) -> Result<Self, String> {
        graph.take_folded(&values);
        graph.check(&values)?;
        Ok(Self::build(graph, values, device))
    }

    /// [`Network::assemble`], with all batch norms folded as [`Network::folded`] does it, but before there is a network
    /// whose values had to be copied for that.
    ///
    /// # Errors
    /// As there.
    pub fn assemble_folded(mut graph: Graph, mut values: Named, device: &Device) -> Result<Self, String> {
        graph.take_folded(&values);
        graph.check(&values)?;
        graph.fold(&mut values, |_| true);
        Ok(Self::build(graph, values, device))
    }

    /// A head alone, freshly initialized, for feature maps of `[h, w, c]`.
    pub fn of_head(head: &Head, map: [usize; 3], classes: usize, seed: u64, device: &Device) -> Self {
        let graph = head.graph(map, classes);
        let values = init::head(&graph, seed);
        Self::build(graph, values, device)
    }

    /// `values` are exactly those of `graph`.
    pub(crate) fn build(graph: Graph, mut values: Named, device: &Device) -> Self {
        let mut layers = BTreeMap::new();
        for node in graph.nodes() {
            let layer = match node.operation {
                Operation::Convolution(_) => {
                    Layer::Convolution(ConvolutionLayer::take(&node.name, &mut values, device))
                }
                Operation::Norm(Norm { epsilon: Some(_), .. }) => {
                    Layer::Norm(BatchNorm::take(&node.name, &mut values, device))
                }
                Operation::Tokens { .. } => Layer::Tokens(TokensLayer::take(&node.name, &mut values, device)),
                Operation::Dense { .. } => Layer::Dense(DenseLayer::take(&node.name, &mut values, device)),
                _ => continue,
            };
            layers.insert(node.name.clone(), layer);
        }
        let blocks = (0..graph.nodes.len()).filter(|&i| graph.is_block(i)).collect();
        Network {
            chains: Arc::new(graph.chains()),
            graph: Arc::new(graph),
            layers,
            frozen: BTreeSet::new(),
            blocks: Arc::new(blocks),
            batch: Batch::default(),
            fixed_norms: false,
        }
    }

    /// What the network computes, as data.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The weights of a convolution, `[co, ci / groups, kh, kw]`.
    pub fn kernel(&self, layer: &str) -> Option<Tensor<4>> {
        match self.layers.get(layer) {
            Some(Layer::Convolution(convolution)) => Some(convolution.kernel()),
            _ => None,
        }
    }

    /// Whether a layer is frozen.
    pub fn is_frozen(&self, layer: &str) -> bool {
        self.frozen.contains(layer)
    }

    /// The device that holds the network.
    pub fn device(&self) -> Device {
        // Every network has a layer with parameters.
        self.devices().swap_remove(0)
    }
}

/// By hand, because Burn's derive supports fields, but not layers by name.
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
    /// Applies `change` to every layer and drops the packed weights, which are stale now.
    pub(super) fn each(self, mut change: impl FnMut(&str, Layer) -> Layer) -> Self {
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
