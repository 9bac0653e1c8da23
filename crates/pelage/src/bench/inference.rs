//! Inference, by architecture and batch size.

use burn::tensor::{Device, Tensor, TensorData};
use pelage_model::device::in_pool;
use pelage_model::interpreter::{Answer, Bf16, Quantized, lower};
use pelage_model::networks::{Architecture, Mode, Network, parameters};
use pelage_model::precision::Precision;
use pelage_model::saved::bf16_instructions;

use super::throughput::{Throughput, side};
use super::timing::{median_seconds, noise};
use crate::{Error, Result};

/// The batch sizes where none is given.
pub const BATCHES: [usize; 2] = [1, 16];

/// Measures `architectures` at each of `batches` in `precision`, with random weights and folded batch norms, from
/// pixels in memory to the channel means of the last feature map (backbones) or logits (cnn3); `observe` gets each
/// result as it is ready. In int8, ranges are learnt from noise.
///
/// # Errors
/// In int8, a network that cannot be quantized; in bf16, a CPU without instructions for it; a size that a network does
/// not take.
pub fn inference(
    architectures: &[Architecture],
    batches: &[usize],
    size: Option<usize>,
    precision: Precision,
    device: &Device,
    observe: &mut dyn FnMut(&Throughput),
) -> Result<Vec<Throughput>> {
    let mut found = Vec::new();
    for &architecture in architectures {
        let (size, scratch) = (side(architecture, size)?, !architecture.is_backbone());
        let network = Network::new(architecture, [size; 2], 1000, 0, device).folded(|_| true);
        let narrow = match precision {
            Precision::F32 => None,
            Precision::Int8 => Some(Narrow::Int8(quantized(&network, size).map_err(Error::Settings)?)),
            Precision::Bf16 => {
                let (graph, values) = (network.graph().clone(), parameters::read(&network));
                let in_bf16 = Bf16::new(bf16_instructions()?, graph, values, [size; 2]);
                Some(Narrow::Bf16(in_bf16.map_err(Error::Settings)?))
            }
        };
        for &batch in batches {
            let pixels = noise(1, batch * size * size * 3);
            let seconds = match &narrow {
                Some(narrow) => {
                    let images: Vec<&[f32]> = pixels.chunks(size * size * 3).collect();
                    let work = || match scratch {
                        true => drop(std::hint::black_box(narrow.run(&images))),
                        false => drop(std::hint::black_box(narrow.means(&images))),
                    };
                    median_seconds(1.0, || in_pool(device, work))
                }
                None => {
                    let pixels = TensorData::new(pixels, [batch, size, size, 3]);
                    let pixels = Tensor::<4>::from_data(pixels, device);
                    let work = || {
                        let done = match scratch {
                            true => network.forward(pixels.clone(), Mode::Infer),
                            false => network.pooled_features(pixels.clone()),
                        };
                        drop(std::hint::black_box(done.into_data()));
                    };
                    median_seconds(1.0, || in_pool(device, work))
                }
            };
            let one = Throughput::of(architecture, size, batch, seconds);
            observe(&one);
            found.push(one);
        }
    }
    Ok(found)
}

/// A network in another precision than f32.
enum Narrow {
    Int8(Quantized),
    Bf16(Bf16),
}

impl Narrow {
    fn run(&self, images: &[&[f32]]) -> Vec<Answer> {
        match self {
            Narrow::Int8(network) => network.run(images, false),
            Narrow::Bf16(network) => network.run(images, false),
        }
    }

    fn means(&self, images: &[&[f32]]) -> Vec<Vec<f32>> {
        match self {
            Narrow::Int8(network) => network.means(images),
            Narrow::Bf16(network) => network.means(images),
        }
    }
}

fn quantized(network: &Network, size: usize) -> std::result::Result<Quantized, String> {
    let (graph, images) = (network.graph(), [noise(2, size * size * 3)]);
    let values = lower(graph.clone(), parameters::read(network), [size; 2], &images)?;
    Quantized::new(graph, values, [size; 2])
}
