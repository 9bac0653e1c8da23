//! Parameter initialization.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::graph::{Graph, Node};
use crate::values::{Named, Values};

/// How convolutions are initialized, uniformly; dense layers follow Glorot, where nothing else is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Init {
    /// Glorot and Bengio 2010, eq. 16: limit sqrt(6 / (inputs + outputs)).
    Glorot,
    /// He et al. 2015, eq. 10, for networks with ReLU: limit sqrt(6 / inputs).
    He,
    /// As many filters as the input has channels begin as the identity, `torch.nn.init.dirac_` (Zagoruyko and
    /// Komodakis 2017), so that what is seen goes through all layers; the others are drawn with limit sqrt(1 / inputs).
    /// Dense layers have a tenth of Glorot's limit: through the identity their inputs are large, and so the first
    /// answers are undecided.
    Dirac,
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

/// Makes of `filter`, `receptive` numbers a channel, the one that shows this channel as it is.
fn identity(filter: &mut [f32], channel: usize, receptive: usize) {
    filter.fill(0.0);
    filter[channel * receptive + receptive / 2] = 1.0;
}

fn draw(graph: &Graph, nodes: &[Node], init: Init, seed: u64) -> Named {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut fill = |(name, shape): (String, Vec<usize>)| {
        let count = shape.iter().product();
        let data = match shape[..] {
            [_] if name.ends_with("norm.weight") || name.ends_with("running_var") => vec![1.0; count],
            [_] => vec![0.0; count],
            // A factor for each channel, as norms have it.
            [_, 1, 1, 1] if init != Init::Dirac => vec![1.0; count],
            _ => {
                let receptive: usize = shape[2..].iter().product();
                let (inputs, outputs) = (shape[1] * receptive, shape[0] * receptive);
                let (gain, fan) = match init {
                    Init::He if shape.len() == 4 => (6.0, inputs),
                    Init::Dirac if shape.len() == 4 => (1.0, inputs),
                    Init::Dirac => (0.06, inputs + outputs),
                    _ => (6.0, inputs + outputs),
                };
                let limit = (gain / fan as f32).sqrt();
                let mut drawn: Vec<f32> = (0..count).map(|_| random.random_range(-limit..limit)).collect();
                if init == Init::Dirac && shape.len() == 4 {
                    let filters = drawn.chunks_mut(inputs).zip(0..shape[1]);
                    filters.for_each(|(filter, channel)| identity(filter, channel, receptive));
                }
                drawn
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
