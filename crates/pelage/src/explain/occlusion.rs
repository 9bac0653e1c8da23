//! Which parts of an image a prediction depends on: a square is hidden at each place of a grid (Zeiler and Fergus 2013,
//! *Visualizing and Understanding Convolutional Networks*, section 4.2).

use burn::Tensor;
use pelage_model::input;
use pelage_model::values::to_vec;

use super::heat::Heatmap;
use crate::Model;
use crate::{Error, Result};

/// The square that hides a part of the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Square {
    /// Its side in pixels of the network's input.
    pub side: usize,
    /// Stride in pixels; slightly less if the image's side is not a multiple of it.
    pub stride: usize,
}

impl Square {
    /// A fifth of the shorter side of `[h, w]`, with a stride of a third of that: about 225 places.
    pub fn usual([h, w]: [usize; 2]) -> Self {
        let side = (h.min(w) / 5).max(1);
        Square {
            side,
            stride: side.div_ceil(3),
        }
    }
}

/// The effect of hiding on a probability.
#[derive(Clone, Debug, PartialEq)]
pub struct Occlusion {
    /// The loss in probability, so that maps of several images can be compared; one cell per place of the square,
    /// around its center. 0 where the probability increases.
    pub heatmap: Heatmap,
    /// The probability of the class with nothing hidden.
    pub probability: f32,
    /// The smallest with a square hidden.
    pub least: f32,
}

/// Images per forward pass.
const BATCH: usize = 32;

/// Hides a square in one image `[1, h, w, 3]`, filled with the image's mean color, at every place of a grid.
///
/// # Errors
/// A model of several networks; an unknown class; a square without a side or a stride, or larger than the image.
pub fn occlusion(model: &Model, pixels: Tensor<4>, class: usize, square: Square) -> Result<Occlusion> {
    model.alone("explained")?;
    let ([_, h, w, channels], device, count) = (pixels.dims(), pixels.device(), model.facts.classes.len());
    if class >= count {
        return Err(Error::setting(
            "class",
            class,
            format!("below {count}, the model's number of classes"),
        ));
    }
    check(square, [h, w])?;
    let image = to_vec(pixels.clone());
    let mean: Vec<f32> = (0..channels)
        .map(|channel| {
            let values = image.iter().skip(channel).step_by(channels);
            (values.map(|&v| f64::from(v)).sum::<f64>() / (h * w) as f64) as f32
        })
        .collect();
    let [rows, columns] = [h, w].map(|side| side.div_ceil(square.stride));
    let hidden = |place: usize| {
        let mut hidden = image.clone();
        let (across, down) = (
            span(place % columns, columns, w, square.side),
            span(place / columns, rows, h, square.side),
        );
        for y in down {
            for x in across.clone() {
                hidden[(y * w + x) * channels..][..channels].copy_from_slice(&mean);
            }
        }
        hidden
    };
    let probability_of = |pixels: Tensor<4>| -> Vec<f32> {
        let rows = to_vec(model.probabilities(pixels));
        rows.chunks(count).map(|row| row[class]).collect()
    };
    let probability = probability_of(pixels)[0];
    let mut left = Vec::with_capacity(rows * columns);
    while left.len() < rows * columns {
        let places = left.len()..(left.len() + BATCH).min(rows * columns);
        let batch: Vec<f32> = places.flat_map(hidden).collect();
        left.extend(probability_of(input::tensor(batch, [h, w, channels], &device)));
    }
    let values = left.iter().map(|&left| (probability - left).max(0.0)).collect();
    Ok(Occlusion {
        heatmap: Heatmap {
            height: rows,
            width: columns,
            values,
        },
        probability,
        least: left.iter().copied().fold(probability, f32::min),
    })
}

/// Whether the square fits an image of `[h, w]`.
pub(super) fn check(square: Square, [h, w]: [usize; 2]) -> Result<()> {
    let Square { side, stride } = square;
    let most = h.min(w);
    if (1..=most).contains(&side) && (1..=most).contains(&stride) {
        return Ok(());
    }
    Err(Error::Settings(format!(
        "a patch of {side} pixels with stride {stride} does not fit the model's input of {w} x {h}: \
         take 1 to {most} for each"
    )))
}

/// The pixels that a square of `side` around the center of cell `i` of `cells` covers on an axis of `length` pixels.
fn span(i: usize, cells: usize, length: usize, side: usize) -> std::ops::Range<usize> {
    let twice_middle = (2 * i + 1) * length / cells;
    let from = twice_middle.saturating_sub(side) / 2;
    let end = (twice_middle + side) / 2;
    from..end.min(length)
}
