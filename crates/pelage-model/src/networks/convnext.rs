//! ConvNeXt-Tiny: Liu et al. 2022, *A ConvNet for the 2020s*, section 3 and figure 4.

use super::graph::{Convolution, Graph, Padding, Value};
use super::scaled::{norm, scaled_residual};
use crate::options::Activation::{Gelu, None};

/// Blocks and channels of each stage.
pub const STAGES: [(usize, usize); 4] = [(3, 96), (3, 192), (9, 384), (3, 768)];

const EPSILON: f32 = 1e-6;

/// The network; layers are named `stem`, `stem.norm_scale`, `stages.2.reduce`, `stages.2.blocks.4.depthwise`,
/// `stages.2.blocks.4.norm_scale`, `.expand`, `.project`, `.scale`, `top.norm_scale` and `classifier`.
pub fn graph(classes: usize) -> Graph {
    let (mut g, x) = Graph::new();
    let patches = |size, channels| Convolution::new(size, channels).stride(size).padding(Padding::Each(0));
    let mut x = g.convolution("stem", x, patches(4, STAGES[0].1));
    x = norm(&mut g, "stem", x, EPSILON);
    for (s, (blocks, channels)) in STAGES.into_iter().enumerate() {
        if s > 0 {
            let name = format!("stages.{s}");
            x = norm(&mut g, &name, x, EPSILON);
            x = g.convolution(format!("{name}.reduce"), x, patches(2, channels));
        }
        for i in 0..blocks {
            x = block(&mut g, &format!("stages.{s}.blocks.{i}"), x, channels);
        }
    }
    g.end_features(x);
    let x = g.average_pool("pool", x, 1);
    let x = norm(&mut g, "top", x, EPSILON);
    g.dense("classifier", x, classes, None);
    g
}

fn block(g: &mut Graph, name: &str, input: Value, channels: usize) -> Value {
    let part = |part: &str| format!("{name}.{part}");
    let x = g.convolution(part("depthwise"), input, Convolution::new(7, channels).depthwise());
    let x = norm(g, name, x, EPSILON);
    let x = g.convolution(part("expand"), x, Convolution::new(1, 4 * channels).activation(Gelu));
    let x = g.convolution(part("project"), x, Convolution::new(1, channels));
    scaled_residual(g, name, x, input)
}
