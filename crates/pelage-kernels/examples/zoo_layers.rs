//! Times layers of the networks of the zoo, each against the multiply-add peak of this machine:
//! `RAYON_NUM_THREADS=1 cargo run --release -p pelage-kernels --example zoo_layers [FILTER]`.

use pelage_kernels::convolution::{self, Activation, Geometry};
use pelage_kernels::isa::Isa;

/// Name, side, channels in and out, kernel, stride, depthwise.
const LAYERS: &[(&str, usize, usize, usize, usize, usize, bool)] = &[
    ("vgg16", 150, 3, 64, 3, 1, false),
    ("vgg16", 150, 64, 64, 3, 1, false),
    ("vgg16", 75, 64, 128, 3, 1, false),
    ("vgg16", 75, 128, 128, 3, 1, false),
    ("vgg16", 37, 256, 256, 3, 1, false),
    ("vgg16", 18, 512, 512, 3, 1, false),
    ("vgg16", 9, 512, 512, 3, 1, false),
    ("resnet50", 224, 3, 64, 7, 2, false),
    ("resnet50", 56, 64, 64, 1, 1, false),
    ("resnet50", 56, 64, 256, 1, 1, false),
    ("resnet50", 56, 256, 64, 1, 1, false),
    ("resnet50", 56, 64, 64, 3, 1, false),
    ("resnet50", 56, 256, 512, 1, 2, false),
    ("resnet50", 28, 128, 512, 1, 1, false),
    ("resnet50", 28, 128, 128, 3, 1, false),
    ("resnet50", 28, 256, 256, 3, 2, false),
    ("resnet50", 14, 1024, 256, 1, 1, false),
    ("resnet50", 14, 256, 256, 3, 1, false),
    ("resnet50", 7, 2048, 512, 1, 1, false),
    ("resnet50", 7, 512, 2048, 1, 1, false),
    ("resnet50", 7, 512, 512, 3, 1, false),
    ("mobilenet", 224, 3, 32, 3, 2, false),
    ("mobilenet", 112, 32, 32, 3, 1, true),
    ("mobilenet", 112, 32, 16, 1, 1, false),
    ("mobilenet", 112, 16, 96, 1, 1, false),
    ("mobilenet", 112, 96, 96, 3, 2, true),
    ("mobilenet", 56, 96, 24, 1, 1, false),
    ("mobilenet", 56, 24, 144, 1, 1, false),
    ("mobilenet", 56, 144, 144, 3, 1, true),
    ("mobilenet", 56, 144, 144, 3, 2, true),
    ("mobilenet", 28, 32, 192, 1, 1, false),
    ("mobilenet", 28, 192, 192, 3, 1, true),
    ("mobilenet", 14, 64, 384, 1, 1, false),
    ("mobilenet", 14, 384, 64, 1, 1, false),
    ("mobilenet", 14, 384, 384, 3, 1, true),
    ("mobilenet", 14, 576, 96, 1, 1, false),
    ("mobilenet", 7, 160, 960, 1, 1, false),
    ("mobilenet", 7, 960, 960, 3, 1, true),
    ("mobilenet", 7, 960, 320, 1, 1, false),
    ("mobilenet", 7, 320, 1280, 1, 1, false),
    ("effnet", 56, 144, 144, 5, 2, true),
    ("effnet", 28, 240, 240, 5, 1, true),
    ("effnet", 28, 40, 240, 1, 1, false),
    ("effnet", 28, 240, 40, 1, 1, false),
    ("effnet", 14, 672, 672, 5, 1, true),
    ("effnet", 14, 112, 672, 1, 1, false),
    ("effnet", 7, 1152, 1152, 5, 1, true),
];

