//! Layers in the making: what a file spreads over several nodes is one convolution here, where nothing else reads what
//! is between.

use std::collections::{BTreeMap, HashMap};

use pelage_model::networks::Function;
use pelage_model::networks::added::{MOST_WEIGHTS, check_map, check_windows};
use pelage_model::networks::graph::{Convolution, Graph, Operation};
use pelage_model::ops::Activation;
use pelage_model::values::{Named, Values};

/// A layer, and the shape of its output.
struct Layer {
    name: String,
    operation: Operation,
    inputs: Vec<usize>,
    size: [usize; 2],
    channels: usize,
    /// Those of a convolution.
    weight: Vec<f32>,
    bias: Vec<f32>,
}

/// The layers of a network, each behind those that it reads; the first one is the images.
pub(super) struct Layers {
    all: Vec<Layer>,
    /// Those that are taken, each with how many have wanted it.
    names: HashMap<String, usize>,
    /// How many weights they have, all together.
    weights: usize,
}

/// A layer, and how many nodes read it.
#[derive(Clone, Copy)]
pub(super) struct Read {
    pub(super) layer: usize,
    pub(super) readers: usize,
}

impl Layers {
    /// For images of `side` rows and columns.
    pub(super) fn new(side: usize) -> Layers {
        let images = Layer {
            name: "input".into(),
            operation: Operation::Input,
            inputs: Vec::new(),
            size: [side; 2],
            channels: 3,
            weight: Vec::new(),
            bias: Vec::new(),
        };
        Layers {
            all: vec![images],
            names: HashMap::from([("input".to_string(), 1)]),
            weights: 0,
        }
    }

    /// Rows and columns of a layer's output.
    pub(super) fn size(&self, layer: usize) -> [usize; 2] {
        self.all[layer].size
    }

    pub(super) fn channels(&self, layer: usize) -> usize {
        self.all[layer].channels
    }

    /// Adds a layer without weights, whose windows lie on its map.
    pub(super) fn add(&mut self, name: &str, operation: Operation, inputs: Vec<usize>) -> Result<usize, String> {
        let from = self.all[inputs[0]].size;
        let size = match &operation {
            Operation::MaxPool(pool) | Operation::MeanPool(pool) => {
                check_windows(pool.kernel, pool.stride, pool.padding, from).map_err(unsupported)?;
                pool.output_size(from)
            }
            Operation::AveragePool { .. } => [1, 1],
            Operation::Pad([top, left, bottom, right]) => [from[0] + top + bottom, from[1] + left + right],
            _ => from,
        };
        let channels = match operation {
            Operation::Concatenate => inputs
                .iter()
                .fold(0usize, |sum, &input| sum.saturating_add(self.all[input].channels)),
            Operation::Channels { count, .. } => count,
            _ => self.all[inputs[0]].channels,
        };
        self.push(Layer {
            name: name.into(),
            operation,
            inputs,
            size,
            channels,
            weight: Vec::new(),
            bias: Vec::new(),
        })
    }

    /// Adds a convolution with its weights, `[channels, inputs / groups, kernel, kernel]`, and its bias.
    pub(super) fn convolution(
        &mut self,
        name: &str,
        input: usize,
        convolution: Convolution,
        weight: Vec<f32>,
        bias: Vec<f32>,
    ) -> Result<usize, String> {
        let Layer { size, channels, .. } = self.all[input];
        let Convolution {
            kernel,
            stride,
            groups,
            padding,
            channels: outputs,
            ..
        } = convolution;
        check_windows(kernel, stride, padding, size).map_err(unsupported)?;
        if groups == 0 || outputs == 0 || !channels.is_multiple_of(groups) || !outputs.is_multiple_of(groups) {
            return Err(format!("it makes {outputs} channels of {channels} in {groups} groups"));
        }
        let wanted = self.room([outputs, channels / groups, kernel, kernel])?;
        if weight.len() != wanted || bias.len() != outputs {
            return Err(format!(
                "it has {} weights and a bias of {} where {wanted} and {outputs} belong",
                weight.len(),
                bias.len()
            ));
        }
        self.push(Layer {
            name: name.into(),
            size: convolution.output_size(size),
            channels: outputs,
            operation: Operation::Convolution(convolution),
            inputs: vec![input],
            weight,
            bias,
        })
    }

