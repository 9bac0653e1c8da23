//! Inference, by architecture and batch size.

use burn::tensor::{Device, Tensor, TensorData};
use pelage_model::networks::{Architecture, Mode, Network};

use super::throughput::{Throughput, side};
use super::timing::{median_seconds, noise};

/// The batch sizes where none is given.
pub const BATCHES: [usize; 2] = [1, 16];

/// Measures `architectures` at each of `batches`, with random weights and folded batch norms, from pixels in memory to
/// the channel means of the last feature map (backbones) or logits (cnn3); `observe` gets each result as it is ready.
pub fn inference(
    architectures: &[Architecture],
    batches: &[usize],
    device: &Device,
    observe: &mut dyn FnMut(&Throughput),
) -> Vec<Throughput> {
    let mut found = Vec::new();
    for &architecture in architectures {
        let scratch = !architecture.is_backbone();
        let size = side(architecture);
        let network = Network::new(architecture, [size; 2], 1000, 0, device).folded(|_| true);
        for &batch in batches {
            let pixels = TensorData::new(noise(1, batch * size * size * 3), [batch, size, size, 3]);
            let pixels = Tensor::<4>::from_data(pixels, device);
            let seconds = median_seconds(1.0, || {
                let done = match scratch {
                    true => network.forward(pixels.clone(), Mode::Infer),
                    false => network.pooled_features(pixels.clone()),
                };
                drop(std::hint::black_box(done.into_data()));
            });
            let one = Throughput::of(architecture, batch, seconds);
            observe(&one);
            found.push(one);
        }
    }
    found
}
