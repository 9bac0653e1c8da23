//! Inference, by architecture and batch size.

use burn::tensor::{Device, Tensor, TensorData};
use pelage_model::networks::{Architecture, Mode, Network};
use serde::Serialize;

use super::timing::{median_seconds, noise};

/// One architecture at one batch size.
#[derive(Clone, Debug, Serialize)]
pub struct Inference {
    /// Its name.
    pub architecture: &'static str,
    /// Side of the input in pixels.
    pub size: usize,
    /// Batch size.
    pub batch: usize,
    /// Images per second, from pixels in memory to the channel means of the last feature map (backbones) or logits
    /// (cnn3).
    pub images_per_second: f64,
}

/// The batch sizes where none is given.
pub const BATCHES: [usize; 2] = [1, 16];

/// Side in pixels of the images that a network is measured with.
pub(super) fn side(architecture: Architecture) -> usize {
    match architecture {
        // The size of the reference recipe, also for the tutorial's VGG16.
        Architecture::Vgg16 => 150,
        _ => architecture.input_size() as usize,
    }
}

/// Measures `architectures` at each of `batches`, with random weights and folded batch norms; `observe` gets each
/// result as it is ready.
pub fn inference(
    architectures: &[Architecture],
    batches: &[usize],
    device: &Device,
    observe: &mut dyn FnMut(&Inference),
) -> Vec<Inference> {
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
            let one = Inference {
                architecture: architecture.name(),
                size,
                batch,
                images_per_second: batch as f64 / seconds,
            };
            observe(&one);
            found.push(one);
        }
    }
    found
}
