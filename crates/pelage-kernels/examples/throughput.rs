//! Times the kernels of a training step of cnn3, 150 px, batch 32, two classes:
//! `RAYON_NUM_THREADS=1 cargo run --release -p pelage-kernels --example throughput`.
//!
//! Times are CPU time, so that others on the machine count for little, of all threads together; the best of several
//! runs. `dense` counts the arithmetic of the plain algorithm; `actual` that of the kernel's own, which is less where
//! it goes by winners alone or by Winograd; the share is that of `actual` in the multiply-add peak measured here.

use cpu_time::ProcessTime;
use pelage_kernels::conv_block::{self, Shape};
use pelage_kernels::dense::{self, Activation};
use pelage_kernels::isa::Isa;
use pelage_kernels::optimizer::{Adam, Rate, Sgd, adam, sgd};
use pelage_kernels::{dropout, loss, peak};

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
    isa: Isa,
    peak: f64,
}

impl Table {
    /// Prints a line, operations in multiples of 1e9, and returns the time in seconds.
    fn time(&self, name: &str, dense: f64, actual: f64, mut run: impl FnMut()) -> f64 {
        let mut best = f64::MAX;
        for _ in 0..RUNS {
            let start = ProcessTime::now();
            run();
            best = best.min(start.elapsed().as_secs_f64());
        }
        self.line(name, dense, actual, best);
        best
    }

    fn line(&self, name: &str, dense: f64, actual: f64, seconds: f64) {
        let (dense, actual) = (dense / seconds, actual / seconds);
        println!(
            "{name:36}{:9.2} ms{dense:8.1}{actual:8.1}{:7.0} %",
            seconds * 1e3,
            actual / self.peak * 100.0
        );
    }
}

fn main() {
    let isa = Isa::best();
    let table = Table {
        isa,
        peak: peak::flops(isa) / 1e9,
    };
    let threads = rayon::current_num_threads();
    println!(
        "{}, {threads} threads, multiply-add peak {:.1} GFLOP/s a core",
        isa.name(),
        table.peak
    );
    println!(
        "{:36}{:>12}{:>8}{:>8}{:>9}",
        "", "CPU time", "dense", "actual", "of peak"
    );
    let mut step = 0.0;
    for (side, in_channels, out_channels) in [(150, 3, 32), (75, 32, 32), (37, 32, 64)] {
        step += block(
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
    for (inputs, outputs, activation) in [(18 * 18 * 64, 64, Activation::Relu), (64, 2, Activation::None)] {
        step += dense_layer(
            &table,
            dense::Shape {
                batch: BATCH,
                inputs,
                outputs,
            },
            activation,
        );
    }
    step += others(&table);
    let images = BATCH as f64 / step;
    println!("all but Adam {:.1} ms: {images:.0} images/s a core", step * 1e3);
}

fn block(table: &Table, shape: Shape) -> f64 {
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
    let winograd = if shape.in_channels < 8 { 1.0 } else { 16.0 / 36.0 };
    let forward = table.time(&format!("{name} forward"), dense, dense * winograd, || {
        conv_block::forward(table.isa, shape, &input, &weights, &bias, &mut output, &mut winners);
    });
    let alive = winners.iter().filter(|&&winner| winner < 4).count();
    let sparse = 18.0 * (shape.in_channels * alive) as f64 / 1e9;
    let gradient = noise(3, shape.output_len());
    let (mut dw, mut db) = (vec![0.0; shape.weight_len()], vec![0.0; shape.out_channels]);
    let grad_weights = table.time(&format!("{name} weight gradient"), dense, sparse, || {
        conv_block::backward(
            table.isa, shape, &input, &weights, &winners, &gradient, &mut dw, &mut db, None,
        );
    });
    if shape.in_channels == 3 {
        return forward + grad_weights;
    }
    let mut dx = vec![0.0; shape.input_len()];
    let mut best = f64::MAX;
    for _ in 0..RUNS {
        let start = ProcessTime::now();
        let dx = Some(&mut dx[..]);
        conv_block::backward(
            table.isa, shape, &input, &weights, &winners, &gradient, &mut dw, &mut db, dx,
        );
        best = best.min(start.elapsed().as_secs_f64());
    }
    table.line(&format!("{name} input gradient"), dense, sparse, best - grad_weights);
    forward + best
}

fn dense_layer(table: &Table, shape: dense::Shape, activation: Activation) -> f64 {
    let name = format!("dense {} -> {}", shape.inputs, shape.outputs);
    let (x, w) = (
        noise(1, shape.batch * shape.inputs),
        noise(2, shape.inputs * shape.outputs),
    );
    let (b, dy) = (noise(3, shape.outputs), noise(4, shape.batch * shape.outputs));
    let (mut y, mut dw, mut db, mut dx) = (dy.clone(), w.clone(), b.clone(), x.clone());
    let work = 2.0 * (shape.batch * shape.inputs * shape.outputs) as f64 / 1e9;
    let forward = table.time(&format!("{name} forward"), work, work, || {
        dense::forward(table.isa, shape, activation, &x, &w, &b, &mut y);
    });
    let backward = table.time(&format!("{name} backward"), 2.0 * work, 2.0 * work, || {
        dense::backward(
            table.isa,
            shape,
            activation,
            &x,
            &w,
            &y,
            &dy,
            &mut dw,
            &mut db,
            Some(&mut dx),
        );
    });
    forward + backward
}

fn others(table: &Table) -> f64 {
    let features = noise(1, BATCH * 18 * 18 * 64);
    let mut dropped = features.clone();
    let dropout = table.time("dropout of the features, one way", 0.0, 0.0, || {
        dropout::apply(table.isa, 1, 0.25, &features, &mut dropped);
    });
    let (logits, labels, mut gradient) = (noise(1, 2 * BATCH), [1; BATCH], [0.0; 2 * BATCH]);
    let loss = table.time("cross-entropy", 0.0, 0.0, || {
        std::hint::black_box(loss::cross_entropy(2, &logits, &labels, 0.0, None, &mut gradient));
    });
    let count = 1_355_938;
    let (gradients, rate) = (
        noise(1, count),
        Rate {
            learning_rate: 0.01,
            weight_decay: 0.0,
        },
    );
    let (mut parameters, mut first, mut second) = (noise(2, count), vec![0.0; count], vec![0.0; count]);
    let rule = Sgd {
        momentum: 0.9,
        nesterov: false,
    };
    let descent = table.time("SGD with momentum", 0.0, 0.0, || {
        sgd(table.isa, rule, rate, &mut parameters, &gradients, &mut first);
    });
    let rule = Adam {
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-7,
        decoupled: false,
    };
    table.time("Adam", 0.0, 0.0, || {
        adam(
            table.isa,
            rule,
            rate,
            1,
            &mut parameters,
            &gradients,
            &mut first,
            &mut second,
        );
    });
    2.0 * dropout + loss + descent
}