/// GFLOP/s of multiply-adds between registers, the fastest of many runs.
fn peak() -> f64 {
    /// Twelve sums of 8 numbers, as a tile of the kernel has on AVX2.
    #[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx2,fma"))]
    fn run(sums: &mut [[f32; 8]; 12], factor: [f32; 8], rounds: usize) {
        let mut local = *sums;
        for _ in 0..rounds {
            for sums in &mut local {
                for (sum, factor) in sums.iter_mut().zip(factor) {
                    *sum = sum.mul_add(factor, factor);
                }
            }
        }
        *sums = local;
    }
    let (rounds, mut best) = (100_000, f64::MAX);
    for _ in 0..200 {
        let start = processor_time();
        // SAFETY: the caller has found AVX2 and FMA.
        unsafe {
            run(
                std::hint::black_box(&mut [[1.0; 8]; 12]),
                std::hint::black_box([0.5; 8]),
                rounds,
            )
        };
        best = best.min(processor_time() - start);
    }
    2.0 * 96.0 * rounds as f64 / best / 1e9
}

/// Seconds that this process has computed, on all threads.
fn processor_time() -> f64 {
    cpu_time::ProcessTime::now().as_duration().as_secs_f64()
}

/// GFLOP/s of processor time, the fastest of many runs.
fn gflops(isa: Isa, g: &Geometry) -> f64 {
    // Tensors begin on a cache line, as an engine's do.
    let mut input = vec![0.0f32; g.input_len() + 16];
    let aligned = input.as_ptr().align_offset(64);
    let input = &mut input[aligned..][..g.input_len()];
    input
        .iter_mut()
        .enumerate()
        .for_each(|(i, x)| *x = (i % 255) as f32 / 255.0 - 0.4);
    let weights: Vec<f32> = (0..g.weight_len()).map(|i| (i * 7 % 13) as f32 / 13.0 - 0.5).collect();
    let packed = convolution::pack(isa, g, &weights, Some(&vec![0.1; g.out_channels]));
    let mut output = vec![0.0f32; g.output_len() + 16];
    let aligned = output.as_ptr().align_offset(64);
    let output = &mut output[aligned..][..g.output_len()];
    let (mut times, begin) = (Vec::new(), processor_time());
    while times.len() < 5 || processor_time() - begin < 0.2 {
        let start = processor_time();
        convolution::forward(isa, g, input, &packed, None, Activation::Relu, output);
        times.push(processor_time() - start);
    }
    // Not the very least: the clock is known to jump.
    times.sort_by(f64::total_cmp);
    let best = times[times.len() / 20];
    2.0 * g.multiply_adds() as f64 / best / 1e9
}

fn main() {
    // Inside of the pool, so that waking it is not timed.
    rayon::scope(|_| table());
}

fn table() {
    let filter = std::env::args().nth(1).unwrap_or_default();
    let batch = std::env::var("BATCH")
        .ok()
        .and_then(|batch| batch.parse().ok())
        .unwrap_or(2);
    let isa = Isa::best();
    // Narrower or wider vectors have another peak, which is not measured.
    let peak = if isa.name() == "avx2" { peak() } else { f64::NAN };
    println!(
        "{}, {} threads, peak {peak:.0} GFLOP/s",
        isa.name(),
        rayon::current_num_threads()
    );
    for &(name, side, ci, co, kernel, stride, depthwise) in LAYERS {
        let groups = if depthwise { ci } else { 1 };
        let g = Geometry {
            batch,
            height: side,
            width: side,
            in_channels: ci,
            out_channels: co,
            kernel: [kernel; 2],
            stride: [stride; 2],
            padding: [kernel / 2; 4],
            groups,
        };
        let line = format!(
            "{name:9} {side:3} px {ci:4} -> {co:4} {kernel}x{kernel}/{stride}{}",
            if depthwise { " dw" } else { "   " }
        );
        if line.contains(&filter) {
            let speed = gflops(isa, &g);
            let ms = 2.0 * g.multiply_adds() as f64 / speed / 1e6 / batch as f64;
            println!("{line} {ms:8.3} ms {speed:6.1} GFLOP/s {:4.0} %", 100.0 * speed / peak);
        }
    }
}
