//! VGG: Simonyan and Zisserman 2015, *Very Deep Convolutional Networks for Large-Scale Image Recognition*, table 1.
//! Five stages of 3x3 convolutions with ReLU, each closed by a 2x2 max pooling, and three dense layers.

use super::graph::{Convolution, Graph, Padding, Pool};
use crate::options::Activation::{None, Relu};

/// Convolutions per stage of configuration D, 16 layers with weights.
pub const VGG16: [usize; 5] = [2, 2, 3, 3, 3];
/// Convolutions per stage of configuration E, 19 layers with weights.
pub const VGG19: [usize; 5] = [2, 2, 4, 4, 4];

/// Channels of the stages.
const CHANNELS: [usize; 5] = [64, 128, 256, 512, 512];

/// The network with this many convolutions in each stage.
///
/// As in torchvision, for image sizes other than 224, the last map is average-pooled to 7x7 before the dense layers.
/// The first of these is computed as a 7x7 convolution without padding, which is equivalent (section 3.2 of the paper).
pub fn graph(convolutions: [usize; 5], classes: usize) -> Graph {
    let (mut g, mut x) = Graph::new();
    for (stage, (count, channels)) in (1..).zip(convolutions.into_iter().zip(CHANNELS)) {
        for i in 1..=count {
            x = g.convolution(
                format!("conv{stage}_{i}"),
                x,
                Convolution::new(3, channels).activation(Relu),
            );
        }
        x = g.max_pool(format!("pool{stage}"), x, Pool::new(2, 2));
    }
    g.end_features(x);
    x = g.average_pool("average", x, 7);
    x = g.convolution(
        "fc6",
        x,
        Convolution::new(7, 4096).padding(Padding::Each(0)).activation(Relu),
    );
    x = g.dropout("dropout6", x, 0.5);
    x = g.dense("fc7", x, 4096, Relu);
    x = g.dropout("dropout7", x, 0.5);
    g.dense("fc8", x, classes, None);
    g
}
