//! A network's graph as nodes of ONNX: channels first, batch norms folded, without what is for training alone.

use std::f32::consts::FRAC_1_SQRT_2;

use pelage_model::networks::Function;
use pelage_model::networks::graph::{Convolution, Graph, Operation, Pool};
use pelage_model::ops::Activation;
use pelage_model::values::{Named, Values};

use super::messages::Attribute;
use super::tokens;
use super::writer::{Writer, integer, integers, number, part, slice};

/// A network, with its parameters.
pub(super) struct Exported<'a> {
    /// Its operations, no batch norm among them.
    pub(super) graph: &'a Graph,
    /// Its parameters, each taken as it is written.
    pub(super) values: Named,
    /// Rows and columns of its images.
    pub(super) size: [usize; 2],
    /// Whether the features of an image and its mirror image are averaged.
    pub(super) flip: bool,
}

impl Exported<'_> {
    /// Writes the nodes that turn `input`, `[n, 3, h, w]`, into logits `[n, classes]`; returns the name of these.
    pub(super) fn write(mut self, writer: &mut Writer, input: String) -> String {
        let input = if self.flip {
            with_mirror_images(writer, &input, self.size[1])
        } else {
            input
        };
        let (graph, sizes) = (self.graph, self.graph.sizes(self.size));
        let mut values: Vec<String> = Vec::new();
        for (i, node) in graph.nodes().iter().enumerate() {
            let inputs: Vec<&str> = node.inputs.iter().map(|&input| &values[input][..]).collect();
            let from = node.inputs.first().map_or(self.size, |&input| sizes[input]);
            let name = &node.name[..];
            let value = match &node.operation {
                Operation::Input => input.clone(),
                Operation::Convolution(convolution) => {
                    let [weight, bias] = self.parameters(writer, name);
                    let parts = [inputs[0], &weight, &bias];
                    let parts = &parts[..if convolution.bias { 3 } else { 2 }];
                    let attributes = attributes(convolution, from);
                    let mut x = writer.node("Conv", &part(name, "convolution"), parts, attributes);
                    if let Some(residual) = inputs.get(1) {
                        x = writer.node("Add", &part(name, "sum"), &[&x, residual], Vec::new());
                    }
                    activation(writer, name, x, convolution.activation)
                }
                Operation::Norm(norm) => activation(writer, name, inputs[0].to_string(), norm.activation),
                Operation::MaxPool(pool) => writer.node("MaxPool", name, &inputs, windows(pool, from)),
                Operation::Concatenate => writer.node("Concat", name, &inputs, vec![integer("axis", 1)]),
                // A map of one pixel stays one where squeeze and excitation multiplies by it, or a convolution follows.
                Operation::AveragePool { side: 1 } if i <= graph.features() || self.convolves_after(i) => {
                    writer.node("GlobalAveragePool", name, &inputs, Vec::new())
                }
                Operation::AveragePool { side: 1 } => {
                    let means = writer.node("GlobalAveragePool", &part(name, "means"), &inputs, Vec::new());
                    let means = writer.node("Flatten", name, &[&means], vec![integer("axis", 1)]);
                    // The head comes next: the only place where mirror images are averaged.
                    match self.flip {
                        true => mean_with_mirror_images(writer, &means, node.channels),
                        false => means,
                    }
                }
                Operation::AveragePool { side } if from == [*side; 2] => inputs[0].to_string(),
                Operation::AveragePool { side } => average_pool(writer, name, inputs[0], from, *side),
                Operation::Flatten => writer.node("Flatten", name, &inputs, vec![integer("axis", 1)]),
                Operation::Dense { activation: follows } => {
                    let (before, map) = read(graph, &sizes, i);
                    if *before == Operation::Flatten {
                        self.channels_first(name, map);
                    }
                    let mut rows = inputs[0].to_string();
                    // VGG's first dense layer is a convolution over all of the map.
                    if matches!(before, Operation::Convolution(_)) {
                        rows = writer.node("Flatten", &part(name, "flat"), &[&rows], vec![integer("axis", 1)]);
                    }
                    let [weight, bias] = self.parameters(writer, name);
                    let x = writer.node(
                        "Gemm",
                        &part(name, "dense"),
                        &[&rows, &weight, &bias],
                        vec![integer("transB", 1)],
                    );
                    activation(writer, name, x, *follows)
                }
                Operation::Dropout(_) => inputs[0].to_string(),
                Operation::MeanPool(pool) => writer.node("AveragePool", name, &inputs, windows(pool, from)),
                Operation::Add => writer.node("Add", name, &inputs, Vec::new()),
                Operation::Multiply => writer.node("Mul", name, &inputs, Vec::new()),
                Operation::Function(function) => self::function(writer, name, inputs[0], *function),
                Operation::Pad(sides) => pad(writer, name, inputs[0], *sides),
                Operation::Channels { first, count } => slice(writer, name, inputs[0], 1, [*first, first + count]),
                Operation::Shuffle { groups } => {
                    shuffle(writer, name, inputs[0], *groups, [node.channels, from[0], from[1]])
                }
                Operation::LayerNorm { epsilon } => layer_norm(writer, name, inputs[0], *epsilon),
                Operation::Tokens { grid } => {
                    let mut take = |part: &str| self.values.remove(&format!("{name}.{part}")).unwrap_or_default().data;
                    let (positions, first) = (take("weight"), take("bias"));
                    tokens::tokens(writer, name, inputs[0], (&positions, *grid), &first, from)
                }
                Operation::Attention { heads } => {
                    tokens::attention(writer, name, inputs[0], *heads, [node.channels, from[0] * from[1]])
                }
                Operation::First => tokens::first(writer, name, inputs[0]),
            };
            values.push(value);
        }
        values.pop().unwrap_or_default()
    }

    /// Writes weight and bias of a layer; the name of a bias that it does not have is nobody's.
    fn parameters(&mut self, writer: &mut Writer, layer: &str) -> [String; 2] {
        ["weight", "bias"].map(|parameter| {
            let name = format!("{layer}.{parameter}");
            match self.values.remove(&name) {
                Some(Values { shape, data }) => writer.numbers(&name, &shape, &data),
                None => name,
            }
        })
    }

    fn convolves_after(&self, i: usize) -> bool {
        let mut after = self.graph.nodes()[i + 1..].iter();
        after.any(|node| matches!(node.operation, Operation::Convolution(_)))
    }

    /// Reorders the weights of a dense layer over a flattened map `[h, w, c]` for one `[c, h, w]`.
    fn channels_first(&mut self, layer: &str, [h, w, c]: [usize; 3]) {
        let Some(weight) = self.values.get_mut(&format!("{layer}.weight")) else {
            return;
        };
        let reordered = weight.data.chunks(h * w * c).flat_map(|row| {
            let channel = move |channel| (0..h * w).map(move |pixel| row[pixel * c + channel]);
            (0..c).flat_map(channel)
        });
        weight.data = reordered.collect();
    }
}

