//! What a network looks at: heat maps over images, feature maps, filters, and the images that excite a channel most.
//!
//! All of it looks at the network itself: even a model that averages the features of an image and its mirror image is
//! explained by the image alone, except in [`occlusion`], which needs the probabilities of predictions.

pub mod deconvnet;
pub mod explained;
pub mod feature_maps;
pub mod filters;
pub mod folder;
pub mod grad_cam;
pub mod heat;
pub mod occlusion;
mod page;
pub mod receptive_field;
pub mod sheet;
pub mod strongest;

use burn::Tensor;
use burn::tensor::Device;
use image::{RgbImage, imageops};
use pelage_data::decode::{self, Limits};
use pelage_data::preprocess::{Fit, Preprocessing};
use pelage_model::input;
use pelage_model::networks::graph::{Convolution, Graph, Node, Operation};
use pelage_model::networks::{Mode, Network};
use pelage_model::ops::Activation;

use crate::{Error, Result};

/// An image to explain, in three forms: for people, and for a network.
pub struct Input {
    /// The part of it that the network sees, with the original aspect ratio, no side longer than [`LONGEST`].
    pub shown: RgbImage,
    /// As the network sees it, in pixels.
    pub seen: RgbImage,
    /// The network's input, `[1, h, w, 3]`.
    pub pixels: Tensor<4>,
}

/// The longest side of [`Input::shown`] in pixels.
pub const LONGEST: u32 = 480;

impl Input {
    /// Decodes an image from its bytes.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn decode(bytes: &[u8], preprocessing: &Preprocessing, device: &Device) -> std::result::Result<Self, String> {
        Self::decode_within(bytes, preprocessing, &Limits::default(), device)
    }

    /// The same with other limits than the default ones.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn decode_within(
        bytes: &[u8],
        preprocessing: &Preprocessing,
        limits: &Limits,
        device: &Device,
    ) -> std::result::Result<Self, String> {
        let image = decode::decode(bytes, limits)?;
        // Decoded twice, since the network may see an image decoded at reduced size.
        let resized = preprocessing.decode_within(bytes, limits)?;
        let values = input::normalized(&resized, preprocessing);
        Ok(Input {
            shown: shown(&image, preprocessing),
            // Exactly as many bytes as the input has values.
            seen: RgbImage::from_raw(preprocessing.width, preprocessing.height, resized).unwrap_or_default(),
            pixels: input::images(values, preprocessing, device),
        })
    }
}

fn shown(image: &RgbImage, preprocessing: &Preprocessing) -> RgbImage {
    let (width, height) = image.dimensions();
    let (w, h) = match preprocessing.fit {
        Fit::Squash => (width, height),
        Fit::Crop => {
            let (to_w, to_h) = (f64::from(preprocessing.width), f64::from(preprocessing.height));
            let scale = (f64::from(width) / to_w).min(f64::from(height) / to_h);
            let side = |to: f64, most: u32| ((to * scale).round() as u32).clamp(1, most);
            (side(to_w, width), side(to_h, height))
        }
    };
    let part = imageops::crop_imm(image, (width - w) / 2, (height - h) / 2, w, h).to_image();
    let longest = w.max(h);
    // Never enlarged: a browser can do that.
    if longest <= LONGEST {
        return part;
    }
    let side = |side: u32| (u64::from(side) * u64::from(LONGEST) / u64::from(longest)).max(1) as u32;
    imageops::resize(&part, side(w), side(h), imageops::FilterType::Triangle)
}

/// The nodes of `graph` whose outputs are maps to look at: convolutions, max poolings and concatenations up to the last
/// feature map, or up to where it becomes a row of tokens.
pub fn layers(graph: &Graph) -> Vec<usize> {
    let is_map = |i: &usize| {
        let operation = &graph.nodes()[*i].operation;
        matches!(
            operation,
            Operation::Convolution(_) | Operation::MaxPool(_) | Operation::Concatenate
        )
    };
    let end = tokens(graph).unwrap_or(graph.features() + 1);
    (1..end).filter(is_map).collect()
}

/// The node that makes a row of tokens of a map, in a transformer.
fn tokens(graph: &Graph) -> Option<usize> {
    let is_row = |node: &Node| matches!(node.operation, Operation::Tokens { .. });
    graph.nodes().iter().position(is_row)
}

