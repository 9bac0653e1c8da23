//! A network as data: its operations in execution order. The forward pass, the summary, the names and shapes of all
//! parameters and the multiply-add counts come from this one description.

use super::function::Function;
pub use super::windows::{Padding, Pool};
use crate::options::{Activation, Options};

/// The output of an operation, for use as input of later ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value(pub(crate) usize);

/// One operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Its name; its parameters are named `name.weight`, `name.bias` and so on.
    pub name: String,
    /// What it computes.
    pub operation: Operation,
    /// The nodes it reads.
    pub inputs: Vec<usize>,
    /// Channels of its output.
    pub channels: usize,
}

/// What a node computes.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// The pixels, `[n, h, w, 3]`.
    Input,
    /// See [`Convolution`]; a second input is added before the activation.
    Convolution(Convolution),
    /// The maximum of each window.
    MaxPool(Pool),
    /// See [`Norm`].
    Norm(Norm),
    /// The inputs, concatenated along the channels.
    Concatenate,
    /// Means over a grid of `side` x `side` parts of the map; 1 means global average pooling.
    AveragePool {
        /// Rows and columns of the output grid.
        side: usize,
    },
    /// `[n, h, w, c]` to `[n, 1, 1, h * w * c]`.
    Flatten,
    /// A dense layer over `[n, 1, 1, c]`.
    Dense {
        /// The activation that follows.
        activation: Activation,
    },
    /// Sets this fraction of the values to zero in training.
    Dropout(f32),
    /// The mean of each window, of those of its pixels that lie on the map.
    MeanPool(Pool),
    /// The sum of two inputs.
    Add,
    /// The product of two inputs. The second one may be a vector, `[n, 1, 1, c]`: a factor for each channel.
    Multiply,
    /// A function of each value.
    Function(Function),
    /// Zeros around the map: top, left, bottom, right.
    Pad([usize; 4]),
    /// Some of the channels.
    Channels {
        /// The first one.
        first: usize,
        /// How many.
        count: usize,
    },
    /// The channels in another order (ShuffleNet, Zhang et al. 2018): the first of each of `groups` groups, then the
    /// second of each, and so on.
    Shuffle {
        /// How many groups.
        groups: usize,
    },
    /// Layer norm (Ba et al. 2016) without scale and shift: the channels of each pixel, with mean 0 and variance 1.
    LayerNorm {
        /// Added to the variance.
        epsilon: f32,
    },
    /// `[n, h, w, c]` to a row of tokens `[n, 1, 1 + h * w, c]`, each with its position added; the first one is a
    /// parameter. Positions are learnt on a grid of `grid` x `grid`, see [`positions`](super::positions).
    Tokens {
        /// Rows and columns of the grid.
        grid: usize,
    },
    /// Attention among all pixels (Vaswani et al. 2017, section 3.2) by queries, keys and values that lie side by side
    /// in the channels, of which a third is left.
    Attention {
        /// How many parts of the channels attend independently.
        heads: usize,
    },
    /// The first pixel alone.
    First,
}

/// A convolution with what follows it: batch norm or bias, residual sum, activation.
#[derive(Clone, Debug, PartialEq)]
pub struct Convolution {
    /// Channels of the output.
    pub channels: usize,
    /// Rows and columns of the kernel.
    pub kernel: usize,
    /// Stride in pixels.
    pub stride: usize,
    /// Zero padding.
    pub padding: Padding,
    /// Groups of channels that are convolved independently.
    pub groups: usize,
    /// Whether there is a bias, where no batch norm takes its place.
    pub bias: bool,
    /// The epsilon of the batch norm that replaces the bias, if there is one.
    pub norm: Option<f64>,
    /// The activation that follows.
    pub activation: Activation,
}

/// A batch norm on its own, without a scale, for networks that pool between convolution and norm: the next convolution
/// scales as well, and a norm that never changes the sign can be folded through max pooling.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Norm {
    /// Added to the variance; none: the norm is folded into the convolution before it, and nothing is left of it.
    pub epsilon: Option<f64>,
    /// The activation that follows.
    pub activation: Activation,
}

