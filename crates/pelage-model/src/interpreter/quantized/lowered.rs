//! The tensors of a network in bytes: made of a trained one, and read back.
//!
//! Of a layer in bytes `name.weight` holds whole numbers from -127 to 127, `name.scale` what they are multiplied by,
//! one for each output channel, and `name.bias` the bias as it was. Other layers have their tensors as they were. A
//! tensor beside them has the ranges of the maps.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::super::Interpreter;
use super::super::map::Map;
use super::ranges::{Range, Seen};
use crate::networks::Function;
use crate::networks::graph::{Graph, Node, Operation};
use crate::options::Activation;
use crate::values::{Named, Values};

/// The tensor with the range `[low, high]` of each node's output.
const RANGES: &str = "ranges";

/// The largest whole number that a bias is, in steps of its sums; that of a channel whose weights are next to nothing
/// would be larger.
const LARGEST_BIAS: f32 = (1 << 26) as f32;

/// A network in bytes, taken apart.
pub(super) struct Parts {
    pub(super) graph: Graph,
    /// Of the layers that are not in bytes.
    pub(super) values: Named,
    /// Of those that are, by their nodes.
    pub(super) layers: BTreeMap<usize, Layer>,
    pub(super) ranges: Vec<Range>,
}

/// The parameters of a layer in bytes.
pub(super) struct Layer {
    pub(super) weights: Vec<i8>,
    pub(super) scales: Vec<f32>,
    pub(super) bias: Vec<f32>,
}

/// The tensors of the network of `graph` and `values` in bytes, for images of `size` `[h, w]`; the ranges of its maps
/// are learnt from `images`, normalized pixels `[h, w, 3]` of each.
///
/// # Errors
/// A message that names the first missing, surplus or misshapen tensor, or says that values are not finite, or that
/// there is no image.
pub fn lower(mut graph: Graph, mut values: Named, size: [usize; 2], images: &[Vec<f32>]) -> Result<Named, String> {
    graph.take_folded(&values);
    graph.check(&values)?;
    graph.fold(&mut values, |_| true);
    let graph = split(graph);
    let ranges = observe(&graph, &values, size, images)?;
    for (_, node) in graph
        .nodes()
        .iter()
        .enumerate()
        .filter(|(i, _)| is_of_bytes(&graph, *i))
    {
        let bias = values.get(&format!("{}.bias", node.name)).map(|bias| bias.data.clone());
        let Some(weight) = values.get_mut(&format!("{}.weight", node.name)) else {
            continue;
        };
        let each = weight.data.len() / node.channels;
        let bias = bias.unwrap_or_else(|| vec![0.0; node.channels]);
        let step = ranges[node.inputs[0]].scale();
        let mut scales: Vec<f32> = bias.iter().map(|bias| bias.abs() / step / LARGEST_BIAS).collect();
        for (scale, weights) in scales.iter_mut().zip(weight.data.chunks(each)) {
            *scale = weights
                .iter()
                .fold(*scale, |most, weight| most.max(weight.abs() / 127.0));
        }
        // Of weights that are all 0, any will do.
        scales
            .iter_mut()
            .filter(|scale| **scale < 1e-30)
            .for_each(|scale| *scale = 1.0);
        for (scale, weights) in scales.iter().zip(weight.data.chunks_mut(each)) {
            let whole = |weight: &mut f32| *weight = (*weight / scale).round_ties_even().clamp(-127.0, 127.0);
            weights.iter_mut().for_each(whole);
        }
        let (shape, data) = (vec![scales.len()], scales);
        values.insert(format!("{}.scale", node.name), Values { shape, data });
    }
    let data = ranges.iter().flat_map(|range| range.ends()).collect();
    let shape = vec![ranges.len(), 2];
    values.insert(RANGES.into(), Values { shape, data });
    Ok(values)
}

/// The weights that those in bytes stand for, in f32, under the names of `graph`'s.
///
/// # Errors
/// As [`super::Quantized::new`].
pub(crate) fn weights_in_f32(graph: &Graph, values: Named) -> Result<Named, String> {
    let parts = take(graph, values)?;
    let mut values = parts.values;
    for (i, layer) in parts.layers {
        let node = &parts.graph.nodes()[i];
        let shapes = parts.graph.tensors(node);
        let weight = format!("{}.weight", node.name);
        for (name, shape) in shapes {
            let data = match name == weight {
                true => {
                    let each = layer
                        .weights
                        .chunks(layer.weights.len() / node.channels)
                        .zip(&layer.scales);
                    each.flat_map(|(weights, scale)| weights.iter().map(move |&weight| f32::from(weight) * scale))
                        .collect()
                }
                false => layer.bias.clone(),
            };
            values.insert(name, Values { shape, data });
        }
    }
    Ok(values)
}

