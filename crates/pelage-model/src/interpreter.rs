//! A network without Burn: its graph, batch norms folded, run straight on the kernels, one image at a time. For
//! inference where a tensor library is too much to bring along, as in a browser.

#[cfg(feature = "burn")]
mod bf16;
mod map;
mod model;
#[cfg(feature = "burn")]
mod quantized;
mod walk;

use std::collections::{BTreeMap, BTreeSet};

use pelage_kernels::convolution::{self, Geometry, Link};
use pelage_kernels::isa::Isa;
use pelage_kernels::{conv_block, dense, pooling};

use crate::networks::graph::{Convolution, Graph, Node, Norm, Operation, Pool};
use crate::networks::positions::beside_patches;
use crate::options::Activation;
use crate::values::Named;
#[cfg(feature = "burn")]
pub use bf16::Bf16;
use map::Map;
pub use model::Model;
#[cfg(feature = "burn")]
pub(crate) use quantized::weights_in_f32;
#[cfg(feature = "burn")]
pub use quantized::{Quantized, lower};

/// A network, ready to run.
#[derive(Clone, Debug)]
pub struct Interpreter {
    isa: Isa,
    graph: Graph,
    /// Rows and columns of its images.
    size: [usize; 2],
    /// The layers with parameters, by their nodes.
    layers: BTreeMap<usize, Layer>,
    /// Chains of fused convolutions, by their last one.
    chains: BTreeMap<usize, Vec<usize>>,
    /// The node that reads each node's output last.
    last_readers: Vec<usize>,
}

/// The parameters of a layer.
#[derive(Clone, Debug)]
enum Layer {
    Convolution(convolution::Packed),
    /// A convolution fused with its max pooling.
    Block(conv_block::Packed),
    Dense {
        weight: Vec<f32>,
        bias: Vec<f32>,
    },
    /// What is added to each token, and to nothing for the first one.
    Tokens(Vec<f32>),
}

/// What a network says about an image.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// One for each class.
    pub logits: Vec<f32>,
    /// What the last dense layer reads.
    pub embedding: Vec<f32>,
}

impl Interpreter {
    /// The network of `graph` with `values` as its parameters, for images of `size` `[h, w]`.
    ///
    /// # Errors
    /// A message that names the first missing, surplus or misshapen tensor.
    pub fn new(mut graph: Graph, mut values: Named, size: [usize; 2]) -> Result<Self, String> {
        graph.take_folded(&values);
        graph.check(&values)?;
        graph.fold(&mut values, |_| true);
        let (blocks, chains) = ((0..graph.nodes().len()).filter(|&i| graph.is_block(i)), graph.chains());
        let blocks = blocks.collect();
        Self::fused(graph, values, size, &blocks, chains)
    }

    /// Of a graph without batch norms, with these convolutions fused with their pooling, and these chains fused.
    fn fused(
        graph: Graph,
        mut values: Named,
        size: [usize; 2],
        blocks: &BTreeSet<usize>,
        chains: BTreeMap<usize, Vec<usize>>,
    ) -> Result<Self, String> {
        let (isa, sizes) = (Isa::best(), graph.sizes(size));
        let mut layers = BTreeMap::new();
        for (i, node) in graph.nodes().iter().enumerate() {
            let from = node.inputs.first().map_or(size, |&input| sizes[input]);
            if let Some(layer) = layer(isa, &graph, node, (from, blocks.contains(&i)), &mut values)? {
                layers.insert(i, layer);
            }
        }
        let mut last_readers: Vec<usize> = (0..graph.nodes().len()).collect();
        for (i, node) in graph.nodes().iter().enumerate() {
            // A chain reads its input when its last convolution is due.
            let chain = chains.iter().find(|(_, chain)| chain[0] == i);
            let at = chain.map_or(i, |(&last, _)| last);
            let readers = node.inputs.iter();
            readers.for_each(|&input| last_readers[input] = last_readers[input].max(at));
        }
        Ok(Interpreter {
            isa,
            chains,
            size,
            layers,
            last_readers,
            graph,
        })
    }

    /// The answer for normalized pixels `[h, w, 3]`. With `flip`, channel means of the last feature map are averaged
    /// over the image and its mirror image.
    ///
    /// # Panics
    /// If there are more or fewer pixels than those of an image.
    pub fn run(&self, pixels: Vec<f32>, flip: bool) -> Answer {
        let [height, width] = self.size;
        assert_eq!(pixels.len(), height * width * 3, "values of the image");
        let image = Map {
            size: self.size,
            channels: 3,
            values: pixels,
        };
        let (features, last) = (self.graph.features(), self.graph.nodes().len() - 1);
        let map = match flip {
            false => self.run_between(image, 0, features),
            true => {
                let views = [image.mirrored(), image];
                let [mut mirrored, means] = views.map(|view| self.run_between(view, 0, features).means());
                let both = mirrored.values.iter_mut().zip(means.values);
                both.for_each(|(a, b)| *a = (*a + b) * 0.5);
                mirrored
            }
        };
        let read = self.graph.nodes()[last].inputs.first().copied().unwrap_or(last);
        let embedding = self.run_between(map, features, read);
        let logits = self.run_between(embedding.clone(), read, last);
        Answer {
            logits: logits.values,
            embedding: embedding.values,
        }
    }

