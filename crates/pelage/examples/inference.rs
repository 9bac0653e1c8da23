//! `inference NAME [SIZE] [BATCH]`: images a second of a backbone's features with random weights, batch norms folded; the
//! median of six passes. `benches/peers/features.py` runs it beside ONNX Runtime and PyTorch.

use std::time::Instant;

use burn::tensor::{Device, Distribution, Tensor};
use pelage::model::{Architecture, Network};

fn main() -> Result<(), String> {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |i: usize, usual: usize| arguments.get(i).map_or(Ok(usual), |text| text.parse());
    let architecture: Architecture = arguments.get(1).ok_or("which architecture?")?.parse()?;
    let size = number(2, 224).map_err(|_| "SIZE is no number")?;
    let batch = number(3, 16).map_err(|_| "BATCH is no number")?;
    let device = Device::flex();
    let network = Network::new(architecture, [size; 2], 1000, 0, &device).folded(|_| true);
    let pixels = Tensor::<4>::random([batch, size, size, 3], Distribution::Uniform(0.0, 1.0), &device);
    let mut seconds: Vec<f64> = (0..8)
        .map(|_| {
            let started = Instant::now();
            std::hint::black_box(network.pooled_features(pixels.clone()).into_data());
            started.elapsed().as_secs_f64()
        })
        .skip(2)
        .collect();
    seconds.sort_by(f64::total_cmp);
    println!("pelage {:.1}", batch as f64 / seconds[3]);
    Ok(())
}
