//! What inference needs of the kernels, on every instruction set there is, against naive loops in f64. It runs where the
//! tests cannot: `.ci/wasm` builds it for WebAssembly with each of its vector instructions and runs it in Node.

use pelage_kernels::convolution::{self, Activation, Geometry, Link};
use pelage_kernels::isa::Isa;
use pelage_kernels::{conv_block, dense};

#[path = "../tests/support/mod.rs"]
mod support;
use support::{activated, noise, products};

fn main() {
    // Not the portable source by mistake.
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    assert_eq!(Isa::best().name(), "simd128");
    for isa in Isa::available() {
        convolutions(isa);
        chain(isa);
        blocks(isa);
        layers(isa);
    }
}

/// That single precision was enough.
fn near(what: &str, ours: &[f32], truth: &[f64]) {
    support::assert_near(what, ours, truth, 1, 2e-5);
}

/// The definition of a convolution.
fn naive(g: &Geometry, input: &[f32], weights: &[f32], bias: &[f32]) -> Vec<f64> {
    let bias = (0..g.output_len()).map(|at| f64::from(bias[at % g.out_channels]));
    let mut output: Vec<f64> = bias.collect();
    products(g, |o, i, w| output[o] += f64::from(input[i]) * f64::from(weights[w]));
    output
}

fn geometry(size: [usize; 2], channels: [usize; 2], kernel: usize, stride: usize, groups: usize) -> Geometry {
    Geometry {
        batch: 2,
        height: size[0],
        width: size[1],
        in_channels: channels[0],
        out_channels: channels[1],
        kernel: [kernel; 2],
        stride: [stride; 2],
        padding: [kernel / 2; 4],
        groups,
    }
}

/// Every path, with numbers of channels and pixels that fill no tile.
fn convolutions(isa: Isa) {
    let mut activations = Activation::ALL.into_iter().cycle();
    for channels in [[3, 8], [8, 8], [16, 24], [19, 13], [32, 33]] {
        for size in [[1, 1], [5, 7], [9, 4], [14, 14]] {
            for (kernel, stride) in [(1, 1), (1, 2), (3, 1), (3, 2), (5, 1)] {
                let dense = geometry(size, channels, kernel, stride, 1);
                let depthwise = geometry(size, [channels[1]; 2], kernel, stride, channels[1]);
                let grouped = geometry(size, channels.map(|count| 2 * count), kernel, stride, 2);
                for g in [dense, depthwise, grouped] {
                    let activation = activations.next().unwrap_or(Activation::None);
                    let (input, weights) = (noise(1, g.input_len()), noise(2, g.weight_len()));
                    let (bias, residual) = (noise(3, g.out_channels), noise(4, g.output_len()));
                    let packed = convolution::pack(isa, &g, &weights, Some(&bias));
                    let ours = convolution::forward_new(isa, &g, &input, &packed, Some(&residual), activation);
                    let sums = naive(&g, &input, &weights, &bias);
                    let truth = sums.iter().zip(&residual).map(|(sum, more)| sum + f64::from(*more));
                    let truth: Vec<_> = truth.map(|sum| activated(activation, sum)).collect();
                    near(&format!("{} {g:?} {activation:?}", isa.name()), &ours, &truth);
                }
            }
        }
    }
}

fn chain(isa: Isa) {
    let expand = geometry([12, 9], [16, 96], 1, 1, 1);
    let spread = geometry([12, 9], [96, 96], 3, 2, 96);
    let project = geometry([6, 5], [96, 24], 1, 1, 1);
    let activations = [Activation::Relu6, Activation::Relu6, Activation::None];
    let all = [expand, spread, project];
    let parts = [1, 2, 3].map(|seed| {
        let g = all[seed as usize - 1];
        (noise(seed, g.weight_len()), noise(10 + seed, g.out_channels))
    });
    let packed = [0, 1, 2].map(|i| convolution::pack(isa, &all[i], &parts[i].0, Some(&parts[i].1)));
    let links = [0, 1, 2].map(|i| Link {
        geometry: all[i],
        packed: &packed[i],
        activation: activations[i],
    });
    let input = noise(5, expand.input_len());
    let ours = convolution::forward_chain_new(isa, &links, &input, None);
    let (mut values, mut truth) = (input, Vec::new());
    for ((g, (weights, bias)), activation) in all.iter().zip(&parts).zip(activations) {
        let sums = naive(g, &values, weights, bias);
        truth = sums.into_iter().map(|sum| activated(activation, sum)).collect();
        values = truth.iter().map(|&value| value as f32).collect();
    }
    near(&format!("{} chain", isa.name()), &ours, &truth);
}

/// Convolution, ReLU and pooling in one go.
fn blocks(isa: Isa) {
    for channels in [[3, 32], [16, 16], [32, 64], [5, 7]] {
        for size in [[2, 2], [12, 15], [21, 8]] {
            let g = geometry(size, channels, 3, 1, 1);
            let shape = conv_block::Shape {
                batch: g.batch,
                height: size[0],
                width: size[1],
                in_channels: channels[0],
                out_channels: channels[1],
            };
            let (input, weights) = (noise(6, g.input_len()), noise(7, g.weight_len()));
            let bias = noise(8, g.out_channels);
            let packed = conv_block::pack(isa, shape, &weights, &bias);
            let mut ours = vec![0.0; shape.output_len()];
            let mut winners = vec![0; shape.output_len()];
            let relu = conv_block::Activation::Relu;
            conv_block::forward(isa, shape, relu, &input, &packed, &mut ours, &mut winners);
            let sums = naive(&g, &input, &weights, &bias);
            let (height, width, channels) = (shape.pooled_height(), shape.pooled_width(), channels[1]);
            let pooled = (0..shape.output_len()).map(|at| {
                let (pixel, c) = (at / channels, at % channels);
                let (row, x) = (pixel / width, pixel % width);
                let (n, y) = (row / height, row % height);
                let corner =
                    |dy: usize, dx: usize| sums[((n * size[0] + 2 * y + dy) * size[1] + 2 * x + dx) * channels + c];
                [corner(0, 0), corner(0, 1), corner(1, 0), corner(1, 1)]
                    .into_iter()
                    .fold(0.0, f64::max)
            });
            near(&format!("{} {shape:?}", isa.name()), &ours, &pooled.collect::<Vec<_>>());
        }
    }
}

fn layers(isa: Isa) {
    for [batch, inputs, outputs] in [[1, 7, 3], [2, 1280, 10], [3, 2050, 5]] {
        let shape = dense::Shape { batch, inputs, outputs };
        let (input, weights) = (noise(1, batch * inputs), noise(2, outputs * inputs));
        let bias = noise(3, outputs);
        let mut ours = vec![0.0; batch * outputs];
        dense::forward(isa, shape, dense::Activation::Relu, &input, &weights, &bias, &mut ours);
        let truth = (0..batch * outputs).map(|at| {
            let (row, column) = (
                &input[at / outputs * inputs..][..inputs],
                &weights[at % outputs * inputs..],
            );
            let products = row.iter().zip(column).map(|(a, b)| f64::from(*a) * f64::from(*b));
            (f64::from(bias[at % outputs]) + products.sum::<f64>()).max(0.0)
        });
        near(&format!("{} {shape:?}", isa.name()), &ours, &truth.collect::<Vec<_>>());
    }
}