impl Node {
    /// The activation applied to the output, if the operation has one.
    pub fn activation(&self) -> Activation {
        match &self.operation {
            Operation::Convolution(convolution) => convolution.activation,
            Operation::Norm(norm) => norm.activation,
            Operation::Dense { activation } => *activation,
            _ => Activation::None,
        }
    }

    /// Rows and columns of its output for a first input of `[h, w]`.
    pub(super) fn output_size(&self, from: [usize; 2]) -> [usize; 2] {
        match &self.operation {
            Operation::Convolution(c) => c.output_size(from),
            Operation::MaxPool(pool) | Operation::MeanPool(pool) => pool.output_size(from),
            Operation::AveragePool { side } => [*side; 2],
            Operation::Flatten | Operation::First => [1, 1],
            Operation::Tokens { .. } => [1, 1 + from[0] * from[1]],
            Operation::Pad([top, left, bottom, right]) => [from[0] + top + bottom, from[1] + left + right],
            Operation::Input
            | Operation::Norm(_)
            | Operation::Concatenate
            | Operation::Dense { .. }
            | Operation::Dropout(_)
            | Operation::Add
            | Operation::Multiply
            | Operation::Channels { .. }
            | Operation::Shuffle { .. }
            | Operation::LayerNorm { .. }
            | Operation::Attention { .. }
            | Operation::Function(_) => from,
        }
    }
}

impl Convolution {
    /// With 'same' padding and bias, stride 1.
    pub fn new(kernel: usize, channels: usize) -> Self {
        Convolution {
            channels,
            kernel,
            stride: 1,
            padding: Padding::Each(kernel / 2),
            groups: 1,
            bias: true,
            norm: None,
            activation: Activation::None,
        }
    }

    /// With another stride.
    pub fn stride(self, stride: usize) -> Self {
        Convolution { stride, ..self }
    }

    /// With another padding.
    pub fn padding(self, padding: Padding) -> Self {
        Convolution { padding, ..self }
    }

    /// One group per channel.
    pub fn depthwise(self) -> Self {
        Convolution {
            groups: self.channels,
            ..self
        }
    }

    /// Without a bias.
    pub fn without_bias(self) -> Self {
        Convolution { bias: false, ..self }
    }

    /// With batch norm (Ioffe and Szegedy 2015) instead of a bias.
    pub fn norm(self, epsilon: f64) -> Self {
        Convolution {
            norm: Some(epsilon),
            ..self
        }
    }

    /// With an activation.
    pub fn activation(self, activation: Activation) -> Self {
        Convolution { activation, ..self }
    }

    /// The options of the operation for an input of `[h, w]`.
    pub fn options(&self, [h, w]: [usize; 2]) -> Options {
        Options {
            stride: self.stride,
            padding: self.padding.around(self.kernel, self.stride, [h, w]),
            groups: self.groups,
            activation: self.activation,
        }
    }

    /// Rows and columns of the output for an input of `[h, w]`.
    pub fn output_size(&self, [h, w]: [usize; 2]) -> [usize; 2] {
        let [top, left, bottom, right] = self.options([h, w]).padding;
        [h + top + bottom, w + left + right].map(|size| (size - self.kernel) / self.stride + 1)
    }
}

/// The operations of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Graph {
    pub(crate) nodes: Vec<Node>,
    /// The node whose output is the last feature map; the nodes after it are the head.
    pub(crate) features: usize,
}

impl Graph {
    /// An empty network, and its input.
    pub fn new() -> (Self, Value) {
        Self::with_channels(3)
    }

    /// The same with another number of input channels than three.
    pub fn with_channels(channels: usize) -> (Self, Value) {
        let input = Node {
            name: "input".into(),
            operation: Operation::Input,
            inputs: Vec::new(),
            channels,
        };
        (
            Graph {
                nodes: vec![input],
                features: 0,
            },
            Value(0),
        )
    }

    /// Every operation in execution order.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The node whose output is the last feature map.
    pub fn features(&self) -> usize {
        self.features
    }

    /// Marks `value` as the last feature map: the nodes added from now on are the head.
    pub fn end_features(&mut self, value: Value) {
        self.features = value.0;
    }