    /// Adds a layer under a name of its own, unless its map or the weights of all layers are absurdly large.
    fn push(&mut self, layer: Layer) -> Result<usize, String> {
        check_map(layer.size, layer.channels).map_err(unsupported)?;
        let name = self.name(&layer.name);
        self.weights += layer.weight.len() + layer.bias.len();
        self.all.push(Layer { name, ..layer });
        Ok(self.all.len() - 1)
    }

    /// How many values a tensor of this shape has, for which there must be room beside all weights so far: asked before
    /// it is made.
    pub(super) fn room(&self, shape: [usize; 4]) -> Result<usize, String> {
        let count = shape.iter().fold(1usize, |all, &length| all.saturating_mul(length));
        match self.weights.saturating_add(count) <= MOST_WEIGHTS {
            true => Ok(count),
            false => Err(format!(
                "its weights of {shape:?} and those before it are more than {MOST_WEIGHTS}"
            )),
        }
    }

    /// Each channel times `scale`, plus `shift`: a batch norm, or arithmetic with constants.
    pub(super) fn affine(&mut self, name: &str, x: Read, scale: &[f64], shift: &[f64]) -> Result<usize, String> {
        let channels = self.channels(x.layer);
        let layer = match self.open_convolution(x) {
            true if self.all[x.layer].inputs.len() == 1 => x.layer,
            _ => {
                let one = Convolution::new(1, channels).depthwise();
                self.convolution(name, x.layer, one, vec![1.0; channels], vec![0.0; channels])?
            }
        };
        let Layer { weight, bias, .. } = &mut self.all[layer];
        let each = weight.len() / channels.max(1);
        for (kernel, scale) in weight.chunks_mut(each.max(1)).zip(scale) {
            kernel
                .iter_mut()
                .for_each(|weight| *weight = (f64::from(*weight) * scale) as f32);
        }
        for (bias, (scale, shift)) in bias.iter_mut().zip(scale.iter().zip(shift)) {
            *bias = (f64::from(*bias) * scale + shift) as f32;
        }
        // Of what was scaled and scaled back, nothing is left.
        match self.scaled(layer) {
            Some((input, 1.0, 0.0)) if matches!(self.all[input].operation, Operation::Function(Function::Gelu)) => {
                Ok(input)
            }
            _ => Ok(layer),
        }
    }

    /// What `layer` reads, by which number it multiplies that, and what it adds, if it does nothing else.
    fn scaled(&self, layer: usize) -> Option<(usize, f32, f32)> {
        let Layer {
            operation: Operation::Convolution(convolution),
            inputs,
            weight,
            bias,
            ..
        } = &self.all[layer]
        else {
            return None;
        };
        let (&[input], Some(&scale), Some(&shift)) = (&inputs[..], weight.first(), bias.first()) else {
            return None;
        };
        let one = Convolution::new(1, convolution.channels).depthwise();
        let alike = weight.iter().all(|other| *other == scale) && bias.iter().all(|other| *other == shift);
        (alike && *convolution == one && self.channels(input) == convolution.channels).then_some((input, scale, shift))
    }

    /// The layer x and the factor, where `gate` is 1 + erf(x / sqrt(2)), and `layer` is x, or x times a number: their
    /// product is a GELU times that factor.
    fn gelu(&self, layer: usize, gate: usize) -> Option<(usize, f32)> {
        let (erf, 1.0, 1.0) = self.scaled(gate)? else {
            return None;
        };
        let Layer {
            operation: Operation::Function(Function::Erf),
            inputs,
            ..
        } = &self.all[erf]
        else {
            return None;
        };
        let (x, scale, 0.0) = self.scaled(inputs[0])? else {
            return None;
        };
        if (scale - std::f32::consts::FRAC_1_SQRT_2).abs() > 1e-6 {
            return None;
        }
        match self.scaled(layer) {
            _ if layer == x => Some((x, 2.0)),
            Some((of, scale, 0.0)) if of == x => Some((x, 2.0 * scale)),
            _ => None,
        }
    }

