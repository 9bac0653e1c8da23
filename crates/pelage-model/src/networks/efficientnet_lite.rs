//! EfficientNet-Lite: Tan and Le 2019, *EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks*,
//! table 1, in the Lite form of Google's TPU repository (Liu 2020): no squeeze-and-excitation, ReLU6, stem and top not
//! scaled.

use super::graph::{Convolution, Graph, Padding};
use super::mobilenet_v2::{Stage, inverted_residuals};
use crate::options::Activation::{None, Relu6};

/// How a variant is scaled from the first one.
#[derive(Clone, Copy, Debug)]
pub struct Variant {
    width: f64,
    depth: f64,
    dropout: f32,
}

/// 224 pixels.
pub const LITE0: Variant = Variant {
    width: 1.0,
    depth: 1.0,
    dropout: 0.2,
};
/// 240 pixels.
pub const LITE1: Variant = Variant {
    width: 1.0,
    depth: 1.1,
    dropout: 0.2,
};
/// 260 pixels.
pub const LITE2: Variant = Variant {
    width: 1.1,
    depth: 1.2,
    dropout: 0.3,
};

/// Those of EfficientNet-B0.
pub(super) const STAGES: [Stage; 7] = [
    Stage::row(1, 16, 1, 1, 3),
    Stage::row(6, 24, 2, 2, 3),
    Stage::row(6, 40, 2, 2, 5),
    Stage::row(6, 80, 3, 2, 3),
    Stage::row(6, 112, 3, 1, 5),
    Stage::row(6, 192, 4, 2, 5),
    Stage::row(6, 320, 1, 1, 3),
];

impl Variant {
    /// The stages, scaled: widths to the nearest multiple of 8, but never down by more than a tenth; depths up, except
    /// in the first and last stage.
    pub(crate) fn stages(&self) -> [Stage; 7] {
        let scale = |i: usize, stage: Stage| {
            let wanted = stage.channels as f64 * self.width;
            let nearest = (wanted + 4.0) as usize / 8 * 8;
            let channels = if (nearest as f64) < 0.9 * wanted {
                nearest + 8
            } else {
                nearest
            };
            let deeper = (stage.blocks as f64 * self.depth).ceil() as usize;
            let blocks = if i == 0 || i == 6 { stage.blocks } else { deeper };
            Stage {
                channels,
                blocks,
                ..stage
            }
        };
        std::array::from_fn(|i| scale(i, STAGES[i]))
    }
}

/// The network; layers are named as in MobileNetV2, and TensorFlow's padding is kept.
pub fn graph(variant: Variant, classes: usize) -> Graph {
    let convolution = |kernel, channels| Convolution::new(kernel, channels).norm(1e-3).padding(Padding::Same);
    let (mut g, x) = Graph::new();
    let x = g.convolution("stem", x, convolution(3, 32).stride(2).activation(Relu6));
    let x = inverted_residuals(&mut g, x, &variant.stages(), convolution);
    let x = g.convolution("top", x, convolution(1, 1280).activation(Relu6));
    g.end_features(x);
    let x = g.average_pool("pool", x, 1);
    let x = g.dropout("dropout", x, variant.dropout);
    g.dense("classifier", x, classes, None);
    g
}
