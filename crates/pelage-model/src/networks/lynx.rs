//! `lynx`, a network to train from scratch on a CPU: most of its time goes to 3x3 convolutions, which Winograd's
//! filtering makes cheap, and in half of them pooling comes before batch norm, as in airbench (Jordan 2024), so that the
//! fused block serves and batch norm sees a quarter of the values.
//!
//! | stage | map, of 160 px | channels | layers |
//! | --- | --- | --- | --- |
//! | 1 | 80 | 32 | block |
//! | 2 | 40 | 64 | block |
//! | 3 | 20 | 128 | block, residual pair |
//! | 4 | 10 | 256 | block, residual pair |
//! | 5 | 5 | 384 | block, residual pair |
//! | head | 1 | classes | global average pooling, dense |
//!
//! *Block*: 3x3 convolution, 2x2 max pooling, batch norm, ReLU. *Residual pair*: two 3x3 convolutions with batch norm,
//! around which the input goes, as in ResNet's basic block (He et al. 2016). Images may have any size from 32 pixels.

use super::graph::{Convolution, Graph, Pool, Value};
use crate::ops::Activation;

/// Channels of each stage, and its residual pairs.
const STAGES: [(usize, usize); 5] = [(32, 0), (64, 0), (128, 1), (256, 1), (384, 1)];
/// Of every batch norm.
const EPSILON: f64 = 1e-5;

/// The network.
pub fn graph(classes: usize) -> Graph {
    let (mut g, mut x) = Graph::new();
    for (stage, (channels, pairs)) in (1..).zip(STAGES) {
        x = g.convolution(format!("conv{stage}"), x, Convolution::new(3, channels).without_bias());
        x = g.max_pool(format!("pool{stage}"), x, Pool::new(2, 2));
        x = g.norm(format!("norm{stage}"), x, EPSILON, Activation::Relu);
        for pair in 1..=pairs {
            x = residual(&mut g, &format!("stage{stage}.{pair}"), x, channels);
        }
    }
    g.end_features(x);
    x = g.average_pool("average", x, 1);
    g.dense("dense", x, classes, Activation::None);
    g
}

/// Two convolutions, and their input added to the result.
fn residual(g: &mut Graph, name: &str, x: Value, channels: usize) -> Value {
    let convolution = Convolution::new(3, channels).norm(EPSILON).activation(Activation::Relu);
    let y = g.convolution(format!("{name}.conv1"), x, convolution.clone());
    g.residual(format!("{name}.conv2"), y, x, convolution)
}