/// Rows and columns of the patches that the tokens of node `layer` stand for, but for the first one, in a network for
/// images of `size` `[h, w]`; none where the node's output is a map.
pub(crate) fn patches(graph: &Graph, layer: usize, size: [usize; 2]) -> Option<[usize; 2]> {
    let sizes = graph.sizes(size);
    let [h, w] = sizes[graph.nodes()[tokens(graph)?].inputs[0]];
    (sizes[layer] == [1, 1 + h * w]).then_some([h, w])
}

/// The node of that name, which must be one of [`layers`]; without a name, that of the last feature map, or of the last
/// map of several pixels where a backbone pools itself.
///
/// # Errors
/// An unknown name; the message lists the known ones.
pub fn layer(graph: &Graph, name: Option<&str>) -> Result<usize> {
    let Some(name) = name else {
        return Ok(last_map(graph));
    };
    let known = layers(graph);
    let found = known.iter().copied().find(|&i| graph.nodes()[i].name == name);
    found.ok_or_else(|| {
        let names: Vec<_> = known.iter().map(|&i| graph.nodes()[i].name.as_str()).collect();
        Error::setting(
            "layer",
            format!("'{name}'"),
            format!("a layer with a map: {}", names.join(", ")),
        )
    })
}

/// The node of the last map of several pixels: that of the last feature map, or, of a backbone that takes means over
/// the map itself and goes on from these, what these are of; of a transformer that goes on from the first token alone,
/// what the others were when it read them last.
fn last_map(graph: &Graph) -> usize {
    let (nodes, mut at) = (graph.nodes(), graph.features());
    loop {
        at = match (&nodes[at].operation, nodes[at].inputs.first()) {
            (Operation::AveragePool { side: 1 }, Some(&input)) => return input,
            (Operation::First, _) => {
                let is_attention = |node: &Node| matches!(node.operation, Operation::Attention { .. });
                let mut read = nodes.iter().rposition(is_attention).unwrap_or(at);
                while !matches!(nodes[read].operation, Operation::LayerNorm { .. } | Operation::Input) {
                    read = nodes[read].inputs[0];
                }
                return nodes[read].inputs.first().copied().unwrap_or(read);
            }
            // Of a sum or a product both are of the same map.
            (
                Operation::Convolution(Convolution { kernel: 1, .. })
                | Operation::Function(_)
                | Operation::Add
                | Operation::Multiply
                | Operation::LayerNorm { .. },
                Some(&input),
            ) => input,
            _ => return graph.features(),
        }
    }
}

/// The output of node `layer` by which its channels and their peaks are ranked: before a ReLU6, after which many are
/// equal, namely 6.
pub fn unsaturated(network: &Network, pixels: Tensor<4>, layer: usize) -> Tensor<4> {
    let nodes = network.graph().nodes();
    let whole = network.clone().unfused();
    if !saturates(&nodes[layer]) {
        return whole.forward_to(pixels, layer, &mut |_, value| value);
    }
    let names: Vec<_> = nodes[layer].inputs.iter().map(|&i| nodes[i].name.as_str()).collect();
    let mut inputs: Vec<_> = vec![None; names.len()];
    whole.forward_to(pixels, layer, &mut |name, value: Tensor<4>| {
        let places = inputs.iter_mut().zip(&names).filter(|(_, known)| **known == name);
        places.for_each(|(place, _)| *place = Some(value.clone()));
        value
    });
    // All inputs precede the layer.
    let inputs = inputs.into_iter().flatten().collect();
    network.without_activations().node(layer, inputs, Mode::Infer)
}

/// Whether the largest outputs of a node are all the same.
pub(crate) fn saturates(node: &Node) -> bool {
    node.activation() == Activation::Relu6
}

/// The peak of a channel in one map `[h, w, c]`, as row and column, and its value; on ties the first.
pub(crate) fn peak(map: &[f32], width: usize, channels: usize, channel: usize) -> ([usize; 2], f32) {
    let numbers = map.iter().skip(channel).step_by(channels).enumerate();
    let (place, most) = numbers.fold(
        (0, f32::NEG_INFINITY),
        |best, (i, &value)| {
            if value > best.1 { (i, value) } else { best }
        },
    );
    ([place / width, place % width], most)
}