    /// A function of each value, by the convolution before it where that can be.
    pub(super) fn function(&mut self, name: &str, x: Read, function: Function) -> Result<usize, String> {
        let fused = match function {
            Function::RELU => Some(Activation::Relu),
            Function::Clip { low: 0.0, high: 6.0 } => Some(Activation::Relu6),
            Function::Silu => Some(Activation::Silu),
            Function::HardSwish => Some(Activation::HardSwish),
            Function::Gelu => Some(Activation::Gelu),
            _ => None,
        };
        let open = self.open_convolution(x);
        match (&mut self.all[x.layer].operation, fused) {
            (Operation::Convolution(convolution), Some(activation)) if open => {
                convolution.activation = activation;
                Ok(x.layer)
            }
            _ => self.add(name, Operation::Function(function), vec![x.layer]),
        }
    }

    /// The sum of two maps, by the convolution that makes the later one where that can be.
    pub(super) fn sum(&mut self, name: &str, a: Read, b: Read) -> Result<usize, String> {
        let (first, last) = if a.layer < b.layer { (a, b) } else { (b, a) };
        let alike = self.size(a.layer) == self.size(b.layer) && self.channels(a.layer) == self.channels(b.layer);
        if !alike {
            return Err("it adds maps of different shapes".into());
        }
        if first.layer != last.layer && self.open_convolution(last) && self.all[last.layer].inputs.len() == 1 {
            self.all[last.layer].inputs.push(first.layer);
            return Ok(last.layer);
        }
        self.add(name, Operation::Add, vec![first.layer, last.layer])
    }

    /// The product of two maps, or of a map and a factor for each channel.
    pub(super) fn product(&mut self, name: &str, a: Read, b: Read) -> Result<usize, String> {
        // x * sigmoid(x).
        for (x, gate) in [(a, b), (b, a)] {
            let Layer { operation, inputs, .. } = &self.all[gate.layer];
            if *operation == Operation::Function(Function::Sigmoid) && inputs[..] == [x.layer] && gate.readers == 1 {
                // By the gate and by this node.
                let readers = x.readers - 1;
                return self.function(name, Read { readers, ..x }, Function::Silu);
            }
        }
        for (x, gate) in [(a, b), (b, a)] {
            if let Some((layer, factor)) = self.gelu(x.layer, gate.layer) {
                let layer = self.add(name, Operation::Function(Function::Gelu), vec![layer])?;
                let channels = self.channels(layer);
                return self.affine(
                    name,
                    Read { layer, readers: 1 },
                    &vec![factor.into(); channels],
                    &vec![0.0; channels],
                );
            }
        }
        let channels = self.channels(a.layer) == self.channels(b.layer);
        let [a_size, b_size] = [a, b].map(|read| self.size(read.layer));
        let (map, factor) = if a_size == [1, 1] { (b, a) } else { (a, b) };
        match channels && (a_size == b_size || self.size(factor.layer) == [1, 1]) {
            true => self.add(name, Operation::Multiply, vec![map.layer, factor.layer]),
            false => Err("it multiplies maps of different shapes".into()),
        }
    }

    /// Whether `x` is a convolution to which something may still be added.
    fn open_convolution(&self, x: Read) -> bool {
        let plain = |c: &Convolution| c.activation == Activation::None;
        x.readers == 1 && matches!(&self.all[x.layer].operation, Operation::Convolution(c) if plain(c))
    }

