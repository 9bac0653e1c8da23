//! The forward pass through a network or a part of it.

use burn::Tensor;
use pelage_kernels::split_mix::hash;

use super::graph::Operation;
use super::layer::Layer;
use super::network::{Mode, Network};
use crate::ops;

/// Receives the name and output of every operation; returns the value that the network continues with.
pub type Tap<'a> = dyn FnMut(&str, Tensor<4>) -> Tensor<4> + 'a;

impl Network {
    /// Logits `[n, classes]` for pixels `[n, h, w, 3]`.
    pub fn forward(&self, pixels: Tensor<4>, mode: Mode) -> Tensor<2> {
        self.forward_with(pixels, mode, &mut |_, value| value)
    }

    /// The same with a `tap`, which receives the name and output of every operation and returns the value that the
    /// network continues with: the output itself, or another tensor of that shape. Of fused operations (a
    /// convolution with its max pooling in `cnn3`, `lynx` and VGG; MobileNet's expansion, depthwise convolution and
    /// projection) it sees only the last output, unless the network is [`Network::unfused`].
    pub fn forward_with(&self, pixels: Tensor<4>, mode: Mode, tap: &mut Tap) -> Tensor<2> {
        self.run(pixels, 0, self.graph.nodes.len() - 1, mode, tap).flatten(1, 3)
    }

    /// The output of node `to` of the graph for pixels `[n, h, w, 3]`; `tap` sees the outputs before it.
    pub fn forward_to(&self, pixels: Tensor<4>, to: usize, tap: &mut Tap) -> Tensor<4> {
        self.run(pixels, 0, to, Mode::Infer, tap)
    }

    /// The last feature map `[n, h', w', c]` for pixels `[n, h, w, 3]`.
    pub fn features(&self, pixels: Tensor<4>) -> Tensor<4> {
        self.run(pixels, 0, self.graph.features, Mode::Infer, &mut |_, value| value)
    }

    /// The channel means of the last feature map, `[n, c]`, for pixels `[n, h, w, 3]`.
    pub fn pooled_features(&self, pixels: Tensor<4>) -> Tensor<2> {
        ops::global_average_pool(self.features_in_pieces(pixels)).flatten(1, 3)
    }

    /// Logits `[n, classes]` for the last feature map, as returned by [`Network::features`].
    pub fn head(&self, features: Tensor<4>) -> Tensor<2> {
        self.head_with(features, &mut |_, value| value)
    }

    /// The same with a `tap`, as in [`Network::forward_with`].
    pub fn head_with(&self, features: Tensor<4>, tap: &mut Tap) -> Tensor<2> {
        let (from, to) = (self.graph.features, self.graph.nodes.len() - 1);
        self.run(features, from, to, Mode::Infer, tap).flatten(1, 3)
    }

