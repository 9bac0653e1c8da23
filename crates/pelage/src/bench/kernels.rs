//! The kernels of training and inference, each against the machine's multiply-add peak.

use pelage_kernels::batch_norm::{self, Affine};
use pelage_kernels::conv_block::{self, Shape};
use pelage_kernels::convolution::{self, Activation, Geometry};
use pelage_kernels::isa::Isa;
use serde::Serialize;

use super::machine::Machine;
use super::timing::{median_seconds, noise};

/// One kernel at one size.
#[derive(Clone, Debug, Serialize)]
pub struct Speed {
    /// What it computes.
    pub name: String,
    /// Median time in milliseconds.
    pub milliseconds: f64,
    /// Operations of the direct algorithm, two per multiply-add, in 10^9 per second; a kernel that needs fewer
    /// (Winograd, or a backward pass through pooling winners alone) can exceed the peak.
    pub gflops: f64,
    /// The same as a fraction of the peak.
    pub share_of_peak: f64,
}

/// Images per run of a convolution block, as in training.
const BLOCK_BATCH: usize = 32;
/// Images per run of another convolution, as in the first layers at inference.
const BATCH: usize = 2;
/// Seconds of measurement for each.
const ENOUGH: f64 = 0.15;

/// Network, side, channels in and out, kernel, stride, whether depthwise.
const LAYERS: &[(&str, usize, usize, usize, usize, usize, bool)] = &[
    ("VGG16", 150, 64, 64, 3, 1, false),
    ("VGG16", 37, 256, 256, 3, 1, false),
    ("VGG16", 18, 512, 512, 3, 1, false),
    ("ResNet", 224, 3, 64, 7, 2, false),
    ("ResNet", 56, 64, 64, 3, 1, false),
    ("ResNet", 56, 64, 256, 1, 1, false),
    ("ResNet", 28, 256, 256, 3, 2, false),
    ("ResNet", 14, 1024, 256, 1, 1, false),
    ("ResNet", 14, 256, 256, 3, 1, false),
    ("ResNet", 7, 512, 2048, 1, 1, false),
    ("MobileNetV2", 112, 32, 32, 3, 1, true),
    ("MobileNetV2", 112, 16, 96, 1, 1, false),
    ("MobileNetV2", 56, 144, 144, 3, 2, true),
    ("MobileNetV2", 14, 384, 64, 1, 1, false),
    ("MobileNetV2", 7, 320, 1280, 1, 1, false),
    ("Lite0", 28, 240, 240, 5, 1, true),
    ("Lite0", 14, 112, 672, 1, 1, false),
];

/// Blocks of cnn3: side, channels in and out.
const BLOCKS: [(usize, usize, usize); 3] = [(150, 3, 32), (75, 32, 32), (37, 32, 64)];

/// Number of kernels that [`kernels`] measures.
pub const COUNT: usize = 2 * BLOCKS.len() + LAYERS.len() + 2;

/// Measures all of them; `observe` gets each result as it is ready.
pub fn kernels(machine: &Machine, observe: &mut dyn FnMut(&Speed)) -> Vec<Speed> {
    let mut speeds = Vec::new();
    let mut note = |name: String, operations: f64, seconds: f64| {
        let gflops = operations / seconds / 1e9;
        let speed = Speed {
            name,
            milliseconds: 1e3 * seconds,
            gflops,
            share_of_peak: gflops / machine.peak_gflops,
        };
        observe(&speed);
        speeds.push(speed);
    };
    for (side, in_channels, out_channels) in BLOCKS {
        block(side, in_channels, out_channels, &mut note);
    }
    for &(network, side, ci, co, kernel, stride, depthwise) in LAYERS {
        let geometry = Geometry {
            batch: BATCH,
            height: side,
            width: side,
            in_channels: ci,
            out_channels: co,
            kernel: [kernel; 2],
            stride: [stride; 2],
            padding: [kernel / 2; 4],
            groups: if depthwise { ci } else { 1 },
        };
        let kind = if depthwise { "depthwise" } else { "convolution" };
        let name = format!("{network}: {kind} {kernel}x{kernel} / {stride}, {side} px, {ci} to {co}");
        note(name, 2.0 * geometry.multiply_adds() as f64, convolution(&geometry));
    }
    normalization(&mut note);
    speeds
}