    /// A name of its own for a layer that is called `name` in the file: plain letters alone.
    fn name(&mut self, name: &str) -> String {
        // PyTorch writes /features/features.0/features.0.0/Conv.
        let mut parts: Vec<&str> = Vec::new();
        for part in name.split('/').filter(|part| !part.is_empty()) {
            if parts.last().is_some_and(|last| part.starts_with(last)) {
                parts.pop();
            }
            parts.push(part);
        }
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() || "._-".contains(c) {
                c.to_ascii_lowercase()
            } else {
                '.'
            }
        };
        let name: String = parts.join(".").chars().map(plain).collect();
        // The end tells more than the beginning.
        let mut name = name[name.len().saturating_sub(100)..].trim_matches('.').to_string();
        if name.is_empty() || name.starts_with("head") {
            name = format!("layer.{name}").trim_end_matches('.').to_string();
        }
        let mut own = name.clone();
        while self.names.contains_key(&own) {
            let number = self.names.entry(name.clone()).or_default();
            *number += 1;
            own = format!("{name}-{number}");
        }
        self.names.insert(own.clone(), 1);
        own
    }

    /// The layer that the global average pooling `layer` reads, if it is one: heads pool themselves.
    pub(super) fn before_pooling(&self, layer: usize) -> usize {
        match &self.all[layer] {
            Layer {
                operation: Operation::AveragePool { side: 1 },
                inputs,
                ..
            } => inputs[0],
            _ => layer,
        }
    }

    /// The network up to layer `last`, of what that needs alone.
    pub(super) fn finish(self, last: usize) -> (Graph, Named) {
        let mut needed = vec![false; last + 1];
        needed[last] = true;
        for layer in (0..=last).rev().filter(|&layer| layer > 0) {
            if needed[layer] {
                self.all[layer].inputs.iter().for_each(|&input| needed[input] = true);
            }
        }
        let (mut graph, input) = Graph::new();
        let (mut values, mut placed) = (Named::new(), BTreeMap::from([(0, input)]));
        for (i, layer) in self.all.into_iter().enumerate().take(last + 1).skip(1) {
            if !needed[i] {
                continue;
            }
            // Layers read earlier ones, and what is needed of these has been placed.
            let inputs: Vec<_> = layer.inputs.iter().map(|input| placed[input]).collect();
            if let Operation::Convolution(c) = &layer.operation {
                let shape = vec![
                    c.channels,
                    layer.weight.len() / (c.channels * c.kernel * c.kernel),
                    c.kernel,
                    c.kernel,
                ];
                let tensors = [
                    ("weight", shape, layer.weight),
                    ("bias", vec![layer.bias.len()], layer.bias),
                ];
                values.extend(
                    tensors.map(|(kind, shape, data)| (format!("{}.{kind}", layer.name), Values { shape, data })),
                );
            }
            placed.insert(i, graph.put(layer.name, layer.operation, &inputs));
        }
        (graph, values)
    }
}

/// What a layer must not do, of a node.
fn unsupported(told: String) -> String {
    format!("it {told}, which is not supported")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_refused_before_they_need_too_much_memory() {
        let mut layers = Layers::new(8);
        // Twice as many channels with every layer.
        let grown = (0..80).try_fold(0, |x, _| layers.add("c", Operation::Concatenate, vec![x, x]));
        assert!(grown.unwrap_err().contains("makes a map of 8 x 8 x 196608"));
        let padded = layers.add("p", Operation::Pad([999_999; 4]), vec![0]);
        assert!(padded.unwrap_err().contains("makes a map"));
        // The same weights over and over are in a file once.
        let mut layers = Layers::new(8);
        let again = |layers: &mut Layers| {
            let one = Convolution::new(1, 4).padding(pelage_model::networks::graph::Padding::Each(0));
            layers.convolution("c", 0, one, vec![1.0; 12], vec![0.0; 4])
        };
        assert!(again(&mut layers).is_ok());
        assert_eq!(layers.weights, 16);
        layers.weights = MOST_WEIGHTS - 11;
        assert!(again(&mut layers).unwrap_err().contains("those before it"));
        assert!(layers.room([usize::MAX, 2, 3, 3]).is_err());
    }
}