    /// Runs the nodes after `from`, whose output is `start`, up to `to`.
    pub(super) fn run(&self, start: Tensor<4>, from: usize, to: usize, mode: Mode, tap: &mut Tap) -> Tensor<4> {
        let nodes = &self.graph.nodes[..=to];
        let mut readers = vec![0usize; nodes.len()];
        nodes[from + 1..]
            .iter()
            .flat_map(|node| &node.inputs)
            .for_each(|&input| readers[input] += 1);
        readers[to] += 1;
        let mut values: Vec<Option<Tensor<4>>> = vec![None; nodes.len()];
        // The last reader takes a value, so that its memory is freed as early as possible.
        let mut take = |values: &mut Vec<Option<Tensor<4>>>, input: usize| {
            readers[input] -= 1;
            let value = if readers[input] == 0 {
                values[input].take()
            } else {
                values[input].clone()
            };
            // A node reads only earlier nodes, and each of those is kept until its last reader.
            value.unwrap_or_else(|| unreachable!("node {input} has been taken already"))
        };
        // The chains that lie entirely within the computed range.
        let within = |chain: &&Vec<usize>| chain[0] > from && chain.last().is_some_and(|&last| last <= to);
        let chains: Vec<_> = self.chains.values().filter(within).collect();
        values[from] = Some(if from == 0 { tap(&nodes[0].name, start) } else { start });
        for (i, node) in nodes.iter().enumerate().skip(from + 1) {
            let chain = chains.iter().find(|chain| chain.contains(&i));
            if let Some(chain) = chain {
                if chain.last() == Some(&i) {
                    let input = take(&mut values, nodes[chain[0]].inputs[0]);
                    let residual = node.inputs.get(1).map(|&input| take(&mut values, input));
                    values[i] = Some(tap(&node.name, self.chain(chain, input, residual)));
                }
                continue;
            }
            let mut inputs: Vec<_> = node.inputs.iter().map(|&input| take(&mut values, input)).collect();
            values[i] = Some(match (&node.operation, self.layers.get(&node.name)) {
                (Operation::Convolution(convolution), Some(Layer::Convolution(layer))) if self.blocks.contains(&i) => {
                    // Fused with its pooling; the convolution's own output is never materialized.
                    layer.forward_block(inputs.swap_remove(0), convolution.activation)
                }
                (Operation::MaxPool(_), _) if self.blocks.contains(&(i - 1)) => tap(&node.name, inputs.swap_remove(0)),
                _ => tap(&node.name, self.node(i, inputs, mode)),
            });
        }
        take(&mut values, to)
    }

    /// Applies the convolutions of `chain` to `input` in order.
    fn chain(&self, chain: &[usize], input: Tensor<4>, residual: Option<Tensor<4>>) -> Tensor<4> {
        let [_, h, w, _] = input.dims();
        let mut size = [h, w];
        let mut links = Vec::new();
        for &i in chain {
            let node = &self.graph.nodes[i];
            let (Operation::Convolution(convolution), Some(Layer::Convolution(layer))) =
                (&node.operation, self.layers.get(&node.name))
            else {
                unreachable!("`Graph::chain` gives convolutions")
            };
            links.push(layer.link(convolution, size));
            size = convolution.output_size(size);
        }
        ops::convolution_chain(input, links, residual)
    }

    /// Applies node `i` alone to its inputs.
    pub fn node(&self, i: usize, mut inputs: Vec<Tensor<4>>, mode: Mode) -> Tensor<4> {
        let node = &self.graph.nodes[i];
        let x = inputs.remove(0);
        let learns = matches!(mode, Mode::Train { .. }) && !self.is_frozen(&node.name);
        let training = (learns && !self.fixed_norms).then_some(&self.batch);
        match (&node.operation, self.layers.get(&node.name)) {
            (Operation::Convolution(convolution), Some(Layer::Convolution(layer))) => {
                layer.forward(x, inputs.pop(), convolution, training)
            }
            (Operation::Norm(norm), layer) => match (norm.epsilon, layer) {
                (Some(epsilon), Some(Layer::Norm(layer))) => layer.forward(x, epsilon, norm.activation, training),
                _ => norm.activation.apply(x),
            },
            (Operation::Tokens { grid }, Some(Layer::Tokens(layer))) => layer.forward(x, *grid),
            (Operation::Attention { heads }, _) => ops::attention(x, *heads),
            (Operation::First, _) => {
                let [n, _, _, c] = x.dims();
                x.slice([0..n, 0..1, 0..1, 0..c])
            }
            (Operation::Dense { activation }, Some(Layer::Dense(layer))) => layer.forward(x, *activation),
            (Operation::MaxPool(pool), _) => {
                let [_, h, w, _] = x.dims();
                ops::max_pool(x, pool.kernel, pool.stride, pool.padding([h, w]))
            }
            (Operation::MeanPool(pool), _) => {
                let [_, h, w, _] = x.dims();
                ops::mean_pool(x, pool.kernel, pool.stride, pool.padding([h, w]), pool.shares([h, w]))
            }
            (Operation::Add, _) => x + inputs.remove(0),
            (Operation::Multiply, _) => x * inputs.remove(0),
            (Operation::Function(function), _) => function.apply(x),
            (Operation::Channels { first, count }, _) => x.narrow(3, *first, *count),
            (Operation::Shuffle { groups }, _) => {
                let [n, h, w, c] = x.dims();
                let grouped = x.reshape([n, h, w, *groups, c / groups]);
                grouped.swap_dims(3, 4).reshape([n, h, w, c])
            }
            (Operation::LayerNorm { epsilon }, _) => {
                let centred = x.clone() - x.mean_dim(3);
                let variance = centred.clone().square().mean_dim(3);
                centred / (variance + *epsilon).sqrt()
            }
            (Operation::Pad([top, left, bottom, right]), _) => padded(x, [*top, *left, *bottom, *right]),
            (Operation::Concatenate, _) => {
                inputs.insert(0, x);
                Tensor::cat(inputs, 3)
            }
            (Operation::AveragePool { side }, _) => ops::average_pool(x, [*side; 2]),
            (Operation::Flatten, _) => {
                let [n, h, w, c] = x.dims();
                x.reshape([n, 1, 1, h * w * c])
            }
            (Operation::Dropout(rate), _) => {
                let is_dropout = |node: &&super::graph::Node| matches!(node.operation, Operation::Dropout(_));
                let number = self.graph.nodes[..=i].iter().filter(is_dropout).count();
                drop(x, *rate, number as u64, mode)
            }
            _ => unreachable!("`build` gives every node its layer, and the input is not computed"),
        }
    }
}