    /// Runs the nodes after `from`, whose output is `start`, up to `to`.
    fn run_between(&self, start: Map, from: usize, to: usize) -> Map {
        let compute = |i: usize, inputs: &[&Map]| match self.chains.get(&i) {
            Some(chain) => Some(self.chain(chain, inputs)),
            None => self.node(i, inputs),
        };
        self.walk(start, (from, to), compute, |i, map| self.changed(i, map))
    }

    /// Applies the convolutions of `chain` in order.
    fn chain(&self, chain: &[usize], inputs: &[&Map]) -> Map {
        let x = inputs[0];
        let (mut size, mut channels) = (x.size, x.channels);
        let mut links = Vec::new();
        for &i in chain {
            let (Operation::Convolution(convolution), Some(Layer::Convolution(packed))) =
                (&self.graph.nodes()[i].operation, self.layers.get(&i))
            else {
                unreachable!("`Graph::chain` gives convolutions")
            };
            links.push(Link {
                geometry: geometry(convolution, size, channels),
                packed,
                activation: convolution.activation.of_kernel(),
            });
            (size, channels) = (convolution.output_size(size), convolution.channels);
        }
        let residual = inputs.get(1).map(|residual| &residual.values[..]);
        Map {
            size,
            channels,
            values: convolution::forward_chain_new(self.isa, &links, &x.values, residual),
        }
    }

    /// Applies node `i` alone to its inputs; none if its output is that of [`Interpreter::changed`].
    fn node(&self, i: usize, inputs: &[&Map]) -> Option<Map> {
        let (node, x) = (&self.graph.nodes()[i], inputs[0]);
        Some(match (&node.operation, self.layers.get(&i)) {
            (Operation::Convolution(convolution), Some(Layer::Convolution(packed))) => {
                let geometry = geometry(convolution, x.size, x.channels);
                let residual = inputs.get(1).map(|residual| &residual.values[..]);
                let activation = convolution.activation.of_kernel();
                Map {
                    size: convolution.output_size(x.size),
                    channels: convolution.channels,
                    values: convolution::forward_new(self.isa, &geometry, &x.values, packed, residual, activation),
                }
            }
            (Operation::Convolution(convolution), Some(Layer::Block(packed))) => self.block(convolution, packed, x),
            (Operation::MaxPool(_), _) if matches!(self.layers.get(&(i - 1)), Some(Layer::Block(_))) => return None,
            (Operation::MaxPool(pool), _) => max_pool(pool, x),
            (Operation::Dense { activation }, Some(Layer::Dense { weight, bias })) => {
                let shape = dense::Shape {
                    batch: 1,
                    inputs: x.values.len(),
                    outputs: node.channels,
                };
                let mut values = vec![0.0; node.channels];
                let linear = dense::Activation::None;
                dense::forward(self.isa, shape, linear, &x.values, weight, bias, &mut values);
                self.activate(*activation, &mut values);
                Map::flat(values)
            }
            (Operation::Tokens { .. }, Some(Layer::Tokens(positions))) => x.tokens(positions),
            (Operation::Attention { heads }, _) => x.attended(self.isa, *heads),
            (Operation::First, _) => Map::flat(x.values[..x.channels].to_vec()),
            (Operation::Concatenate, _) => Map::concatenated(inputs),
            (Operation::MeanPool(pool), _) => x.mean_pool(pool),
            (Operation::Add, _) => x.with(inputs[1], |a, b| a + b),
            (Operation::Multiply, _) => x.with(inputs[1], |a, b| a * b),
            (Operation::Pad(sides), _) => x.padded(*sides),
            (Operation::Channels { first, count }, _) => x.some_channels(*first, *count),
            (Operation::Shuffle { groups }, _) => x.shuffled(*groups),
            (Operation::AveragePool { side: 1 }, _) => x.means(),
            (Operation::AveragePool { side }, _) if x.size != [*side; 2] => x.average_pool(*side),
            _ => return None,
        })
    }

