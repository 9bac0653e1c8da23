//! The outputs of the layers for an image, channel by channel.

use burn::Tensor;
use image::RgbImage;
use pelage_model::networks::Network;
use pelage_model::values::to_vec;

use super::heat::color;
use super::sheet::{self, Tile};
use crate::Result;

/// The output of one layer for one image.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureMap {
    /// The layer's name.
    pub layer: String,
    /// Rows, columns and channels.
    pub shape: [usize; 3],
    /// The values, row by row, channels last.
    pub values: Vec<f32>,
}

/// Maximum number of channels drawn per layer.
pub const MOST: usize = 64;
/// Approximate side of a drawn channel in pixels.
const SIDE: u32 = 80;

/// The outputs of the nodes `layers` (see [`super::layers`]) for one image `[1, h, w, 3]`, convolutions with their
/// activations, before any pooling.
pub fn feature_maps(network: &Network, pixels: Tensor<4>, layers: &[usize]) -> Vec<FeatureMap> {
    let nodes = network.graph().nodes();
    let Some(&last) = layers.iter().max() else {
        return Vec::new();
    };
    let mut maps = Vec::with_capacity(layers.len());
    network
        .clone()
        .unfused()
        .forward_to(pixels, last, &mut |name, value: Tensor<4>| {
            if layers.iter().any(|&layer| nodes[layer].name == name) {
                let [_, h, w, c] = value.dims();
                maps.push(FeatureMap {
                    layer: name.to_string(),
                    shape: [h, w, c],
                    values: to_vec(value.clone()),
                });
            }
            value
        });
    maps
}

impl FeatureMap {
    /// The channels with the largest peaks, largest first, at most `most`; on ties, those with the larger mean first.
    /// After a ReLU6 there are many: see [`super::unsaturated`].
    pub fn strongest(&self, most: usize) -> Vec<usize> {
        let channels = self.shape[2];
        let mut strengths = vec![(f32::NEG_INFINITY, 0.0); channels];
        for pixel in self.values.chunks(channels) {
            for ((most, sum), &value) in strengths.iter_mut().zip(pixel) {
                *most = most.max(value);
                *sum += value;
            }
        }
        let mut order: Vec<_> = (0..channels).collect();
        order.sort_by(|&a, &b| {
            let (a, b) = (strengths[a], strengths[b]);
            b.0.total_cmp(&a.0).then(b.1.total_cmp(&a.1))
        });
        order.truncate(most);
        order
    }

    /// At most [`MOST`] channels, those with the largest peaks, in a grid. Each is scaled from its own minimum (black)
    /// to its own maximum (pale yellow), so that weak channels show as well; a constant one is black.
    ///
    /// # Errors
    /// A sheet too large to draw.
    pub fn sheet(&self) -> Result<RgbImage> {
        let [h, w, c] = self.shape;
        let mut channels = self.strongest(MOST);
        channels.sort_unstable();
        let tiles: Vec<_> = channels
            .iter()
            .map(|&channel| Tile {
                image: sheet::scaled(&self.channel(channel), SIDE),
                label: channel.to_string(),
            })
            .collect();
        let which = match channels.len() {
            all if all == c => format!("all {c} channels"),
            some => format!("{some} of {c} channels, those with the largest values"),
        };
        let lines = [
            format!("{}  {h} x {w} x {c}", self.layer),
            format!("{which}; each scaled from its minimum (black) to its maximum (yellow)"),
        ];
        sheet::sheet(&lines, &tiles, 8)
    }

    fn channel(&self, channel: usize) -> RgbImage {
        let [h, w, c] = self.shape;
        let numbers = || self.values.iter().skip(channel).step_by(c).copied();
        let (least, most) = numbers().fold((f32::MAX, f32::MIN), |(a, b), value| (a.min(value), b.max(value)));
        let range = if most > least { most - least } else { f32::INFINITY };
        let pixels: Vec<u8> = numbers().flat_map(|value| color((value - least) / range).0).collect();
        // As many pixels as the map has positions.
        RgbImage::from_raw(w as u32, h as u32, pixels).unwrap_or_default()
    }
}
