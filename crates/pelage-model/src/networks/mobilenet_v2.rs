//! MobileNetV2: Sandler et al. 2018, *MobileNetV2: Inverted Residuals and Linear Bottlenecks*, table 2.

use super::graph::{Convolution, Graph, Value};
use crate::options::Activation::{None, Relu6};

/// A row of the paper's table: inverted residual blocks with the same output width.
#[derive(Clone, Copy, Debug)]
pub struct Stage {
    /// Expansion factor: a block's inner width over its input width.
    pub expansion: usize,
    /// Channels of the output.
    pub channels: usize,
    /// Number of blocks.
    pub blocks: usize,
    /// Stride of the first block.
    pub stride: usize,
    /// Rows and columns of the depthwise kernel.
    pub kernel: usize,
}

impl Stage {
    /// A row of the table: t, c, n and s of the paper, and the kernel.
    pub(super) const fn row(expansion: usize, channels: usize, blocks: usize, stride: usize, kernel: usize) -> Self {
        Stage {
            expansion,
            channels,
            blocks,
            stride,
            kernel,
        }
    }
}

pub(crate) const STAGES: [Stage; 7] = [
    Stage::row(1, 16, 1, 1, 3),
    Stage::row(6, 24, 2, 2, 3),
    Stage::row(6, 32, 3, 2, 3),
    Stage::row(6, 64, 4, 2, 3),
    Stage::row(6, 96, 3, 1, 3),
    Stage::row(6, 160, 3, 2, 3),
    Stage::row(6, 320, 1, 1, 3),
];

/// The network at width 1.0; layers are named `stem`, `blocks.3.expand`, `blocks.3.depthwise`, `blocks.3.project`,
/// `top` and `classifier`.
pub fn graph(classes: usize) -> Graph {
    let convolution = |kernel, channels| Convolution::new(kernel, channels).norm(1e-5);
    let (mut g, x) = Graph::new();
    let x = g.convolution("stem", x, convolution(3, 32).stride(2).activation(Relu6));
    let x = inverted_residuals(&mut g, x, &STAGES, convolution);
    let x = g.convolution("top", x, convolution(1, 1280).activation(Relu6));
    g.end_features(x);
    let x = g.average_pool("pool", x, 1);
    let x = g.dropout("dropout", x, 0.2);
    g.dense("classifier", x, classes, None);
    g
}

/// Inverted residual blocks (figure 3b): 1x1 expansion, depthwise, 1x1 projection without activation, and a shortcut
/// if the shape is preserved. `convolution` makes one from kernel and width.
pub(super) fn inverted_residuals(
    g: &mut Graph,
    mut x: Value,
    stages: &[Stage],
    convolution: impl Fn(usize, usize) -> Convolution,
) -> Value {
    let blocks = stages
        .iter()
        .flat_map(|stage| (0..stage.blocks).map(move |i| (stage, if i == 0 { stage.stride } else { 1 })));
    for (i, (stage, stride)) in blocks.enumerate() {
        let (input, wide) = (x, g.channels(x) * stage.expansion);
        if stage.expansion > 1 {
            x = g.convolution(format!("blocks.{i}.expand"), x, convolution(1, wide).activation(Relu6));
        }
        let depthwise = convolution(stage.kernel, wide)
            .depthwise()
            .stride(stride)
            .activation(Relu6);
        x = g.convolution(format!("blocks.{i}.depthwise"), x, depthwise);
        let (name, project) = (format!("blocks.{i}.project"), convolution(1, stage.channels));
        x = match stride == 1 && g.channels(input) == stage.channels {
            true => g.residual(name, x, input, project),
            false => g.convolution(name, x, project),
        };
    }
    x
}