/// What the dense layer `node` reads, without dropouts in between, and the map `[h, w, c]` that this was made of.
fn read<'a>(graph: &'a Graph, sizes: &[[usize; 2]], node: usize) -> (&'a Operation, [usize; 3]) {
    let nodes = graph.nodes();
    let mut before = nodes[node].inputs[0];
    while matches!(nodes[before].operation, Operation::Dropout(_)) {
        before = nodes[before].inputs[0];
    }
    let map = nodes[before].inputs.first().copied().unwrap_or(before);
    let [h, w] = sizes[map];
    (&nodes[before].operation, [h, w, nodes[map].channels])
}

fn attributes(convolution: &Convolution, size: [usize; 2]) -> Vec<Attribute> {
    let options = convolution.options(size);
    vec![
        integers("kernel_shape", &[convolution.kernel; 2]),
        integers("strides", &[convolution.stride; 2]),
        integers("pads", &options.padding),
        integer("group", convolution.groups),
    ]
}

/// Windows beyond the edge become padding, since not every reader rounds up as we do.
fn windows(pool: &Pool, size: [usize; 2]) -> Vec<Attribute> {
    vec![
        integers("kernel_shape", &[pool.kernel; 2]),
        integers("strides", &[pool.stride; 2]),
        integers("pads", &pool.padding(size)),
    ]
}

