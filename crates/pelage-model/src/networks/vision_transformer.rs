//! Vision transformer: Dosovitskiy et al. 2021, *An Image is Worth 16x16 Words*, figure 1, with the factors of Touvron
//! et al. 2021, as DINOv2 has it (Oquab et al. 2024, *DINOv2: Learning Robust Visual Features without Supervision*).

use super::graph::{Convolution, Graph, Operation, Padding, Value};
use super::scaled::{norm, scaled_residual};
use crate::options::Activation::{Gelu, None};

/// Rows and columns of a patch.
pub const PATCH: usize = 14;
/// Transformer blocks.
pub const BLOCKS: usize = 12;
const CHANNELS: usize = 384;
const HEADS: usize = 6;
/// Rows and columns of the learnt positions, those of images of 518 pixels.
const GRID: usize = 37;
const EPSILON: f32 = 1e-6;

/// ViT-S/14; layers are named `patches`, `tokens`, `blocks.3.attention.norm_scale`, `.qkv`, `.project`, `.scale`,
/// `blocks.3.mlp.norm_scale`, `.expand`, `.project`, `.scale`, `top.norm_scale` and `classifier`. Its last feature map
/// is the first token, which stands for the image.
pub fn graph(classes: usize) -> Graph {
    let (mut g, x) = Graph::new();
    let patches = Convolution::new(PATCH, CHANNELS)
        .stride(PATCH)
        .padding(Padding::Each(0));
    let x = g.convolution("patches", x, patches);
    let mut x = g.put("tokens", Operation::Tokens { grid: GRID }, &[x]);
    for i in 0..BLOCKS {
        x = attention(&mut g, &format!("blocks.{i}.attention"), x);
        x = perceptron(&mut g, &format!("blocks.{i}.mlp"), x);
    }
    let x = norm(&mut g, "top", x, EPSILON);
    let x = g.put("first", Operation::First, &[x]);
    g.end_features(x);
    let x = g.average_pool("pool", x, 1);
    g.dense("classifier", x, classes, None);
    g
}

fn attention(g: &mut Graph, name: &str, input: Value) -> Value {
    let part = |part: &str| format!("{name}.{part}");
    let x = norm(g, name, input, EPSILON);
    let x = g.convolution(part("qkv"), x, Convolution::new(1, 3 * CHANNELS));
    let x = g.put(part("heads"), Operation::Attention { heads: HEADS }, &[x]);
    let x = g.convolution(part("project"), x, Convolution::new(1, CHANNELS));
    scaled_residual(g, name, x, input)
}

fn perceptron(g: &mut Graph, name: &str, input: Value) -> Value {
    let part = |part: &str| format!("{name}.{part}");
    let x = norm(g, name, input, EPSILON);
    let x = g.convolution(part("expand"), x, Convolution::new(1, 4 * CHANNELS).activation(Gelu));
    let x = g.convolution(part("project"), x, Convolution::new(1, CHANNELS));
    scaled_residual(g, name, x, input)
}
