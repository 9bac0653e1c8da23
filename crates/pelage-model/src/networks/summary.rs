//! A Keras-like table of a network: layers, output shapes, parameters and multiply-adds, taken from its description.

use serde::Serialize;

use super::Architecture;
use super::function::Function;
use super::graph::{Graph, Node, Operation};
use super::shapes::is_statistic;
use crate::options::Activation;

/// One layer of a network.
#[derive(Clone, Debug, Serialize, PartialEq)]
pub struct Layer {
    /// The layer's name; its parameters are named `name.weight`, `name.bias`.
    pub name: String,
    /// What it computes.
    pub kind: String,
    /// Output shape for one image, channels last.
    pub output_shape: Vec<usize>,
    /// Number of trainable values, without the running statistics of batch norms.
    pub parameters: u64,
    /// Multiply-adds of convolutions, dense layers and attention for one image; batch norms count as part of the
    /// convolution.
    pub multiply_adds: u64,
}

/// The layers of `architecture` for images of `[height, width]` pixels.
pub fn layers(architecture: Architecture, size: [usize; 2], classes: usize) -> Vec<Layer> {
    of(&architecture.graph(size, classes), size)
}

/// The layers of any network, see [`super::Network::graph`], for images of `[height, width]` pixels.
pub fn of(graph: &Graph, size: [usize; 2]) -> Vec<Layer> {
    let nodes = graph.nodes().iter().zip(graph.sizes(size)).skip(1);
    let mut layers: Vec<_> = nodes.map(|(node, size)| layer(graph, node, size)).collect();
    let classes = layers.last().map_or(Vec::new(), |last| last.output_shape.clone());
    let softmax = Layer {
        name: "softmax".into(),
        kind: "softmax".into(),
        output_shape: classes,
        parameters: 0,
        multiply_adds: 0,
    };
    layers.push(softmax);
    layers
}

fn layer(graph: &Graph, node: &Node, [h, w]: [usize; 2]) -> Layer {
    let tensors = graph.tensors(node);
    let count = |shape: &Vec<usize>| shape.iter().product::<usize>() as u64;
    let weights = tensors
        .iter()
        .find(|(name, _)| name.ends_with(".weight") && !name.ends_with(".norm.weight"));
    Layer {
        name: node.name.clone(),
        kind: kind(node),
        output_shape: if is_flat(graph, node) {
            vec![node.channels]
        } else {
            vec![h, w, node.channels]
        },
        parameters: tensors
            .iter()
            .filter(|(name, _)| !is_statistic(name))
            .map(|(_, shape)| count(shape))
            .sum(),
        multiply_adds: match node.operation {
            // Scores, and what they weigh.
            Operation::Attention { .. } => (2 * h * w * h * w * node.channels) as u64,
            Operation::Tokens { .. } => 0,
            _ => weights.map_or(0, |(_, shape)| count(shape) * (h * w) as u64),
        },
    }
}

/// Whether a node's output is a vector, not a map.
fn is_flat(graph: &Graph, node: &Node) -> bool {
    match node.operation {
        Operation::Flatten | Operation::First | Operation::Dense { .. } | Operation::AveragePool { side: 1 } => true,
        Operation::Dropout(_)
        | Operation::Function(_)
        | Operation::Add
        | Operation::Multiply
        | Operation::Channels { .. }
        | Operation::Shuffle { .. }
        | Operation::LayerNorm { .. } => is_flat(graph, &graph.nodes()[node.inputs[0]]),
        _ => false,
    }
}