    /// The output of node `i` where it is its only input, or that changed in place.
    fn changed(&self, i: usize, mut x: Map) -> Map {
        match &self.graph.nodes()[i].operation {
            Operation::Norm(norm) => self.activate(norm.activation, &mut x.values),
            Operation::Flatten => x = Map::flat(x.values),
            Operation::LayerNorm { epsilon } => x.normalize(*epsilon),
            Operation::Function(function) => x.values.iter_mut().for_each(|value| *value = function.of(*value)),
            _ => {}
        }
        x
    }

    fn block(&self, convolution: &Convolution, packed: &conv_block::Packed, x: &Map) -> Map {
        let shape = block_shape(convolution, x.size, x.channels);
        let activation = match convolution.activation {
            Activation::Relu => conv_block::Activation::Relu,
            // `Graph::is_block` allows no other.
            _ => conv_block::Activation::None,
        };
        let (values, _) = conv_block::forward_new(self.isa, shape, activation, &x.values, packed);
        Map {
            size: [shape.pooled_height(), shape.pooled_width()],
            channels: convolution.channels,
            values,
        }
    }

    fn activate(&self, activation: Activation, values: &mut [f32]) {
        if activation != Activation::None {
            convolution::activate(self.isa, activation.of_kernel(), values);
        }
    }
}

/// The parameters of `node`, if it has some, taken out of `values`; `from` `[h, w]` is what it reads, and it may be
/// fused with its pooling.
fn layer(
    isa: Isa,
    graph: &Graph,
    node: &Node,
    (from, is_block): ([usize; 2], bool),
    values: &mut Named,
) -> Result<Option<Layer>, String> {
    let mut take = |part: &str| values.remove(&format!("{}.{part}", node.name)).map(|found| found.data);
    let channels = |input: usize| graph.nodes()[node.inputs[input]].channels;
    Ok(match &node.operation {
        Operation::Convolution(convolution) => {
            // In bytes or bf16, it is not among the values.
            let Some(weight) = take("weight") else { return Ok(None) };
            let bias = take("bias");
            Some(match is_block {
                true => {
                    let bias = bias.unwrap_or_else(|| vec![0.0; node.channels]);
                    let shape = block_shape(convolution, from, channels(0));
                    Layer::Block(conv_block::pack(isa, shape, &weight, &bias))
                }
                false => {
                    let geometry = geometry(convolution, from, channels(0));
                    Layer::Convolution(convolution::pack(isa, &geometry, &weight, bias.as_deref()))
                }
            })
        }
        Operation::Norm(Norm { epsilon: Some(_), .. }) => {
            return Err(format!("the batch norm '{}' follows no convolution", node.name));
        }
        Operation::Tokens { grid } => {
            let [first, positions] = ["bias", "weight"].map(|part| take(part).unwrap_or_default());
            Some(Layer::Tokens(beside_patches(&first, &positions, *grid, from)))
        }
        Operation::Dense { .. } => Some(Layer::Dense {
            weight: take("weight").unwrap_or_default(),
            bias: take("bias").unwrap_or_default(),
        }),
        _ => None,
    })
}

fn geometry(convolution: &Convolution, size: [usize; 2], channels: usize) -> Geometry {
    let weight = [
        convolution.channels,
        channels / convolution.groups,
        convolution.kernel,
        convolution.kernel,
    ];
    convolution
        .options(size)
        .geometry([1, size[0], size[1], channels], weight)
}

fn block_shape(convolution: &Convolution, [height, width]: [usize; 2], channels: usize) -> conv_block::Shape {
    conv_block::Shape {
        batch: 1,
        height,
        width,
        in_channels: channels,
        out_channels: convolution.channels,
    }
}

/// A dense layer as a convolution of one pixel.
#[cfg(feature = "burn")]
fn pixel(inputs: usize, outputs: usize) -> Geometry {
    Geometry {
        batch: 1,
        height: 1,
        width: 1,
        in_channels: inputs,
        out_channels: outputs,
        kernel: [1, 1],
        stride: [1, 1],
        padding: [0; 4],
        groups: 1,
    }
}

/// The windows of `pool` over a map of one image.
fn windows(pool: &Pool, [height, width]: [usize; 2], channels: usize) -> pooling::Geometry {
    pooling::Geometry {
        batch: 1,
        height,
        width,
        channels,
        kernel: [pool.kernel; 2],
        stride: [pool.stride; 2],
        padding: pool.padding([height, width]),
    }
}

fn max_pool(pool: &Pool, x: &Map) -> Map {
    let geometry = windows(pool, x.size, x.channels);
    let mut values = vec![0.0; geometry.output_len()];
    let mut winners = vec![0; values.len()];
    pooling::max_forward(&geometry, &x.values, &mut values, &mut winners);
    Map {
        size: [geometry.output_height(), geometry.output_width()],
        channels: x.channels,
        values,
    }
}
