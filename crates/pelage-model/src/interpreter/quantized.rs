//! A network in bytes: the weights of convolutions and dense layers with a scale for each output channel, the maps
//! between them with a scale each (Jacob et al. 2018); sums are whole numbers. The last dense layer, and operations
//! that no kernel of bytes computes, run on f32, on what the bytes before them mean. One image at a time.

mod held;
mod lowered;
mod ranges;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use pelage_kernels::isa::Isa;
use pelage_kernels::quantized::{self as kernel, Scheme};
use rayon::prelude::*;

use super::map::Map;
use super::{Answer, Interpreter, geometry, pixel};
use crate::networks::Function;
use crate::networks::graph::{Convolution, Graph, Operation};
use crate::options::Activation;
use crate::values::Named;
use held::{Bytes, Held, is_tight, max_pool};
pub use lowered::lower;
pub(crate) use lowered::weights_in_f32;
use ranges::Range;

/// A network in bytes, ready to run.
#[derive(Clone, Debug)]
pub struct Quantized {
    isa: Isa,
    /// The graph, and what runs on f32, without fusion.
    rest: Interpreter,
    layers: BTreeMap<usize, kernel::Packed>,
    /// What the bytes of each node's output mean.
    ranges: Vec<Range>,
    /// Of functions of single values and of concatenations, by node: for each input, the byte for each byte.
    tables: BTreeMap<usize, Vec<[u8; 256]>>,
}

impl Quantized {
    /// The network of `graph` with `values`, which [`lower`] has made, for images of `size` `[h, w]`.
    ///
    /// # Errors
    /// A message that names the first missing, surplus or misshapen tensor, or says which numbers cannot be meant.
    pub fn new(graph: &Graph, values: Named, size: [usize; 2]) -> Result<Self, String> {
        let parts = lowered::take(graph, values)?;
        let (graph, mut ranges, isa) = (parts.graph, parts.ranges, Isa::best());
        let sizes = graph.sizes(size);
        let (mut in_bytes, mut tables) = (Vec::new(), BTreeMap::new());
        for (i, node) in graph.nodes().iter().enumerate() {
            let read: &[usize] = &node.inputs;
            let all = read.iter().all(|&input| in_bytes[input]);
            let first = read.first().map_or(0, |&input| input);
            // A function's byte for each byte of an input.
            let table = |input: usize, function: &dyn Fn(f32) -> f32| {
                std::array::from_fn(|byte| ranges[i].byte(function(ranges[input].value(byte as u8))))
            };
            let (is_bytes, made, is_same) = match &node.operation {
                Operation::Input => (true, None, false),
                Operation::MaxPool(_) | Operation::Dropout(_) => (all, None, true),
                Operation::Norm(norm) if norm.activation == Activation::None => (all, None, true),
                Operation::Norm(norm) => match norm.activation {
                    Activation::Relu => (all, Some(vec![table(first, &|x| x.max(0.0))]), false),
                    Activation::Relu6 => (all, Some(vec![table(first, &|x| x.clamp(0.0, 6.0))]), false),
                    other => {
                        let function = |x| Function::of_activation(other).map_or(x, |function| function.of(x));
                        (all, Some(vec![table(first, &function)]), false)
                    }
                },
                Operation::Flatten => (all && is_tight(graph.nodes()[first].channels, sizes[first]), None, true),
                Operation::Function(function) => (all, Some(vec![table(first, &|x| function.of(x))]), false),
                Operation::Concatenate => {
                    let tables = read.iter().map(|&input| table(input, &|x| x)).collect();
                    (all, Some(tables), false)
                }
                _ => (parts.layers.contains_key(&i), None, false),
            };
            in_bytes.push(is_bytes);
            if let Some(made) = made.filter(|_| is_bytes) {
                tables.insert(i, made);
            }
            if is_bytes && is_same {
                ranges[i] = ranges[first];
            }
        }
        let mut layers = BTreeMap::new();
        for (i, layer) in parts.layers {
            let node = &graph.nodes()[i];
            let channels = graph.nodes()[node.inputs[0]].channels;
            let geometry = match &node.operation {
                Operation::Convolution(convolution) => geometry(convolution, sizes[node.inputs[0]], channels),
                _ => pixel(channels, node.channels),
            };
            let [from, to] = [ranges[node.inputs[0]], ranges[i]];
            let scheme = Scheme {
                input_zero: from.zero(),
                output_zero: to.zero(),
                limits: limits(node.activation(), to),
                residual: node.inputs.get(1).map(|&added| {
                    let added = ranges[added];
                    (added.zero(), added.scale() / to.scale())
                }),
            };
            let biases = layer.bias.iter().zip(&layer.scales);
            let bias: Vec<i32> = biases
                .map(|(bias, scale)| (bias / (from.scale() * scale)).round() as i32)
                .collect();
            let scales = layer.scales.iter();
            let multipliers: Vec<f32> = scales.map(|scale| from.scale() * scale / to.scale()).collect();
            let packed = kernel::pack(isa, &geometry, &layer.weights, &bias, &multipliers, scheme)
                .map_err(|reason| format!("'{}': {reason}", node.name))?;
            layers.insert(i, packed);
        }
        Ok(Quantized {
            isa,
            rest: Interpreter::fused(graph, parts.values, size, &BTreeSet::new(), BTreeMap::new())?,
            layers,
            ranges,
            tables,
        })
    }

