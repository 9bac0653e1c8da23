//! One kernel on one thread, so that its instructions can be counted, as `.ci/instructions` does: `count NAME TIMES`.
//! Without a name, the names are printed.

use pelage_kernels::conv_block::{self, Shape};
use pelage_kernels::convolution::{self, Activation, Geometry, Link};
use pelage_kernels::isa::Isa;

/// What is counted.
const NAMES: [&str; 6] = [
    "block_forward",
    "block_backward",
    "winograd",
    "pointwise",
    "depthwise",
    "chain",
];

fn main() {
    let mut arguments = std::env::args().skip(1);
    let Some(name) = arguments.next() else {
        return println!("{}", NAMES.join("\n"));
    };
    let times = arguments.next().and_then(|times| times.parse().ok()).unwrap_or(1);
    let isa = Isa::from_environment().unwrap_or_else(|unavailable| panic!("{unavailable}"));
    let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    alone.install(|| match name.as_str() {
        "block_forward" => block(isa, false, times),
        "block_backward" => block(isa, true, times),
        "winograd" => convolve(isa, &geometry(28, [64, 64], 3, 1), times),
        "pointwise" => convolve(isa, &geometry(28, [96, 96], 1, 1), times),
        "depthwise" => convolve(isa, &geometry(56, [96, 96], 3, 96), times),
        "chain" => chain(isa, times),
        _ => panic!("no kernel is called '{name}'"),
    });
}

fn geometry(side: usize, [in_channels, out_channels]: [usize; 2], kernel: usize, groups: usize) -> Geometry {
    Geometry {
        batch: 1,
        height: side,
        width: side,
        in_channels,
        out_channels,
        kernel: [kernel; 2],
        stride: [1; 2],
        padding: [kernel / 2; 4],
        groups,
    }
}

/// Small values, both signs.
fn values(len: usize) -> Vec<f32> {
    (0..len).map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0).collect()
}

fn convolve(isa: Isa, g: &Geometry, times: usize) {
    let packed = convolution::pack(isa, g, &values(g.weight_len()), None);
    let input = values(g.input_len());
    for _ in 0..times {
        std::hint::black_box(convolution::forward_new(
            isa,
            g,
            &input,
            &packed,
            None,
            Activation::Relu,
        ));
    }
}

/// Expansion, depthwise convolution and projection.
fn chain(isa: Isa, times: usize) {
    let geometries = [
        geometry(28, [32, 192], 1, 1),
        geometry(28, [192, 192], 3, 192),
        geometry(28, [192, 32], 1, 1),
    ];
    let packed = geometries.map(|g| convolution::pack(isa, &g, &values(g.weight_len()), None));
    let link = |i: usize| Link {
        geometry: geometries[i],
        packed: &packed[i],
        activation: Activation::Relu6,
    };
    let input = values(geometries[0].input_len());
    for _ in 0..times {
        std::hint::black_box(convolution::forward_chain_new(isa, &[0, 1, 2].map(link), &input, None));
    }
}

/// A block of cnn3; `backward` to weights and input, with what the forward pass leaves for it.
fn block(isa: Isa, backward: bool, times: usize) {
    let shape = Shape {
        batch: 2,
        height: 36,
        width: 36,
        in_channels: 32,
        out_channels: 32,
    };
    let (input, weights, bias) = (values(shape.input_len()), values(shape.weight_len()), vec![0.0; 32]);
    let packed = conv_block::pack(isa, shape, &weights, &bias);
    let relu = conv_block::Activation::Relu;
    let forward = || conv_block::forward_new(isa, shape, relu, &input, &packed);
    if !backward {
        return (0..times).for_each(|_| drop(std::hint::black_box(forward())));
    }
    let (output, winners) = forward();
    let (mut grad_weights, mut grad_bias) = (vec![0.0; weights.len()], bias);
    let mut grad_input = vec![0.0; input.len()];
    for _ in 0..times {
        conv_block::backward(
            isa,
            shape,
            &input,
            &weights,
            &winners,
            &output,
            &mut grad_weights,
            &mut grad_bias,
            Some(&mut grad_input),
        );
    }
}
