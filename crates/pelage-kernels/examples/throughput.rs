//! Times the three blocks of cnn3 at batch 32: `cargo run --release -p pelage-kernels --example throughput`.

use std::time::Instant;

use pelage_kernels::conv_block::{self, Shape};
use pelage_kernels::isa::Isa;

fn main() {
    let isa = Isa::best();
    println!("{}, {} threads", isa.name(), rayon::current_num_threads());
    for (side, in_channels, out_channels) in [(150, 3, 32), (75, 32, 32), (37, 32, 64)] {
        let shape = Shape { batch: 32, height: side, width: side, in_channels, out_channels };
        let input: Vec<f32> = (0..shape.input_len()).map(|i| (i % 255) as f32 / 255.0 - 0.4).collect();
        let weights: Vec<f32> = (0..shape.weight_len()).map(|i| (i * 7 % 13) as f32 / 13.0 - 0.5).collect();
        let bias = vec![0.1; out_channels];
        let (mut output, mut winners) = (vec![0.0; shape.output_len()], vec![0; shape.output_len()]);
        let (mut grad_weights, mut grad_bias) = (vec![0.0; shape.weight_len()], vec![0.0; out_channels]);
        let mut grad_input = vec![0.0; shape.input_len()];
        let (mut forward, mut backward) = (f64::MAX, f64::MAX);
        for _ in 0..9 {
            let start = Instant::now();
            conv_block::forward(isa, shape, &input, &weights, &bias, &mut output, &mut winners);
            forward = forward.min(start.elapsed().as_secs_f64());
            let start = Instant::now();
            let (grads, wanted) = (output.clone(), (in_channels > 3).then_some(&mut grad_input[..]));
            let (dw, db) = (&mut grad_weights, &mut grad_bias);
            conv_block::backward(isa, shape, &input, &weights, &winners, &grads, dw, db, wanted);
            backward = backward.min(start.elapsed().as_secs_f64());
        }
        let dense = 2.0 * 9.0 * (in_channels * out_channels * side * side * 32) as f64 / 1e9;
        let (fast, slow) = (forward * 1e3, backward * 1e3);
        println!("{side:3} px {in_channels:2} -> {out_channels}: forward {fast:.1} ms, {:.0} GFLOP/s; backward {slow:.1} ms", dense / forward);
    }
}
