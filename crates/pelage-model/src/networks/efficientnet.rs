//! EfficientNet: Tan and Le 2019, *EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks*, table 1,
//! and Tan and Le 2021, *EfficientNetV2: Smaller Models and Faster Training*, table 4.

use super::function::Function;
use super::graph::{Convolution, Graph, Operation, Value};
use super::mobilenet_v2::Stage;
use super::squeeze::squeeze_and_excite;
use crate::options::Activation::{None, Silu};

/// One of the family.
#[derive(Clone, Copy, Debug)]
pub struct Variant {
    stem: usize,
    stages: &'static [Stage],
    /// So many stages at the beginning have one convolution in the place of expansion and depthwise convolution, and no
    /// squeeze and excitation (Tan and Le 2021, figure 2).
    fused: usize,
    epsilon: f64,
}

/// 224 pixels.
pub const B0: Variant = Variant {
    stem: 32,
    stages: &super::efficientnet_lite::STAGES,
    fused: 0,
    epsilon: 1e-5,
};
/// The small one of the second version: 384 pixels, trained at 300.
pub const V2_S: Variant = Variant {
    stem: 24,
    stages: &[
        Stage::row(1, 24, 2, 1, 3),
        Stage::row(4, 48, 4, 2, 3),
        Stage::row(4, 64, 4, 2, 3),
        Stage::row(4, 128, 6, 2, 3),
        Stage::row(6, 160, 9, 1, 3),
        Stage::row(6, 256, 15, 2, 3),
    ],
    fused: 3,
    epsilon: 1e-3,
};

impl Variant {
    /// The rows of its table.
    pub(crate) fn stages(&self) -> &'static [Stage] {
        self.stages
    }

    /// Whether one convolution stands for two in the blocks of `stage`.
    pub(crate) fn is_fused(&self, stage: usize) -> bool {
        stage < self.fused
    }

    /// Each block's stage, and its place in it.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = (usize, usize)> {
        let stages = self.stages.iter().enumerate();
        stages.flat_map(|(stage, row)| (0..row.blocks).map(move |i| (stage, i)))
    }

    fn convolution(&self, kernel: usize, channels: usize) -> Convolution {
        Convolution::new(kernel, channels).norm(self.epsilon)
    }

    /// The output of block `name` of `stage` for `x`.
    fn block(&self, g: &mut Graph, name: &str, x: Value, stage: usize, stride: usize) -> Value {
        let (row, input) = (&self.stages[stage], x);
        let wide = g.channels(x) * row.expansion;
        let keeps_shape = stride == 1 && g.channels(input) == row.channels;
        let part = |part: &str| format!("{name}.{part}");
        let mut x = x;
        if self.is_fused(stage) {
            let fused = self.convolution(row.kernel, wide).stride(stride).activation(Silu);
            x = g.convolution(part("fused"), x, fused);
            if row.expansion == 1 {
                return match keeps_shape {
                    true => g.put(part("sum"), Operation::Add, &[x, input]),
                    false => x,
                };
            }
        } else {
            if row.expansion > 1 {
                x = g.convolution(part("expand"), x, self.convolution(1, wide).activation(Silu));
            }
            let depthwise = self.convolution(row.kernel, wide).depthwise();
            x = g.convolution(part("depthwise"), x, depthwise.stride(stride).activation(Silu));
            x = squeeze_and_excite(g, name, x, g.channels(input) / 4, Silu, Function::Sigmoid);
        }
        let project = self.convolution(1, row.channels);
        match keeps_shape {
            true => g.residual(part("project"), x, input, project),
            false => g.convolution(part("project"), x, project),
        }
    }
}

/// The network; layers are named as in MobileNetV2, with `blocks.3.squeeze` and `blocks.3.excite`, or with
/// `blocks.3.fused` in the place of `expand` and `depthwise`.
pub fn graph(variant: Variant, classes: usize) -> Graph {
    let (mut g, x) = Graph::new();
    let stem = variant.convolution(3, variant.stem).stride(2).activation(Silu);
    let mut x = g.convolution("stem", x, stem);
    for (number, (stage, i)) in variant.blocks().enumerate() {
        let stride = if i == 0 { variant.stages[stage].stride } else { 1 };
        x = variant.block(&mut g, &format!("blocks.{number}"), x, stage, stride);
    }
    let x = g.convolution("top", x, variant.convolution(1, 1280).activation(Silu));
    g.end_features(x);
    let x = g.average_pool("pool", x, 1);
    let x = g.dropout("dropout", x, 0.2);
    g.dense("classifier", x, classes, None);
    g
}
