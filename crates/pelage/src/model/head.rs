//! What stands on a backbone's last feature map and tells the classes.

use super::graph::Graph;
use crate::ops::Activation;

/// A head other than the one that came with the architecture.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// How the feature map becomes a row of numbers.
    pub pooling: Pooling,
    /// Widths of hidden layers with ReLU, each followed by a dropout of this rate; none: a linear head.
    pub hidden: Vec<(usize, f32)>,
    /// Dropout right before the last dense layer of a linear head.
    pub dropout: f32,
}

/// How the feature map becomes a row of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// The mean of each channel.
    Average,
    /// All numbers, one behind the other.
    Flatten,
}

impl Head {
    /// One dense layer over the channels' means.
    pub fn linear() -> Self {
        Head { pooling: Pooling::Average, hidden: Vec::new(), dropout: 0.0 }
    }

    /// Puts the head on a graph in the place of its own, for pictures of `size` `[h, w]`: `head.dense1` and so on, the
    /// last `head`.
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
