//! Parameter initialization.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::graph::{Graph, Node};
use crate::values::{Named, Values};

/// How convolutions are initialized, uniformly; dense layers always follow Glorot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Init {
    /// Glorot and Bengio 2010, eq. 16: limit sqrt(6 / (inputs + outputs)).
    Glorot,
    /// He et al. 2015, eq. 10, for networks with ReLU: limit sqrt(6 / inputs).
    He,
}

/// Every tensor of `graph`, a function of `seed` alone: weights drawn in the order of the nodes, biases 0, batch norms
/// the identity.
pub(super) fn values(graph: &Graph, init: Init, seed: u64) -> Named {
    draw(graph, graph.nodes(), init, seed)
}

/// The same for the head alone.
pub(super) fn head(graph: &Graph, seed: u64) -> Named {
    draw(graph, &graph.nodes()[graph.features() + 1..], Init::Glorot, seed)
}

fn draw(graph: &Graph, nodes: &[Node], init: Init, seed: u64) -> Named {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut fill = |(name, shape): (String, Vec<usize>)| {
        let count = shape.iter().product();
        let data = match shape[..] {
            [_] if name.ends_with("norm.weight") || name.ends_with("running_var") => vec![1.0; count],
            [_] => vec![0.0; count],
            _ => {
                let receptive: usize = shape[2..].iter().product();
                let (inputs, outputs) = (shape[1] * receptive, shape[0] * receptive);
                let fan = match init {
                    Init::He if shape.len() == 4 => inputs,
                    Init::Glorot | Init::He => inputs + outputs,
                };
                let limit = (6.0 / fan as f32).sqrt();
                (0..count).map(|_| random.random_range(-limit..limit)).collect()
            }
        };
        (name, Values { shape, data })
    };
    nodes
        .iter()
        .flat_map(|node| graph.tensors(node))
        .map(&mut fill)
        .collect()
}