/// With zeros around the map: top, left, bottom, right.
fn padded(x: Tensor<4>, [top, left, bottom, right]: [usize; 4]) -> Tensor<4> {
    let [n, h, w, c] = x.dims();
    let zeros = Tensor::zeros([n, h + top + bottom, w + left + right, c], &x.device());
    zeros.slice_assign([0..n, top..top + h, left..left + w, 0..c], x)
}

/// Inverted dropout (Srivastava et al. 2014): a counter-based mask, so that a resumed run draws the same one.
fn drop(x: Tensor<4>, probability: f32, layer: u64, mode: Mode) -> Tensor<4> {
    let Mode::Train { seed, step, first } = mode else {
        return x;
    };
    let key = mask_key(seed, step, layer);
    let shape = x.dims();
    ops::dropout(x.flatten(1, 3), key, probability, first).reshape(shape)
}

/// A distinct key for every mask of a run.
fn mask_key(seed: u64, step: u64, layer: u64) -> u64 {
    [step, layer].into_iter().fold(hash(seed), |key, part| hash(key ^ part))
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::super::Head;
    use super::*;
    use crate::values::to_vec;

    #[test]
    fn no_two_masks_of_a_run_are_the_same() {
        let mut seen = std::collections::HashSet::new();
        for step in 0..200 {
            for layer in 1..40 {
                assert!(seen.insert(mask_key(7, step, layer)), "step {step}, layer {layer}");
            }
        }
        assert!(!seen.contains(&mask_key(8, 0, 1)));
    }

    #[test]
    fn every_dropout_of_a_network_and_every_step_draws_its_own_mask() {
        let head = Head {
            hidden: vec![(64, 0.5), (64, 0.5)],
            ..Head::linear()
        };
        let device = Device::flex();
        let network = Network::of_head(&head, [1, 1, 8], 2, 0, &device);
        let mut masks = Vec::new();
        for step in [0, 1] {
            // All other outputs become ones, so that a dropout's output is its mask.
            let mut tap = |name: &str, value: Tensor<4>| match name.contains("dropout") {
                true => {
                    masks.push(to_vec(value.clone()));
                    value
                }
                false => value.ones_like(),
            };
            network.forward_with(
                Tensor::ones([1, 1, 1, 8], &device),
                Mode::Train {
                    seed: 7,
                    step,
                    first: 0,
                },
                &mut tap,
            );
        }
        assert_eq!(masks.len(), 4);
        for (i, mask) in masks.iter().enumerate() {
            assert!(mask.contains(&0.0) && mask.contains(&2.0), "{mask:?}");
            assert!(!masks[..i].contains(mask), "mask {i} is another's");
        }
    }
}