fn kind(node: &Node) -> String {
    let followed = |what: String, activation: Activation| match activation {
        Activation::None => what,
        Activation::Relu => what + " + ReLU",
        Activation::Relu6 => what + " + ReLU6",
        Activation::Silu => what + " + SiLU",
        Activation::HardSwish => what + " + hard swish",
        Activation::Gelu => what + " + GELU",
    };
    match &node.operation {
        Operation::Input => "pixels".into(),
        Operation::Convolution(c) => {
            let depthwise = if c.groups > 1 && c.groups == c.channels {
                "depthwise "
            } else {
                ""
            };
            let mut what = format!("{depthwise}convolution {0}x{0}", c.kernel);
            if c.stride > 1 {
                what += &format!(" / {}", c.stride);
            }
            if c.norm.is_some() {
                what += " + batch norm";
            }
            if node.inputs.len() > 1 {
                what += " + shortcut";
            }
            followed(what, c.activation)
        }
        Operation::Norm(norm) => match norm.epsilon {
            Some(_) => followed("batch norm".into(), norm.activation),
            None => followed("batch norm, folded".into(), norm.activation),
        },
        Operation::MaxPool(pool) if pool.stride == pool.kernel => format!("max-pooling {0}x{0}", pool.kernel),
        Operation::MaxPool(pool) => format!("max-pooling {0}x{0} / {1}", pool.kernel, pool.stride),
        Operation::Concatenate => "concatenation".into(),
        Operation::AveragePool { side: 1 } => "global average pooling".into(),
        Operation::AveragePool { side } => format!("average pooling to {side}x{side}"),
        Operation::Flatten => "flatten".into(),
        Operation::Dense { activation } => followed("dense".into(), *activation),
        Operation::Dropout(rate) => format!("dropout {rate}"),
        Operation::MeanPool(pool) => format!("average pooling {0}x{0} / {1}", pool.kernel, pool.stride),
        Operation::Add => "sum".into(),
        Operation::Multiply => "product".into(),
        Operation::Function(Function::RELU) => "ReLU".into(),
        Operation::Function(function) => match function {
            Function::Clip { low, high } => format!("values of {low} to {high}"),
            Function::Erf => "error function".into(),
            Function::Gelu => "GELU".into(),
            Function::HardSigmoid { .. } => "hard sigmoid".into(),
            Function::HardSwish => "hard swish".into(),
            Function::Sigmoid => "sigmoid".into(),
            Function::Silu => "SiLU".into(),
        },
        Operation::Pad(_) => "padding".into(),
        Operation::Channels { count, .. } => format!("{count} of the channels"),
        Operation::Shuffle { groups } => format!("channel shuffle, {groups} groups"),
        Operation::LayerNorm { .. } => "layer norm".into(),
        Operation::Tokens { .. } => "tokens + positions".into(),
        Operation::Attention { heads } => format!("attention, {heads} heads"),
        Operation::First => "first token".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cnn3_has_the_published_counts() {
        let layers = layers(Architecture::Cnn3, [150, 150], 2);
        let with_weights: Vec<u64> = layers.iter().map(|l| l.parameters).filter(|&p| p > 0).collect();
        assert_eq!(with_weights, [896, 9_248, 18_496, 1_327_168, 130]);
        assert_eq!(with_weights.iter().sum::<u64>(), 1_355_938);
        assert_eq!(layers[0].multiply_adds, 27 * 32 * 150 * 150);
        assert_eq!(layers[5].output_shape, [18, 18, 64]);
        assert_eq!(layers[7].output_shape, [20_736]);
    }

    #[test]
    fn the_table_counts_what_the_network_holds() {
        let device = burn::tensor::Device::flex();
        for architecture in [
            Architecture::Cnn3,
            Architecture::Lynx,
            Architecture::ResNet18,
            Architecture::EfficientNetLite0,
        ] {
            let network = crate::networks::Network::new(architecture, [33, 40], 5, 0, &device);
            let held = crate::networks::parameters::read(&network);
            let held: usize = held
                .iter()
                .filter(|(name, _)| !is_statistic(name))
                .map(|(_, v)| v.data.len())
                .sum();
            let table: u64 = layers(architecture, [33, 40], 5).iter().map(|l| l.parameters).sum();
            assert_eq!(held as u64, table);
        }
    }
}