/// Takes `values`, which [`lower`] has made for the network of `graph`, apart.
pub(super) fn take(graph: &Graph, mut values: Named) -> Result<Parts, String> {
    let mut graph = graph.clone();
    graph.take_folded(&values);
    let graph = split(graph);
    let ranges = values.remove(RANGES).ok_or("it has no ranges of its maps")?;
    if ranges.shape != [graph.nodes().len(), 2] {
        return Err("the ranges of its maps are not one for each".into());
    }
    let ranges = ranges
        .data
        .as_chunks()
        .0
        .iter()
        .map(|&[low, high]| Range::new(low, high));
    let ranges = ranges.collect::<Result<_, _>>()?;
    let of_bytes: Vec<usize> = (0..graph.nodes().len()).filter(|&i| is_of_bytes(&graph, i)).collect();
    let mut scales = BTreeMap::new();
    for &i in &of_bytes {
        let node = &graph.nodes()[i];
        let name = format!("{}.scale", node.name);
        let found = values.remove(&name).ok_or(format!("tensor '{name}' is missing"))?;
        if found.shape != [node.channels] || !found.data.iter().all(|scale| *scale > 0.0 && scale.is_finite()) {
            return Err(format!("tensor '{name}' is not one positive number for each channel"));
        }
        scales.insert(i, found.data);
    }
    graph.check(&values)?;
    let mut layers = BTreeMap::new();
    for (i, scales) in scales {
        let node = &graph.nodes()[i];
        let mut data = |part: &str| values.remove(&format!("{}.{part}", node.name)).map(|found| found.data);
        let (weight, bias) = (data("weight").unwrap_or_default(), data("bias"));
        let whole = |value: f32| (value.fract() == 0.0 && (-128.0..128.0).contains(&value)).then_some(value as i8);
        let weights: Option<Vec<i8>> = weight.into_iter().map(whole).collect();
        layers.insert(
            i,
            Layer {
                weights: weights.ok_or_else(|| format!("weights of '{}' are no bytes", node.name))?,
                scales,
                bias: bias.unwrap_or_else(|| vec![0.0; node.channels]),
            },
        );
    }
    Ok(Parts {
        graph,
        values,
        layers,
        ranges,
    })
}

/// Whether node `i` computes with bytes: a convolution that a kernel can, and a dense layer, but not the last one.
fn is_of_bytes(graph: &Graph, i: usize) -> bool {
    let node = &graph.nodes()[i];
    match &node.operation {
        Operation::Convolution(convolution) => {
            let channels = graph.nodes()[node.inputs[0]].channels;
            convolution.groups == 1 || convolution.groups == channels && channels == node.channels
        }
        Operation::Dense { .. } => i + 1 < graph.nodes().len(),
        _ => false,
    }
}

/// The same graph with SiLUs and the like as nodes of their own: a table of bytes is one, and no bound of a sum.
fn split(graph: Graph) -> Graph {
    let (mut nodes, mut places) = (Vec::new(), Vec::new());
    for mut node in graph.nodes {
        node.inputs.iter_mut().for_each(|input| *input = places[*input]);
        let activation = match &mut node.operation {
            Operation::Convolution(convolution) => Some(&mut convolution.activation),
            Operation::Dense { activation } => Some(activation),
            _ => None,
        };
        let after = activation.and_then(|activation| {
            let function = Function::of_activation(*activation)?;
            *activation = Activation::None;
            Some(Node {
                name: format!("{}.function", node.name),
                operation: Operation::Function(function),
                inputs: vec![nodes.len()],
                channels: node.channels,
            })
        });
        nodes.push(node);
        nodes.extend(after);
        places.push(nodes.len() - 1);
    }
    Graph {
        features: places[graph.features],
        nodes,
    }
}

/// The range of each node's output.
fn observe(graph: &Graph, values: &Named, size: [usize; 2], images: &[Vec<f32>]) -> Result<Vec<Range>, String> {
    let unfused = Interpreter::fused(graph.clone(), values.clone(), size, &BTreeSet::new(), BTreeMap::new())?;
    let seen: Vec<Vec<Seen>> = images
        .par_iter()
        .enumerate()
        .map(|(number, pixels)| {
            let mut maps: Vec<Map> = Vec::with_capacity(graph.nodes().len());
            for (i, node) in graph.nodes().iter().enumerate() {
                let inputs: Vec<&Map> = node.inputs.iter().map(|&input| &maps[input]).collect();
                let map = match inputs.first() {
                    None => Map {
                        size,
                        channels: node.channels,
                        values: pixels.clone(),
                    },
                    Some(&first) => unfused
                        .node(i, &inputs)
                        .unwrap_or_else(|| unfused.changed(i, first.clone())),
                };
                maps.push(map);
            }
            let each = maps.iter().enumerate();
            each.map(|(i, map)| Seen::of(&map.values, (number * maps.len() + i) as u64))
                .collect()
        })
        .collect();
    let range = |i: usize| {
        let range = Seen::range(seen.iter().map(|image| image[i].clone()));
        range.map_err(|reason| format!("'{}': {reason}", graph.nodes()[i].name))
    };
    (0..graph.nodes().len()).into_par_iter().map(range).collect()
}
