//! `lynx`, a network to train from scratch on a CPU: most of its time goes to 3x3 convolutions, which Winograd's
//! filtering makes cheap, and in half of them pooling comes before batch norm, as in airbench (Jordan 2024), so that
//! the fused block serves and batch norm sees a quarter of the values.
//!
//! | stage | map, of 160 px | channels | layers |
//! | --- | --- | --- | --- |
//! | 1 | 80 | 32 | block |
//! | 2 | 40 | 64 | block |
//! | 3 | 20 | 128 | block, residual pair |
//! | 4 | 10 | 256 | block, residual pair |
//! | 5 | 5 | 384 | block, residual pair |
//! | head | 1 | classes | global average pooling, dense |
//!
//! *Block*: 3x3 convolution, 2x2 max pooling, batch norm, ReLU. *Residual pair*: two 3x3 convolutions with batch norm,
//! around which the input goes, as in ResNet's basic block (He et al. 2016). Images may have any size from 32 pixels.

use super::graph::{Convolution, Graph, Pool, Value};
use crate::options::Activation;

/// Channels of each stage, and its residual pairs.
const STAGES: [(usize, usize); 5] = [(32, 0), (64, 0), (128, 1), (256, 1), (384, 1)];
/// Of every batch norm.
const EPSILON: f64 = 1e-5;

/// The network.
pub fn graph(classes: usize) -> Graph {
    let (mut g, mut x) = Graph::new();
    for (stage, (channels, pairs)) in (1..).zip(STAGES) {
        x = g.convolution(format!("conv{stage}"), x, Convolution::new(3, channels).without_bias());
        x = g.max_pool(format!("pool{stage}"), x, Pool::new(2, 2));
        x = g.norm(format!("norm{stage}"), x, EPSILON, Activation::Relu);
        for pair in 1..=pairs {
            x = residual(&mut g, &format!("stage{stage}.{pair}"), x, channels);
        }
    }
    g.end_features(x);
    x = g.average_pool("average", x, 1);
    g.dense("dense", x, classes, Activation::None);
    g
}

/// Two convolutions, and their input added to the result.
fn residual(g: &mut Graph, name: &str, x: Value, channels: usize) -> Value {
    let convolution = Convolution::new(3, channels).norm(EPSILON).activation(Activation::Relu);
    let y = g.convolution(format!("{name}.conv1"), x, convolution.clone());
    g.residual(format!("{name}.conv2"), y, x, convolution)
}

#[cfg(test)]
mod tests {
    use burn::Tensor;
    use burn::tensor::Device;

    use super::super::{Architecture, Mode, Network, parameters};
    use crate::values::{drawn, to_vec};

    /// With statistics and shifts as training may leave them.
    fn trained() -> Network {
        let network = Network::new(Architecture::Lynx, [64, 64], 3, 1, &Device::flex());
        let mut values = parameters::read(&network);
        for (name, tensor) in &mut values {
            let spread = |i: usize| (i * 7 % 5) as f32 / 5.0;
            for (i, value) in tensor.data.iter_mut().enumerate() {
                match name.rsplit('.').next() {
                    Some("running_var") => *value = 0.5 + spread(i),
                    Some("running_mean" | "bias") => *value = 0.3 * spread(i) - 0.1,
                    _ => {}
                }
            }
        }
        parameters::write(network, values).unwrap()
    }

    fn logits(network: &Network, pixels: &Tensor<4>) -> Vec<f32> {
        to_vec(network.forward(pixels.clone(), Mode::Infer))
    }

    fn assert_near(ours: &[f32], truth: &[f32], what: &str) {
        let largest = truth.iter().fold(0f32, |most, value| most.max(value.abs()));
        let error = ours
            .iter()
            .zip(truth)
            .fold(0f32, |most, (a, b)| most.max((a - b).abs()));
        assert!(error < 1e-4 * largest, "{what}: {ours:?} {truth:?}");
    }

    #[test]
    fn folded_fused_and_read_back_it_answers_the_same() {
        let network = trained();
        for side in [32, 47, 64] {
            let pixels = drawn([2, side, side, 3], 0.0, 1.0, &mut 1);
            let truth = logits(&network.clone().unfused(), &pixels);
            assert_near(&logits(&network, &pixels), &truth, "fused");
            let folded = network.folded(|_| true);
            assert_near(&logits(&folded, &pixels), &truth, "folded");
            let graph = Architecture::Lynx.graph([64, 64], 3);
            let at_once = Network::assemble_folded(graph, parameters::read(&network), &Device::flex()).unwrap();
            assert_eq!(logits(&at_once, &pixels), logits(&folded, &pixels));
            let values = parameters::read(&folded);
            assert!(values.contains_key("conv1.bias") && !values.keys().any(|name| name.contains("norm")));
            let read = Network::assemble(Architecture::Lynx.graph([64, 64], 3), values, &Device::flex()).unwrap();
            assert_eq!(logits(&read, &pixels), logits(&folded, &pixels));
            let partly = network.folded(|name| name == "norm2" || name == "stage4.1.conv2");
            assert_near(&logits(&partly, &pixels), &truth, "partly folded");
        }
    }

    #[test]
    fn as_many_filters_as_there_are_channels_begin_as_the_identity() {
        let network = Network::new(Architecture::Lynx, [32, 32], 2, 0, &Device::flex());
        let weights = &parameters::read(&network)["conv2.weight"];
        assert_eq!(weights.shape, [64, 32, 3, 3]);
        for (filter, values) in weights.data.chunks(32 * 9).enumerate() {
            let ones: Vec<_> = (0..values.len()).filter(|&i| values[i] == 1.0).collect();
            match filter < 32 {
                true => assert_eq!((ones, values.iter().sum::<f32>()), (vec![filter * 9 + 4], 1.0)),
                false => assert!(values.iter().all(|value| value.abs() <= 1.0 / (32.0f32 * 9.0).sqrt())),
            }
        }
    }
}
