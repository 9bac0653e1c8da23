//! What the first layer responds to: its weights as small images.

use image::{Rgb, RgbImage};
use pelage_model::networks::Network;
use pelage_model::networks::graph::Operation;
use pelage_model::values::to_vec;

use super::sheet::{self, Tile};
use crate::Result;

/// Approximate side of a drawn filter in pixels.
const SIDE: u32 = 56;

/// The filters of the first convolution as images: gray is zero, and each filter's largest weight is white or black.
pub fn filters(network: &Network) -> Vec<RgbImage> {
    let is_convolution = |operation: &Operation| matches!(operation, Operation::Convolution(_));
    let first = network
        .graph()
        .nodes()
        .iter()
        .find(|node| is_convolution(&node.operation));
    let Some(kernel) = first.and_then(|node| network.kernel(&node.name)) else {
        return Vec::new();
    };
    let [_, channels, height, width] = kernel.dims();
    let weights = to_vec(kernel);
    let filter = |weights: &[f32]| {
        let most = weights
            .iter()
            .fold(f32::MIN_POSITIVE, |most, weight| most.max(weight.abs()));
        RgbImage::from_fn(width as u32, height as u32, |x, y| {
            // The input is RGB.
            Rgb(std::array::from_fn(|channel| {
                let at = ((channel % channels) * height + y as usize) * width + x as usize;
                (127.5 + 127.5 * weights[at] / most).round() as u8
            }))
        })
    };
    weights.chunks(channels * height * width).map(filter).collect()
}

/// All filters in a grid.
///
/// # Errors
/// A sheet too large to draw.
pub fn filter_sheet(network: &Network) -> Result<RgbImage> {
    let filters = filters(network);
    let size = filters.first().map_or((0, 0), RgbImage::dimensions);
    let lines = [
        format!("{} filters of {} x {} x 3", filters.len(), size.1, size.0),
        "gray is zero; each has its own scale".to_string(),
    ];
    let tiles: Vec<_> = filters
        .iter()
        .enumerate()
        .map(|(i, filter)| Tile {
            image: sheet::scaled(filter, SIDE),
            label: i.to_string(),
        })
        .collect();
    sheet::sheet(&lines, &tiles, 16)
}
