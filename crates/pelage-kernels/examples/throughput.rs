//! Times the training kernels of cnn3 at batch 32: `cargo run --release -p pelage-kernels --example throughput`.
//!
//! CPU time, the best of several runs, on one thread unless `RAYON_NUM_THREADS` says otherwise. `dense` counts the arithmetic of the plain
//! algorithm, `actual` the multiply-adds that the kernel needs; the share is of the multiply-add peak measured here.

use cpu_time::ProcessTime;
use pelage_kernels::conv_block::{self, Shape};
use pelage_kernels::isa::Isa;
use pelage_kernels::peak;

const RUNS: usize = 15;
const BATCH: usize = 32;

/// Uniform in -1 to 1.
fn noise(seed: u64, len: usize) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

struct Table {
    peak: f64,
}

impl Table {
    /// Prints a line; operations in multiples of 1e9.
    fn time(&self, name: &str, dense: f64, actual: f64, mut run: impl FnMut()) {
        let mut best = f64::MAX;
        for _ in 0..RUNS {
            let start = ProcessTime::now();
            run();
            best = best.min(start.elapsed().as_secs_f64());
        }
        println!(
            "{name:36} {:8.2} ms {:7.1} {:7.1} {:6.0} %",
            best * 1e3,
            dense / best,
            actual / best,
            actual / best / self.peak * 100.0
        );
    }
}

fn main() {
    let isa = Isa::best();
    let table = Table {
        peak: peak::flops(isa) / 1e9,
    };
    println!(
        "{}, {} threads, multiply-add peak {:.1} GFLOP/s a core",
        isa.name(),
        rayon::current_num_threads(),
        table.peak
    );
    println!(
        "{:36} {:>11} {:>7} {:>7} {:>8}",
        "batch 32", "CPU time", "dense", "actual", "of peak"
    );
    for (side, in_channels, out_channels) in [(150, 3, 32), (75, 32, 32), (37, 32, 64)] {
        block(
            isa,
            &table,
            Shape {
                batch: BATCH,
                height: side,
                width: side,
                in_channels,
                out_channels,
            },
        );
    }
}

fn block(isa: Isa, table: &Table, shape: Shape) {
    let name = format!("{} px {} -> {}", shape.height, shape.in_channels, shape.out_channels);
    let fan = (shape.in_channels + shape.out_channels) as f32 * 9.0;
    let input: Vec<f32> = noise(1, shape.input_len()).iter().map(|v| v.max(0.0)).collect();
    let weights: Vec<f32> = noise(2, shape.weight_len())
        .iter()
        .map(|v| v * (6.0 / fan).sqrt())
        .collect();
    let bias = vec![0.0; shape.out_channels];
    let (mut output, mut winners) = (vec![0.0; shape.output_len()], vec![0; shape.output_len()]);
    let dense = 18.0 * (shape.in_channels * shape.out_channels * shape.height * shape.width * BATCH) as f64 / 1e9;
    table.time(&format!("{name} forward"), dense, dense, || {
        conv_block::forward(isa, shape, &input, &weights, &bias, &mut output, &mut winners);
    });
    let alive = winners.iter().filter(|&&winner| winner < 4).count();
    let sparse = 18.0 * (shape.in_channels * alive) as f64 / 1e9;
    println!(
        "  {:.0} % of the pooled values alive",
        100.0 * alive as f64 / winners.len() as f64
    );
    let gradient = noise(3, shape.output_len());
    let (mut grad_weights, mut grad_bias) = (vec![0.0; shape.weight_len()], vec![0.0; shape.out_channels]);
    table.time(&format!("{name} grad weights"), dense, sparse, || {
        conv_block::backward(
            isa,
            shape,
            &input,
            &weights,
            &winners,
            &gradient,
            &mut grad_weights,
            &mut grad_bias,
            None,
        );
    });
    let mut grad_input = vec![0.0; shape.input_len()];
    table.time(&format!("{name} both gradients"), 2.0 * dense, 2.0 * sparse, || {
        let grad_input = Some(&mut grad_input[..]);
        conv_block::backward(
            isa,
            shape,
            &input,
            &weights,
            &winners,
            &gradient,
            &mut grad_weights,
            &mut grad_bias,
            grad_input,
        );
    });
}
