//! The images of a data set that excite a channel most, and what the channel sees in them (Zeiler and Fergus 2013,
//! figure 2).

use std::cmp::Ordering;
use std::sync::Arc;

use burn::tensor::Device;
use image::RgbImage;
use pelage_data::cache::DecodedImages;
use pelage_data::loader::{self, Pass};
use pelage_model::input;
use pelage_model::values::to_vec;

use super::deconvnet::{self, Stop};
use super::receptive_field::receptive_field;
use super::sheet::{self, Tile};
use super::{peak, unsaturated};
use crate::Model;
use crate::Result;

/// The images that excite one channel most, strongest first.
#[derive(Clone, Debug, PartialEq)]
pub struct Channel {
    /// Its number, from 0.
    pub channel: usize,
    /// At most as many as asked for.
    pub best: Vec<Excited>,
}

/// Where an image excites a channel most.
#[derive(Clone, Debug, PartialEq)]
pub struct Excited {
    /// Index of the image in the data set.
    pub image: usize,
    /// Row and column in the map.
    pub position: [usize; 2],
    /// The activation there; before a ReLU6, which would make many equal.
    pub activation: f32,
    /// Mean activation, which breaks ties.
    pub mean: f32,
}

impl Excited {
    fn strength(&self, other: &Self) -> Ordering {
        let first = self.activation.total_cmp(&other.activation);
        first.then(self.mean.total_cmp(&other.mean))
    }
}

/// How much to keep of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Most {
    /// Channels: those with the largest activations over the set.
    pub channels: usize,
    /// Images per channel.
    pub images: usize,
}

impl Default for Most {
    fn default() -> Self {
        Most {
            channels: 16,
            images: 9,
        }
    }
}

/// Images per forward pass.
const BATCH: usize = 8;
/// Approximate side of a drawn image in pixels.
const SIDE: u32 = 88;

/// Looks at every image once, and keeps only the best of each channel of node `layer` (see [`super::layer`]); `observe`
/// gets the number of images done.
///
/// # Errors
/// An image that can no longer be read.
pub fn strongest(
    model: &Model,
    images: &Arc<DecodedImages>,
    layer: usize,
    most: Most,
    device: &Device,
    observe: &mut dyn FnMut(usize),
) -> Result<Vec<Channel>> {
    let network = &model.network;
    let channels = network.graph().nodes()[layer].channels;
    let mut best: Vec<Vec<Excited>> = vec![Vec::new(); channels];
    let mut done = 0;
    let pass = Pass {
        batch_size: BATCH,
        ..Pass::default()
    };
    for batch in loader::batches(images.clone(), pass) {
        let batch = batch?;
        let pixels = input::images(batch.pixels, &model.facts.preprocessing, device);
        let map = unsaturated(network, pixels, layer);
        let [_, h, w, c] = map.dims();
        for (map, &image) in to_vec(map).chunks(h * w * c).zip(&batch.indices) {
            for (channel, best) in best.iter_mut().enumerate() {
                let (position, activation) = peak(map, w, c, channel);
                let sum: f32 = map.iter().skip(channel).step_by(c).sum();
                let excited = Excited {
                    image,
                    position,
                    activation,
                    mean: sum / (h * w) as f32,
                };
                let place = best.partition_point(|other| other.strength(&excited).is_ge());
                if place < most.images {
                    best.insert(place, excited);
                    best.truncate(most.images);
                }
            }
        }
        done += batch.indices.len();
        observe(done);
    }
    let mut found: Vec<_> = best
        .into_iter()
        .enumerate()
        .map(|(channel, best)| Channel { channel, best })
        .collect();
    found.retain(|channel| !channel.best.is_empty());
    found.sort_by(|a, b| b.best[0].strength(&a.best[0]));
    found.truncate(most.channels);
    Ok(found)
}

/// The images of one channel, cropped to what its peak sees of them, and below each its useful projections (see
/// [`deconvnet`]).
///
/// # Errors
/// An image that can no longer be read; a sheet too large to draw.
pub fn channel_sheet(
    model: &Model,
    images: &DecodedImages,
    layer: usize,
    channel: &Channel,
    device: &Device,
) -> Result<RgbImage> {
    let (network, side) = (&model.network, &model.facts.preprocessing);
    let (node, size) = (
        &network.graph().nodes()[layer],
        [side.height as usize, side.width as usize],
    );
    let stops = Stop::useful(network.graph(), layer);
    let mut rows: Vec<_> = (0..=stops.len()).map(|_| Vec::new()).collect();
    for excited in &channel.best {
        let bytes = images.pixels(excited.image)?.into_owned();
        let pixels = input::images(input::normalized(&bytes, side), side, device);
        // Exactly as many bytes as the model's input has values.
        let image = RgbImage::from_raw(side.width, side.height, bytes).unwrap_or_default();
        let field = receptive_field(network.graph(), size, layer, excited.position);
        rows[0].push(Tile {
            image: sheet::part(&image, &field, SIDE),
            label: format!("{:.3}", excited.activation),
        });
        for (row, &stop) in rows[1..].iter_mut().zip(stops) {
            let projections = deconvnet::project(network, pixels.clone(), layer, &[channel.channel], stop)?;
            row.extend(projections.iter().map(|projection| Tile {
                image: sheet::part(&projection.image(), &field, SIDE),
                label: String::new(),
            }));
        }
    }
    let (columns, tiles) = (channel.best.len(), rows.into_iter().flatten().collect::<Vec<_>>());
    let lines = [format!("{}, channel {}", node.name, channel.channel)];
    sheet::sheet(&lines, &tiles, columns)
}
