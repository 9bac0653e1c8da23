//! `cnn3`, the tutorial's network: three times (3x3 'same' convolution, ReLU, 2x2 max pooling) with 32, 32 and 64
//! channels, dropout 0.25, dense 64 with ReLU, dropout 0.5, dense to the classes. 1,355,938 parameters for 150 x 150
//! pixels and two classes.

use super::graph::{Convolution, Graph, Pool};
use crate::options::Activation;

/// Channels after each block.
const CHANNELS: [usize; 3] = [32, 32, 64];
/// Width of the hidden dense layer.
const HIDDEN: usize = 64;

/// The network for images of `size` `[h, w]`.
pub fn graph(size: [usize; 2], classes: usize) -> Graph {
    let (mut g, mut x) = Graph::new();
    for (i, channels) in (1..).zip(CHANNELS) {
        x = g.convolution(
            format!("conv{i}"),
            x,
            Convolution::new(3, channels).activation(Activation::Relu),
        );
        x = g.max_pool(format!("pool{i}"), x, Pool::new(2, 2));
    }
    g.end_features(x);
    x = g.dropout("dropout1", x, 0.25);
    x = g.flatten("flatten", x, size.map(|side| side / 8));
    x = g.dense("dense1", x, HIDDEN, Activation::Relu);
    x = g.dropout("dropout2", x, 0.5);
    g.dense("dense2", x, classes, Activation::None);
    g
}
