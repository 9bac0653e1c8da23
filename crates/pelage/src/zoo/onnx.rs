//! A network in an ONNX file, without its classifier, as a graph of ours.
//!
//! Of the operators there are those that classifiers of images are made of. Batch norms and arithmetic with constants
//! become part of the convolutions before them, dense layers are convolutions over all of their map.

mod arithmetic;
mod bound;
mod channels;
mod constant;
mod cut;
mod layers;
mod node;
mod nodes;
mod norms;
mod operators;
mod shapes;
mod translate;

use std::collections::HashSet;
use std::path::Path;

use pelage_model::networks::graph::Graph;
use pelage_model::values::Named;
use prost::Message;
use prost::bytes::Bytes;

use self::cut::Nodes;
use self::translate::{Images, Order, Translation};
use crate::export::messages::{self, F32};

/// The most bytes of a file, those of a Protocol Buffers message.
pub(super) const MOST_BYTES: u64 = i32::MAX as u64;
/// The oldest operators that are read: before, those of two inputs were others.
const OLDEST: i64 = 7;

/// The most nodes: those of the largest networks, each layer several of them.
const MOST_NODES: usize = 20_000;

/// What to make of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// Side in pixels of the images; `None`: that which the file says.
    pub image_size: Option<u32>,
    /// The node whose output are the features; `None`: what the classifier reads.
    pub output: Option<String>,
}

/// What was made of it.
#[derive(Clone, Debug)]
pub(super) struct Read {
    /// Up to the features.
    pub(super) graph: Graph,
    pub(super) values: Named,
    pub(super) image_size: u32,
    /// The value in the file that is the last feature map.
    pub(super) features: String,
    /// The node that was left out, if one was found to be the classifier.
    pub(super) classifier: Option<String>,
    /// What the file says of itself.
    pub(super) metadata: Vec<(String, String)>,
}

/// The network in the file `path`, whose bytes are `bytes`.
///
/// # Errors
/// Says what is wrong with the file, or names the first node that is not supported.
pub(super) fn read(path: &Path, bytes: Vec<u8>, reading: &Reading) -> Result<Read, String> {
    if bytes.len() as u64 > MOST_BYTES {
        return Err("is larger than 2 GB, more than an ONNX file can be".into());
    }
    bound::check(&bytes)?;
    // Weights stay slices of these bytes.
    let model = messages::Model::decode(Bytes::from(bytes))
        .map_err(|failure| format!("is no ONNX file, or damaged: {failure}"))?;
    let graph = model
        .graph
        .as_ref()
        .ok_or("is no ONNX file: there is no network in it")?;
    let operators = model
        .opset_import
        .iter()
        .find(|set| set.domain.is_empty() || set.domain == "ai.onnx");
    let version = operators.map_or(1, |set| set.version);
    if version < OLDEST {
        return Err(format!(
            "has operators of version {version}; those from {OLDEST} on are read, so export it with a newer version"
        ));
    }
    let (images, declared) = images(graph)?;
    let side = match (reading.image_size, declared) {
        (Some(side), _) => side,
        (None, Some([h, w])) if h == w => u32::try_from(h).unwrap_or_default(),
        (None, Some([h, w])) => {
            return Err(format!(
                "is for images of {w} x {h} pixels; say the side of square ones"
            ));
        }
        (None, None) => return Err("does not say for which size of images it is; say it".into()),
    };
    if !(1..=4096).contains(&side) {
        return Err(format!("is for images of {side} pixels; 1 to 4096 are supported"));
    }
    let nodes = Nodes::new(graph)?;
    let output = graph
        .output
        .first()
        .ok_or("is no ONNX file of a network: it gives nothing")?;
    let cut = match &reading.output {
        Some(node) => nodes.named(node)?,
        None => nodes.usual(&output.name, |weight| {
            let found = graph.initializer.iter().find(|tensor| tensor.name == weight)?;
            found.dims.first().copied()
        }),
    };
    let needed = nodes.needed(cut.value);
    if needed.len() > MOST_NODES {
        return Err(format!(
            "has {} nodes before its features; at most {MOST_NODES} are supported",
            needed.len()
        ));
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut translation = Translation::new(graph, folder, images, side as usize);
    let map = nodes::run(&mut translation, &needed, cut.value)?;
    let last = translation.layers.before_pooling(map.layer);
    if last == 0 {
        return Err(format!("has no layers before '{}'", cut.value.escape_debug()));
    }
    let (graph, values) = translation.layers.finish(last);
    let entry = |entry: &messages::Entry| (entry.key.clone(), entry.value.clone());
    Ok(Read {
        graph,
        values,
        image_size: side,
        features: cut.value.to_string(),
        classifier: cut.classifier,
        metadata: model.metadata_props.iter().map(entry).collect(),
    })
}

/// The input that takes images, how their values lie, and rows and columns if the file says them.
fn images(graph: &messages::Graph) -> Result<(Images<'_>, Option<[i64; 2]>), String> {
    // Old files name weights among the inputs.
    let weights: HashSet<_> = graph.initializer.iter().map(|tensor| &tensor.name).collect();
    let inputs: Vec<_> = graph
        .input
        .iter()
        .filter(|input| !weights.contains(&input.name))
        .collect();
    let [input] = inputs[..] else {
        return Err(format!(
            "takes {} inputs; only networks of one are supported: images",
            inputs.len()
        ));
    };
    let tensor = input.kind.as_ref().and_then(|kind| kind.tensor.as_ref());
    let tensor = tensor.ok_or_else(|| format!("takes '{}', which is no tensor", input.name.escape_debug()))?;
    if tensor.element != F32 {
        return Err("takes numbers of another type than f32; export it for images of f32".into());
    }
    let axes = tensor.shape.as_ref().map_or(&[][..], |shape| &shape.axes);
    let lengths: Vec<_> = axes
        .iter()
        .map(|axis| axis.length.filter(|&length| length > 0))
        .collect();
    let (order, size) = match lengths[..] {
        [_, Some(3), h, w] => (Order::ChannelsFirst, h.zip(w)),
        [_, h, w, Some(3)] => (Order::ChannelsLast, h.zip(w)),
        // Most networks are like this.
        [_, None, h, w] => (Order::ChannelsFirst, h.zip(w)),
        _ => {
            let shown: Vec<_> = lengths
                .iter()
                .map(|length| length.map_or("?".into(), |n| n.to_string()))
                .collect();
            return Err(format!(
                "takes '{}' [{}]; only images of three channels are supported",
                input.name.escape_debug(),
                shown.join(", ")
            ));
        }
    };
    let images = Images {
        name: &input.name,
        order,
        batch: lengths[0],
    };
    Ok((images, size.map(|(h, w)| [h, w])))
}
