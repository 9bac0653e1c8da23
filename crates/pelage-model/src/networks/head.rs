//! The classifier head on a backbone's last feature map.

use serde::{Deserialize, Serialize};

use super::graph::{Graph, Operation};
use crate::options::Activation;

/// A head other than the architecture's own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// How the feature map becomes a vector.
    pub pooling: Pooling,
    /// Widths of the hidden ReLU layers, each with the rate of the dropout after it; empty: a linear head.
    pub hidden: Vec<(usize, f32)>,
    /// Dropout before the last dense layer of a linear head.
    pub dropout: f32,
}

pelage_data::choices! {
    /// How a feature map becomes a vector.
    Pooling {
        /// The mean of each channel: global average pooling.
        Average = "average",
        /// All values, flattened.
        Flatten = "flatten",
    }
}

impl Head {
    /// The heads that have a name.
    pub const NAMES: [&str; 3] = ["linear", "mlp", "article"];

    /// The head called so, one of [`Head::NAMES`].
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "linear" => Some(Self::linear()),
            "mlp" => Some(Self::mlp()),
            "article" => Some(Self::article()),
            _ => None,
        }
    }

    /// Its name, if it has one; the pooling has a name of its own.
    pub fn name(&self) -> Option<&'static str> {
        let same = |other: Head| (&self.hidden, self.dropout) == (&other.hidden, other.dropout);
        Self::NAMES.into_iter().find(|name| Self::named(name).is_some_and(same))
    }

    /// One dense layer over the channel means.
    pub fn linear() -> Self {
        Head {
            pooling: Pooling::Average,
            hidden: Vec::new(),
            dropout: 0.0,
        }
    }

    /// A hidden layer of 256 with dropout 0.5 over the channel means.
    pub fn mlp() -> Self {
        Head {
            hidden: vec![(256, 0.5)],
            ..Self::linear()
        }
    }

    /// The tutorial's: dense 512, dropout 0.5, dense 256, dropout 0.2, over the flattened map.
    pub fn article() -> Self {
        Head {
            pooling: Pooling::Flatten,
            hidden: vec![(512, 0.5), (256, 0.2)],
            dropout: 0.0,
        }
    }

    /// The head as a network of its own, for feature maps of `[h, w, c]`.
    pub fn graph(&self, [h, w, channels]: [usize; 3], classes: usize) -> Graph {
        let (mut graph, _) = Graph::with_channels(channels);
        self.put_on(&mut graph, [h, w], classes);
        graph
    }

    /// Replaces the head of a graph for images of `size` `[h, w]`; layers are named `head.dense1` and so on, the last
    /// `head`.
    pub(super) fn put_on(&self, graph: &mut Graph, size: [usize; 2], classes: usize) {
        let features = graph.behead();
        let mut x = match self.pooling {
            Pooling::Average => graph.average_pool("head.pool", features, 1),
            Pooling::Flatten => {
                let map = graph.sizes(size)[features.0];
                graph.flatten("head.flatten", features, map)
            }
        };
        for (i, &(width, rate)) in self.hidden.iter().enumerate() {
            x = graph.dense(format!("head.dense{}", i + 1), x, width, Activation::Relu);
            x = graph.dropout(format!("head.dropout{}", i + 1), x, rate);
        }
        if self.dropout > 0.0 {
            x = graph.dropout("head.dropout", x, self.dropout);
        }
        graph.dense("head", x, classes, Activation::None);
    }
}

impl Graph {
    /// Whether images of any size fit: not where a map is flattened.
    pub fn takes_any_size(&self) -> bool {
        !self.nodes().iter().any(|node| node.operation == Operation::Flatten)
    }

    /// Whether the head begins with the channel means of the last feature map, which can be averaged with those of
    /// other views of an image.
    pub fn averages(&self) -> bool {
        let first = self.nodes().get(self.features() + 1);
        first.is_some_and(|node| node.operation == Operation::AveragePool { side: 1 })
    }
}
