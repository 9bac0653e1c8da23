//! ResNet: He, Zhang, Ren and Sun 2016, *Deep Residual Learning for Image Recognition*, table 1; the stride of a
//! bottleneck is in its 3x3 convolution, as in torchvision ("v1.5", Goyal et al. 2017, section 5.1).

use super::graph::{Convolution, Graph, Padding, Pool, Value};
use crate::options::Activation::{None, Relu};

/// Blocks per stage, and whether they are bottlenecks.
#[derive(Clone, Copy, Debug)]
pub struct Variant {
    blocks: [usize; 4],
    bottleneck: bool,
}

/// 18 layers with weights.
pub const RESNET18: Variant = Variant {
    blocks: [2, 2, 2, 2],
    bottleneck: false,
};
/// 34 layers with weights.
pub const RESNET34: Variant = Variant {
    blocks: [3, 4, 6, 3],
    bottleneck: false,
};
/// 50 layers with weights.
pub const RESNET50: Variant = Variant {
    blocks: [3, 4, 6, 3],
    bottleneck: true,
};

/// Inner widths of the stages.
const WIDTHS: [usize; 4] = [64, 128, 256, 512];
/// A bottleneck's output width over its inner width.
const EXPANSION: usize = 4;

/// The network; layers have torchvision's names (`layer2.0.conv1`).
pub fn graph(variant: Variant, classes: usize) -> Graph {
    let (mut g, x) = Graph::new();
    let x = g.convolution("conv1", x, convolution(7, 64).stride(2).activation(Relu));
    let mut x = g.max_pool(
        "maxpool",
        x,
        Pool {
            padding: Padding::Each(1),
            ..Pool::new(3, 2)
        },
    );
    for (stage, (count, width)) in (1..).zip(variant.blocks.into_iter().zip(WIDTHS)) {
        for i in 0..count {
            let stride = if stage > 1 && i == 0 { 2 } else { 1 };
            let name = format!("layer{stage}.{i}");
            x = match variant.bottleneck {
                true => bottleneck(&mut g, &name, x, width, stride),
                false => basic(&mut g, &name, x, width, stride),
            };
        }
    }
    g.end_features(x);
    let x = g.average_pool("avgpool", x, 1);
    g.dense("fc", x, classes, None);
    g
}

/// Two 3x3 convolutions and a shortcut (figure 5, left).
fn basic(g: &mut Graph, name: &str, x: Value, width: usize, stride: usize) -> Value {
    let shortcut = shortcut(g, name, x, width, stride);
    let y = g.convolution(
        format!("{name}.conv1"),
        x,
        convolution(3, width).stride(stride).activation(Relu),
    );
    g.residual(
        format!("{name}.conv2"),
        y,
        shortcut,
        convolution(3, width).activation(Relu),
    )
}

/// 1x1 reduction, 3x3, 1x1 expansion, and a shortcut (figure 5, right).
fn bottleneck(g: &mut Graph, name: &str, x: Value, width: usize, stride: usize) -> Value {
    let channels = width * EXPANSION;
    let shortcut = shortcut(g, name, x, channels, stride);
    let y = g.convolution(format!("{name}.conv1"), x, convolution(1, width).activation(Relu));
    let y = g.convolution(
        format!("{name}.conv2"),
        y,
        convolution(3, width).stride(stride).activation(Relu),
    );
    g.residual(
        format!("{name}.conv3"),
        y,
        shortcut,
        convolution(1, channels).activation(Relu),
    )
}

/// The input itself, or its projection if the shape changes (option B).
fn shortcut(g: &mut Graph, name: &str, x: Value, channels: usize, stride: usize) -> Value {
    if stride == 1 && g.channels(x) == channels {
        return x;
    }
    g.convolution(
        format!("{name}.downsample"),
        x,
        convolution(1, channels).stride(stride).padding(Padding::Each(0)),
    )
}

fn convolution(kernel: usize, channels: usize) -> Convolution {
    Convolution::new(kernel, channels).norm(1e-5)
}