    /// The answers for normalized pixels `[h, w, 3]` of each image. With `flip`, channel means of the last feature map
    /// are averaged over the image and its mirror image.
    ///
    /// # Panics
    /// If an image has more or fewer pixels than those of the network.
    pub fn run(&self, images: &[&[f32]], flip: bool) -> Vec<Answer> {
        let (graph, last) = (&self.rest.graph, self.rest.graph.nodes().len() - 1);
        let read = graph.nodes()[last].inputs.first().copied().unwrap_or(last);
        self.each(images, |pixels, alone| {
            let map = match flip {
                false => self.features(pixels, alone),
                true => {
                    let mirrored = self.image(pixels).mirrored().values;
                    let [mut one, other] = [&mirrored[..], pixels].map(|view| self.means_of(view, alone));
                    one.iter_mut().zip(other).for_each(|(a, b)| *a = (*a + b) * 0.5);
                    Held::Floats(Map::flat(one))
                }
            };
            let embedding = self
                .floats(read, &self.between(map, graph.features(), read, alone))
                .into_owned();
            let logits = self.between(Held::Floats(embedding.clone()), read, last, alone);
            Answer {
                logits: self.floats(last, &logits).into_owned().values,
                embedding: embedding.values,
            }
        })
    }

    /// The channel means of the last feature map of each image, for normalized pixels `[h, w, 3]`.
    ///
    /// # Panics
    /// As [`Quantized::run`].
    pub fn means(&self, images: &[&[f32]]) -> Vec<Vec<f32>> {
        self.each(images, |pixels, alone| self.means_of(pixels, alone))
    }

    /// As many images at once as there are threads; all threads for an image where there are fewer.
    fn each<T: Send>(&self, images: &[&[f32]], work: impl Fn(&[f32], bool) -> T + Sync) -> Vec<T> {
        let alone = images.len() >= rayon::current_num_threads();
        match alone {
            true => images.par_iter().map(|pixels| work(pixels, alone)).collect(),
            false => images.iter().map(|pixels| work(pixels, alone)).collect(),
        }
    }

    fn image(&self, pixels: &[f32]) -> Map {
        let size = self.rest.size;
        assert_eq!(pixels.len(), size[0] * size[1] * 3, "values of the image");
        Map {
            size,
            channels: 3,
            values: pixels.to_vec(),
        }
    }

    /// The last feature map.
    fn features(&self, pixels: &[f32], alone: bool) -> Held {
        let size = self.rest.size;
        assert_eq!(pixels.len(), size[0] * size[1] * 3, "values of the image");
        let image = self.in_bytes(0, size, 3, pixels);
        self.between(Held::Bytes(image), 0, self.rest.graph.features(), alone)
    }

    fn means_of(&self, pixels: &[f32], alone: bool) -> Vec<f32> {
        let features = self.features(pixels, alone);
        self.means_of_map(self.rest.graph.features(), &features).values
    }

    /// Runs the nodes after `from`, whose output is `start`, up to `to`.
    fn between(&self, start: Held, from: usize, to: usize, alone: bool) -> Held {
        let compute = |i: usize, inputs: &[&Held]| {
            let nodes = self.rest.graph.nodes()[i].inputs.iter().copied();
            let inputs: Vec<(usize, &Held)> = nodes.zip(inputs.iter().copied()).collect();
            (!self.is_changed(i, inputs[0].1)).then(|| self.node(i, &inputs, alone))
        };
        self.rest
            .walk(start, (from, to), compute, |i, held| self.changed(i, held))
    }

    /// Whether node `i` changes its only input, bytes, in place.
    fn is_changed(&self, i: usize, input: &Held) -> bool {
        let Held::Bytes(bytes) = input else { return false };
        let one = self.tables.get(&i).is_some_and(|tables| tables.len() == 1);
        match &self.rest.graph.nodes()[i].operation {
            Operation::Dropout(_) => true,
            Operation::Norm(norm) => one || norm.activation == Activation::None,
            Operation::Function(_) => one,
            Operation::Flatten => is_tight(bytes.channels, bytes.size),
            _ => false,
        }
    }

    fn changed(&self, i: usize, input: Held) -> Held {
        let Held::Bytes(mut bytes) = input else { return input };
        if let Some([table]) = self.tables.get(&i).map(|tables| &tables[..]) {
            kernel::look_up(&mut bytes.values, table);
        }
        if self.rest.graph.nodes()[i].operation == Operation::Flatten {
            (bytes.channels, bytes.size) = (bytes.size[0] * bytes.size[1] * bytes.channels, [1, 1]);
        }
        Held::Bytes(bytes)
    }