    /// Removes the head and returns the last feature map, ready for another head.
    pub fn behead(&mut self) -> Value {
        self.nodes.truncate(self.features + 1);
        Value(self.features)
    }

    /// Adds a convolution.
    pub fn convolution(&mut self, name: impl Into<String>, input: Value, convolution: Convolution) -> Value {
        let channels = convolution.channels;
        self.add(name, Operation::Convolution(convolution), &[input], channels)
    }

    /// Adds a convolution with a `residual` that is added before the activation.
    pub fn residual(
        &mut self,
        name: impl Into<String>,
        input: Value,
        residual: Value,
        convolution: Convolution,
    ) -> Value {
        let channels = convolution.channels;
        self.add(name, Operation::Convolution(convolution), &[input, residual], channels)
    }

    /// Adds a max pooling.
    pub fn max_pool(&mut self, name: impl Into<String>, input: Value, pool: Pool) -> Value {
        self.add(name, Operation::MaxPool(pool), &[input], self.channels(input))
    }

    /// Adds a batch norm without a scale, and an activation.
    pub fn norm(&mut self, name: impl Into<String>, input: Value, epsilon: f64, activation: Activation) -> Value {
        let epsilon = Some(epsilon);
        let norm = Norm { epsilon, activation };
        self.add(name, Operation::Norm(norm), &[input], self.channels(input))
    }

    /// Adds a concatenation of channels.
    pub fn concatenate(&mut self, name: impl Into<String>, inputs: &[Value]) -> Value {
        let channels = inputs.iter().map(|&input| self.channels(input)).sum();
        self.add(name, Operation::Concatenate, inputs, channels)
    }

    /// Adds an average pooling to `side` x `side`.
    pub fn average_pool(&mut self, name: impl Into<String>, input: Value, side: usize) -> Value {
        self.add(name, Operation::AveragePool { side }, &[input], self.channels(input))
    }

    /// Flattens a map of `[h, w]`.
    pub fn flatten(&mut self, name: impl Into<String>, input: Value, [h, w]: [usize; 2]) -> Value {
        self.add(name, Operation::Flatten, &[input], h * w * self.channels(input))
    }

    /// Adds a dense layer.
    pub fn dense(&mut self, name: impl Into<String>, input: Value, outputs: usize, activation: Activation) -> Value {
        self.add(name, Operation::Dense { activation }, &[input], outputs)
    }

    /// Adds a dropout.
    pub fn dropout(&mut self, name: impl Into<String>, input: Value, rate: f32) -> Value {
        self.add(name, Operation::Dropout(rate), &[input], self.channels(input))
    }

    /// Adds any operation; its channels follow from it and its inputs.
    pub fn put(&mut self, name: impl Into<String>, operation: Operation, inputs: &[Value]) -> Value {
        let channels = match &operation {
            Operation::Convolution(convolution) => convolution.channels,
            Operation::Channels { count, .. } => *count,
            Operation::Attention { .. } => inputs.first().map_or(0, |&input| self.channels(input) / 3),
            // Of graphs that are not checked yet too.
            Operation::Concatenate => inputs
                .iter()
                .fold(0usize, |sum, &input| sum.saturating_add(self.channels(input))),
            _ => inputs.first().map_or(0, |&input| self.channels(input)),
        };
        self.add(name, operation, inputs, channels)
    }

    /// Channels of a value.
    pub fn channels(&self, value: Value) -> usize {
        self.nodes[value.0].channels
    }

    fn add(&mut self, name: impl Into<String>, operation: Operation, inputs: &[Value], channels: usize) -> Value {
        let inputs = inputs.iter().map(|input| input.0).collect();
        self.nodes.push(Node {
            name: name.into(),
            operation,
            inputs,
            channels,
        });
        Value(self.nodes.len() - 1)
    }

    /// Rows and columns of each node's output for images of `size` `[h, w]`.
    pub fn sizes(&self, size: [usize; 2]) -> Vec<[usize; 2]> {
        let mut sizes: Vec<[usize; 2]> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let from = node.inputs.first().map_or(size, |&input| sizes[input]);
            sizes.push(node.output_size(from));
        }
        sizes
    }
}
