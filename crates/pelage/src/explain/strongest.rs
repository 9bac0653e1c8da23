//! Which pictures of a data set excite a channel most, and what of them it sees (Zeiler and Fergus 2013, figure 2).

use std::ops::Range;
use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use image::{RgbImage, imageops};
use pelage_data::cache::Pictures;
use pelage_data::loader::{self, Order};

use super::receptive_field::receptive_field;
use super::sheet::{self, Tile};
use super::{deconvnet, peak};
use crate::bundle::Model;
use crate::model::parameters::to_vec;
use crate::{Error, Result};

/// The pictures that excite one channel most, strongest first.
#[derive(Clone, Debug, PartialEq)]
pub struct Channel {
    /// Its number, from 0.
    pub channel: usize,
    /// At most as many as were asked for.
    pub best: Vec<Excited>,
}

/// Where a picture excites a channel most.
#[derive(Clone, Debug, PartialEq)]
pub struct Excited {
    /// The picture's place in the data set.
    pub picture: usize,
    /// Row and column in the map.
    pub position: [usize; 2],
    /// How strong it is there.
    pub activation: f32,
}

/// How much is kept of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Most {
    /// Channels: those with the largest activations over the set.
    pub channels: usize,
    /// Pictures a channel.
    pub pictures: usize,
}

impl Default for Most {
    fn default() -> Self {
        Most {
            channels: 16,
            pictures: 9,
        }
    }
}

/// Pictures a forward pass.
const BATCH: usize = 8;
/// Side of a drawn picture in pixels, nearly.
const SIDE: u32 = 88;

/// Looks at every picture once, and keeps no more than the best of each channel of node `layer` (see [`super::layer`]);
/// `observe` hears pictures done.
///
/// # Errors
/// A picture that cannot be read any more.
pub fn strongest(
    model: &Model,
    pictures: &Arc<Pictures>,
    layer: usize,
    most: Most,
    device: &Device,
    observe: &mut dyn FnMut(usize),
) -> Result<Vec<Channel>> {
    let network = model.network.clone().unfused();
    let channels = network.graph().nodes()[layer].channels;
    let mut best: Vec<Vec<Excited>> = vec![Vec::new(); channels];
    let mut done = 0;
    for batch in loader::batches(pictures.clone(), BATCH, Order::Sequential, None, 0) {
        let batch = batch?;
        let pixels = input(model, batch.pixels, batch.indices.len(), device);
        let map = network.forward_to(pixels, layer, &mut |_, value| value);
        let [_, h, w, c] = map.dims();
        for (map, &picture) in to_vec(map).chunks(h * w * c).zip(&batch.indices) {
            for (channel, best) in best.iter_mut().enumerate() {
                let (position, activation) = peak(map, w, c, channel);
                let place = best.partition_point(|other| other.activation >= activation);
                if place < most.pictures {
                    let excited = Excited {
                        picture,
                        position,
                        activation,
                    };
                    best.insert(place, excited);
                    best.truncate(most.pictures);
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
    let strength = |channel: &Channel| channel.best.first().map_or(f32::NEG_INFINITY, |best| best.activation);
    found.sort_by(|a, b| strength(b).total_cmp(&strength(a)));
    found.truncate(most.channels);
    Ok(found)
}

fn input(model: &Model, pixels: Vec<f32>, count: usize, device: &Device) -> Tensor<4> {
    let side = &model.facts.preprocessing;
    let shape = [count, side.height as usize, side.width as usize, 3];
    Tensor::from_data(TensorData::new(pixels, shape), device)
}

/// The pictures of one channel, cut to what its strongest number sees of them, and under each what the deconvnet brings
/// back (see [`deconvnet`]).
///
/// # Errors
/// A picture that cannot be read any more; a sheet too large to draw.
pub fn channel_sheet(
    model: &Model,
    pictures: &Pictures,
    layer: usize,
    channel: &Channel,
    device: &Device,
) -> Result<RgbImage> {
    let (network, side) = (&model.network, &model.facts.preprocessing);
    let (node, size) = (
        &network.graph().nodes()[layer],
        [side.height as usize, side.width as usize],
    );
    let (mut seen, mut projected) = (Vec::new(), Vec::new());
    for excited in &channel.best {
        let bytes = pictures.pixels(excited.picture)?.into_owned();
        let mut pixels = vec![0.0; bytes.len()];
        side.normalize(&bytes, &mut pixels);
        // As many bytes as the model's input has numbers.
        let picture = RgbImage::from_raw(side.width, side.height, bytes).unwrap_or_default();
        let field = receptive_field(network.graph(), size, layer, excited.position);
        seen.push(Tile {
            picture: part(&picture, &field),
            label: format!("{:.3}", excited.activation),
        });
        let projection = deconvnet::project(network, input(model, pixels, 1, device), layer, &[channel.channel])?;
        projected.extend(projection.iter().map(|projection| Tile {
            picture: part(&projection.image(), &field),
            label: String::new(),
        }));
    }
    let columns = seen.len();
    seen.append(&mut projected);
    let lines = [format!("{}, channel {}", node.name, channel.channel)];
    sheet::sheet(&lines, &seen, columns).map_err(Error::Input)
}

fn part(picture: &RgbImage, [rows, columns]: &[Range<usize>; 2]) -> RgbImage {
    let [y, x, h, w] = [rows.start, columns.start, rows.len(), columns.len()].map(|n| n as u32);
    sheet::scaled(&imageops::crop_imm(picture, x, y, w, h).to_image(), SIDE)
}