/// The value `x` after an activation, called `name`.
fn activation(writer: &mut Writer, name: &str, x: String, activation: Activation) -> String {
    match activation {
        Activation::None => x,
        Activation::Relu => writer.node("Relu", name, &[&x], Vec::new()),
        Activation::Relu6 => {
            let [zero, six] =
                [("zero", 0.0), ("six", 6.0)].map(|(end, value)| writer.numbers(&part(name, end), &[], &[value]));
            writer.node("Clip", name, &[&x, &zero, &six], Vec::new())
        }
        Activation::Silu => function(writer, name, &x, Function::Silu),
        Activation::HardSwish => function(writer, name, &x, Function::HardSwish),
        Activation::Gelu => function(writer, name, &x, Function::Gelu),
    }
}

/// The function of each value of `x`, called `name`, of operators that the version of the format has.
fn function(writer: &mut Writer, name: &str, x: &str, function: Function) -> String {
    match function {
        Function::RELU => writer.node("Relu", name, &[x], Vec::new()),
        Function::Clip { low, high } => {
            let [low, high] =
                [("low", low), ("high", high)].map(|(end, value)| writer.numbers(&part(name, end), &[], &[value]));
            writer.node("Clip", name, &[x, &low, &high], Vec::new())
        }
        Function::Erf => writer.node("Erf", name, &[x], Vec::new()),
        Function::Gelu => {
            let [scale, one, half] = [("scale", FRAC_1_SQRT_2), ("one", 1.0), ("half", 0.5)]
                .map(|(end, value)| writer.numbers(&part(name, end), &[], &[value]));
            let scaled = writer.node("Mul", &part(name, "scaled"), &[x, &scale], Vec::new());
            let erf = writer.node("Erf", &part(name, "erf"), &[&scaled], Vec::new());
            let gate = writer.node("Add", &part(name, "gate"), &[&erf, &one], Vec::new());
            let twice = writer.node("Mul", &part(name, "twice"), &[x, &gate], Vec::new());
            writer.node("Mul", name, &[&twice, &half], Vec::new())
        }
        // OpenCV 5.0 takes the operator of this name and a product after it for a hard swish, whatever is multiplied.
        Function::HardSigmoid { slope, shift } => {
            let [slope, shift, zero, one] = [("slope", slope), ("shift", shift), ("zero", 0.0), ("one", 1.0)]
                .map(|(end, value)| writer.numbers(&part(name, end), &[], &[value]));
            let scaled = writer.node("Mul", &part(name, "scaled"), &[x, &slope], Vec::new());
            let shifted = writer.node("Add", &part(name, "shifted"), &[&scaled, &shift], Vec::new());
            writer.node("Clip", name, &[&shifted, &zero, &one], Vec::new())
        }
        Function::HardSwish => {
            let attributes = vec![number("alpha", 1.0 / 6.0), number("beta", 0.5)];
            let gate = writer.node("HardSigmoid", &part(name, "gate"), &[x], attributes);
            writer.node("Mul", name, &[x, &gate], Vec::new())
        }
        Function::Sigmoid => writer.node("Sigmoid", name, &[x], Vec::new()),
        Function::Silu => {
            let gate = writer.node("Sigmoid", &part(name, "gate"), &[x], Vec::new());
            writer.node("Mul", name, &[x, &gate], Vec::new())
        }
    }
}

/// The channels of a map `[c, h, w]` as the first of each group, then the second of each, and so on.
fn shuffle(writer: &mut Writer, name: &str, x: &str, groups: usize, [c, h, w]: [usize; 3]) -> String {
    // 0 keeps the number of images.
    let shape = [0, groups, c / groups, h * w].map(|length| length as i64);
    let shape = writer.integers(&part(name, "groups"), &[4], &shape);
    let grouped = writer.node("Reshape", &part(name, "grouped"), &[x, &shape], Vec::new());
    let order = vec![integers("perm", &[0, 2, 1, 3])];
    let turned = writer.node("Transpose", &part(name, "turned"), &[&grouped], order);
    let shape = writer.integers(&part(name, "shape"), &[4], &[0, c, h, w].map(|length| length as i64));
    writer.node("Reshape", name, &[&turned, &shape], Vec::new())
}

