//! MobileNetV3-Large: Howard et al. 2019, *Searching for MobileNetV3*, table 1.

use super::function::Function;
use super::graph::{Convolution, Graph};
use super::squeeze::squeeze_and_excite;
use crate::options::Activation::{self, HardSwish, None, Relu};

/// A row of the paper's table.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    /// Rows and columns of the depthwise kernel.
    pub kernel: usize,
    /// Channels within the block.
    pub expanded: usize,
    /// Channels of the output.
    pub channels: usize,
    /// Outputs of the first layer of squeeze and excitation: a quarter of the channels within, to the nearest multiple
    /// of 8 that takes no tenth away; 0 where there is none.
    pub squeezed: usize,
    /// The activation within the block.
    pub activation: Activation,
    /// Stride of the depthwise convolution.
    pub stride: usize,
}

const fn row(
    kernel: usize,
    expanded: usize,
    channels: usize,
    squeezed: usize,
    activation: Activation,
    stride: usize,
) -> Block {
    Block {
        kernel,
        expanded,
        channels,
        squeezed,
        activation,
        stride,
    }
}

/// The rows of the table.
pub const BLOCKS: [Block; 15] = [
    row(3, 16, 16, 0, Relu, 1),
    row(3, 64, 24, 0, Relu, 2),
    row(3, 72, 24, 0, Relu, 1),
    row(5, 72, 40, 24, Relu, 2),
    row(5, 120, 40, 32, Relu, 1),
    row(5, 120, 40, 32, Relu, 1),
    row(3, 240, 80, 0, HardSwish, 2),
    row(3, 200, 80, 0, HardSwish, 1),
    row(3, 184, 80, 0, HardSwish, 1),
    row(3, 184, 80, 0, HardSwish, 1),
    row(3, 480, 112, 120, HardSwish, 1),
    row(3, 672, 112, 168, HardSwish, 1),
    row(5, 672, 160, 168, HardSwish, 2),
    row(5, 960, 160, 240, HardSwish, 1),
    row(5, 960, 160, 240, HardSwish, 1),
];

/// The network at width 1.0; layers are named as in MobileNetV2, with `blocks.3.squeeze` and `blocks.3.excite` in some
/// blocks, and `hidden` before `classifier`.
pub fn graph(classes: usize) -> Graph {
    let convolution = |kernel, channels| Convolution::new(kernel, channels).norm(1e-3);
    let (mut g, x) = Graph::new();
    let mut x = g.convolution("stem", x, convolution(3, 16).stride(2).activation(HardSwish));
    for (i, block) in BLOCKS.iter().enumerate() {
        let (name, input) = (format!("blocks.{i}"), x);
        if block.expanded > g.channels(x) {
            let expand = convolution(1, block.expanded).activation(block.activation);
            x = g.convolution(format!("{name}.expand"), x, expand);
        }
        let depthwise = convolution(block.kernel, block.expanded).depthwise();
        let depthwise = depthwise.stride(block.stride).activation(block.activation);
        x = g.convolution(format!("{name}.depthwise"), x, depthwise);
        if block.squeezed > 0 {
            let gate = Function::HardSigmoid {
                slope: 1.0 / 6.0,
                shift: 0.5,
            };
            x = squeeze_and_excite(&mut g, &name, x, block.squeezed, Relu, gate);
        }
        let (name, project) = (format!("{name}.project"), convolution(1, block.channels));
        x = match block.stride == 1 && g.channels(input) == block.channels {
            true => g.residual(name, x, input, project),
            false => g.convolution(name, x, project),
        };
    }
    let x = g.convolution("top", x, convolution(1, 960).activation(HardSwish));
    g.end_features(x);
    let x = g.average_pool("pool", x, 1);
    let x = g.dense("hidden", x, 1280, HardSwish);
    let x = g.dropout("dropout", x, 0.2);
    g.dense("classifier", x, classes, None);
    g
}