    /// Applies node `i` to its inputs, each with the node that it comes from.
    fn node(&self, i: usize, inputs: &[(usize, &Held)], alone: bool) -> Held {
        let node = &self.rest.graph.nodes()[i];
        let (first, x) = inputs[0];
        match (&node.operation, self.layers.get(&i), x) {
            (Operation::Convolution(convolution), Some(packed), _) => {
                let x = self.bytes(first, x);
                let residual = inputs.get(1).map(|&(added, held)| self.bytes(added, held));
                let values = residual.as_ref().map(|bytes| &bytes.values[..]);
                Held::Bytes(self.convolution(convolution, packed, &x, values, alone))
            }
            (Operation::Dense { .. }, Some(packed), _) => {
                let x = self.bytes(first, x);
                let geometry = pixel(x.channels, node.channels);
                Held::Bytes(Bytes {
                    size: [1, 1],
                    channels: node.channels,
                    values: kernel::forward(&geometry, &x.values, packed, None, alone),
                })
            }
            (Operation::MaxPool(pool), _, Held::Bytes(x)) => Held::Bytes(max_pool(pool, x)),
            (Operation::AveragePool { side: 1 }, _, x) => Held::Floats(self.means_of_map(first, x)),
            (Operation::Concatenate, _, x) if self.tables.contains_key(&i) => {
                Held::Bytes(self.concatenated(i, x.size(), inputs))
            }
            _ => {
                let maps: Vec<Cow<Map>> = inputs.iter().map(|&(input, held)| self.floats(input, held)).collect();
                let maps: Vec<&Map> = maps.iter().map(AsRef::as_ref).collect();
                let alone = self.rest.node(i, &maps);
                Held::Floats(alone.unwrap_or_else(|| self.rest.changed(i, maps[0].clone())))
            }
        }
    }

    fn convolution(
        &self,
        convolution: &Convolution,
        packed: &kernel::Packed,
        x: &Bytes,
        residual: Option<&[u8]>,
        alone: bool,
    ) -> Bytes {
        let geometry = geometry(convolution, x.size, x.channels);
        Bytes {
            size: convolution.output_size(x.size),
            channels: convolution.channels,
            values: kernel::forward(&geometry, &x.values, packed, residual, alone),
        }
    }

    /// The channels of all inputs, in the bytes of node `i`.
    fn concatenated(&self, i: usize, size: [usize; 2], inputs: &[(usize, &Held)]) -> Bytes {
        let channels = self.rest.graph.nodes()[i].channels;
        let (pixels, each) = (size[0] * size[1], kernel::stride(channels));
        let mut values = vec![0; kernel::map_len(pixels, channels)];
        let mut start = 0;
        for (&(input, held), table) in inputs.iter().zip(&self.tables[&i]) {
            let bytes = self.bytes(input, held);
            let rows = bytes.values.chunks_exact(kernel::stride(bytes.channels));
            for (to, from) in values.chunks_exact_mut(each).zip(rows).take(pixels) {
                let to = to[start..][..bytes.channels].iter_mut().zip(from);
                to.for_each(|(to, from)| *to = table[usize::from(*from)]);
            }
            start += bytes.channels;
        }
        Bytes { size, channels, values }
    }

    /// Node `i`'s output in bytes.
    fn bytes<'a>(&self, i: usize, held: &'a Held) -> Cow<'a, Bytes> {
        match held {
            Held::Bytes(bytes) => Cow::Borrowed(bytes),
            Held::Floats(map) => Cow::Owned(self.in_bytes(i, map.size, map.channels, &map.values)),
        }
    }

    fn in_bytes(&self, i: usize, size: [usize; 2], channels: usize, values: &[f32]) -> Bytes {
        let range = self.ranges[i];
        Bytes {
            size,
            channels,
            values: kernel::quantize(self.isa, channels, values, range.scale(), range.zero()),
        }
    }

    /// Node `i`'s output in f32.
    fn floats<'a>(&self, i: usize, held: &'a Held) -> Cow<'a, Map> {
        match held {
            Held::Floats(map) => Cow::Borrowed(map),
            Held::Bytes(bytes) => Cow::Owned(Map {
                size: bytes.size,
                channels: bytes.channels,
                values: kernel::dequantize(
                    bytes.channels,
                    &bytes.values,
                    self.ranges[i].scale(),
                    self.ranges[i].zero(),
                ),
            }),
        }
    }

    /// The mean of each channel of node `i`'s output.
    fn means_of_map(&self, i: usize, held: &Held) -> Map {
        match held {
            Held::Floats(map) => map.means(),
            Held::Bytes(bytes) => {
                let range = self.ranges[i];
                let means = kernel::averages(bytes.channels, &bytes.values, range.scale(), range.zero());
                Map::flat(means)
            }
        }
    }
}

/// The least and the greatest byte of what an activation leaves. Others are tables.
fn limits(activation: Activation, range: Range) -> [u8; 2] {
    match activation {
        Activation::None | Activation::Silu | Activation::HardSwish | Activation::Gelu => [0, 255],
        Activation::Relu => [range.zero(), 255],
        Activation::Relu6 => [range.zero(), range.byte(6.0)],
    }
}
