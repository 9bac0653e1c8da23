//! What inference needs of the kernels, on every instruction set there is, against naive loops in f64. It runs where the
//! tests cannot: `.ci/wasm` builds it for WebAssembly with each of its vector instructions and runs it in Node.

use pelage_kernels::convolution::{self, Activation, Geometry, Link};
use pelage_kernels::isa::Isa;
use pelage_kernels::{conv_block, dense};

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

/// Numbers from -0.5 to 0.5.
fn noise(seed: u64, len: usize) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    (0..len).map(|_| next()).collect()
}

fn assert_near(what: &str, ours: &[f32], truth: &[f64]) {
    assert_eq!(ours.len(), truth.len(), "{what}");
    let largest = truth.iter().fold(0.05, |most: f64, value| most.max(value.abs()));
    for (ours, truth) in ours.iter().zip(truth) {
        // Written so that NaN fails.
        let near = (f64::from(*ours) - truth).abs() <= 2e-5 * largest;
        assert!(
            near,
            "{what}: {ours} instead of {truth}, where the largest is {largest}"
        );
    }
}

fn activated(activation: Activation, x: f64) -> f64 {
    match activation {
        Activation::None => x,
        Activation::Relu => x.max(0.0),
        Activation::Relu6 => x.clamp(0.0, 6.0),
        Activation::Silu => x / (1.0 + (-x).exp()),
    }
}

/// The definition of a convolution.
fn naive(g: &Geometry, input: &[f32], weights: &[f32], bias: &[f32]) -> Vec<f64> {
    let (cig, cog) = (g.in_channels / g.groups, g.out_channels / g.groups);
    let mut output = Vec::with_capacity(g.output_len());
    for at in 0..g.output_len() {
        let (pixel, o) = (at / g.out_channels, at % g.out_channels);
        let (row, ox) = (pixel / g.output_width(), pixel % g.output_width());
        let (n, oy) = (row / g.output_height(), row % g.output_height());
        let mut sum = f64::from(bias[o]);
        for (c, ky, kx) in
            (0..cig).flat_map(|c| (0..g.kernel[0]).flat_map(move |ky| (0..g.kernel[1]).map(move |kx| (c, ky, kx))))
        {
            let y = (oy * g.stride[0] + ky).wrapping_sub(g.padding[0]);
            let x = (ox * g.stride[1] + kx).wrapping_sub(g.padding[1]);
            if y < g.height && x < g.width {
                let value = input[((n * g.height + y) * g.width + x) * g.in_channels + o / cog * cig + c];
                let weight = weights[((o * cig + c) * g.kernel[0] + ky) * g.kernel[1] + kx];
                sum += f64::from(value) * f64::from(weight);
            }
        }
        output.push(sum);
    }
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
    let activations = [Activation::None, Activation::Relu, Activation::Relu6, Activation::Silu];
    let mut activations = activations.into_iter().cycle();
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
                    assert_near(&format!("{} {g:?} {activation:?}", isa.name()), &ours, &truth);
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
    assert_near(&format!("{} chain", isa.name()), &ours, &truth);
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
            assert_near(&format!("{} {shape:?}", isa.name()), &ours, &pooled.collect::<Vec<_>>());
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
        assert_near(&format!("{} {shape:?}", isa.name()), &ours, &truth.collect::<Vec<_>>());
    }
}