/// The channels of each pixel with mean 0 and variance 1, of operators that the version of the format has.
fn layer_norm(writer: &mut Writer, name: &str, x: &str, epsilon: f32) -> String {
    let over_channels = || vec![integers("axes", &[1]), integer("keepdims", 1)];
    let mean = writer.node("ReduceMean", &part(name, "mean"), &[x], over_channels());
    let centred = writer.node("Sub", &part(name, "centred"), &[x, &mean], Vec::new());
    let squares = writer.node("Mul", &part(name, "squares"), &[&centred, &centred], Vec::new());
    let variance = writer.node("ReduceMean", &part(name, "variance"), &[&squares], over_channels());
    let epsilon = writer.numbers(&part(name, "epsilon"), &[], &[epsilon]);
    let positive = writer.node("Add", &part(name, "positive"), &[&variance, &epsilon], Vec::new());
    let deviation = writer.node("Sqrt", &part(name, "deviation"), &[&positive], Vec::new());
    writer.node("Div", name, &[&centred, &deviation], Vec::new())
}

/// Zeros around a map.
fn pad(writer: &mut Writer, name: &str, x: &str, [top, left, bottom, right]: [usize; 4]) -> String {
    let sides = [0, 0, top, left, 0, 0, bottom, right].map(|side| side as i64);
    let sides = writer.integers(&part(name, "sides"), &[8], &sides);
    writer.node("Pad", name, &[x, &sides], Vec::new())
}

/// Means over a grid of `side` x `side` parts of a map `[n, c, h, w]`, which may overlap: rows and then columns
/// multiplied by the weights that they have in each part.
fn average_pool(writer: &mut Writer, name: &str, input: &str, [h, w]: [usize; 2], side: usize) -> String {
    let parts = |length: usize| (0..side).map(move |part| (part * length / side, ((part + 1) * length).div_ceil(side)));
    let weight = |(start, end): (usize, usize), at: usize| match (start..end).contains(&at) {
        true => 1.0 / (end - start) as f32,
        false => 0.0,
    };
    let rows: Vec<f32> = parts(h)
        .flat_map(|part| (0..h).map(move |row| weight(part, row)))
        .collect();
    let columns: Vec<f32> = (0..w)
        .flat_map(|column| parts(w).map(move |part| weight(part, column)))
        .collect();
    let rows = writer.numbers(&part(name, "rows"), &[side, h], &rows);
    let columns = writer.numbers(&part(name, "columns"), &[w, side], &columns);
    let across = writer.node("MatMul", &part(name, "across"), &[input, &columns], Vec::new());
    writer.node("MatMul", name, &[&rows, &across], Vec::new())
}

/// The images, and after them all of their mirror images, as one batch.
fn with_mirror_images(writer: &mut Writer, images: &str, width: usize) -> String {
    let columns: Vec<i64> = (0..width as i64).rev().collect();
    let columns = writer.integers("mirror/columns", &[width], &columns);
    let mirrored = writer.node("Gather", "mirror", &[images, &columns], vec![integer("axis", 3)]);
    writer.node("Concat", "mirror/both", &[images, &mirrored], vec![integer("axis", 0)])
}

/// The mean of the features `[2 n, c]` of images and of their mirror images.
fn mean_with_mirror_images(writer: &mut Writer, features: &str, channels: usize) -> String {
    let shape = writer.integers("mirror/shape", &[3], &[2, -1, channels as i64]);
    let pairs = writer.node("Reshape", "mirror/pairs", &[features, &shape], Vec::new());
    let axes = vec![integers("axes", &[0]), integer("keepdims", 0)];
    writer.node("ReduceMean", "mirror/mean", &[&pairs], axes)
}