/// A block of cnn3: forward, and backward to weights and input.
fn block(side: usize, in_channels: usize, out_channels: usize, note: &mut impl FnMut(String, f64, f64)) {
    let (isa, shape) = (
        Isa::best(),
        Shape {
            batch: BLOCK_BATCH,
            height: side,
            width: side,
            in_channels,
            out_channels,
        },
    );
    let input: Vec<f32> = noise(1, shape.input_len()).iter().map(|x| x.max(0.0)).collect();
    let (weights, bias) = (noise(2, shape.weight_len()), vec![0.0; out_channels]);
    let (mut output, mut winners) = (vec![0.0; shape.output_len()], vec![0; shape.output_len()]);
    let plain = 18.0 * (in_channels * out_channels * side * side * BLOCK_BATCH) as f64;
    let name = format!("cnn3: block {side} px, {in_channels} to {out_channels}");
    let packed = conv_block::pack(isa, shape, &weights, &bias);
    let seconds = median_seconds(ENOUGH, || {
        conv_block::forward(
            isa,
            shape,
            conv_block::Activation::Relu,
            &input,
            &packed,
            &mut output,
            &mut winners,
        )
    });
    note(format!("{name}, forward"), plain, seconds);
    let gradient = noise(3, shape.output_len());
    let (mut grad_weights, mut grad_bias) = (vec![0.0; shape.weight_len()], bias.clone());
    // Nothing needs the gradient of the pixels.
    let mut grad_input = (in_channels > 3).then(|| vec![0.0; shape.input_len()]);
    let seconds = median_seconds(ENOUGH, || {
        conv_block::backward(
            isa,
            shape,
            &input,
            &weights,
            &winners,
            &gradient,
            &mut grad_weights,
            &mut grad_bias,
            grad_input.as_deref_mut(),
        )
    });
    let directions = if in_channels > 3 { 2.0 } else { 1.0 };
    note(format!("{name}, backward"), directions * plain, seconds);
}

fn convolution(geometry: &Geometry) -> f64 {
    let isa = Isa::best();
    let (input, weights) = (noise(1, geometry.input_len()), noise(2, geometry.weight_len()));
    let packed = convolution::pack(isa, geometry, &weights, Some(&vec![0.1; geometry.out_channels]));
    let mut output = vec![0.0; geometry.output_len()];
    median_seconds(ENOUGH, || {
        convolution::forward(isa, geometry, &input, &packed, None, Activation::Relu, &mut output)
    })
}

/// Batch norm in training over a map of MobileNetV2, bound by memory; its operations count as 4 and 9 per value.
fn normalization(note: &mut impl FnMut(String, f64, f64)) {
    let (isa, channels, pixels) = (Isa::best(), 96, 8 * 56 * 56);
    let (input, gradient) = (noise(1, channels * pixels), noise(2, channels * pixels));
    let affine = Affine {
        scale: &vec![1.0; channels],
        shift: &vec![0.0; channels],
        epsilon: 1e-5,
        activation: Activation::Relu6,
    };
    let forward = || {
        let statistics = batch_norm::statistics(isa, channels, &input);
        (batch_norm::forward(isa, &input, &statistics, &affine, None), statistics)
    };
    let values = input.len() as f64;
    let name = "batch norm 56 px, 96 channels, 8 pictures";
    let seconds = median_seconds(ENOUGH, || drop(std::hint::black_box(forward())));
    note(format!("{name}, forward"), 4.0 * values, seconds);
    let (output, statistics) = forward();
    let seconds = median_seconds(ENOUGH, || {
        drop(std::hint::black_box(batch_norm::backward(
            isa,
            &input,
            &statistics,
            &affine,
            &output,
            &gradient,
            None,
        )))
    });
    note(format!("{name}, backward"), 9.0 * values, seconds);
}
