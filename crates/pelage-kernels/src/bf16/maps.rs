//! Values of bf16 from numbers and back, and what else is done with maps of them.

use super::dot::{nearest, number};
use super::stride;
use crate::isa::{Isa, for_each_isa};
use crate::pooling;
use rayon::prelude::*;

/// Pixels per parallel chunk; affects speed only, never the result.
const PIECE: usize = 1 << 10;

/// The map of `values` `[pixels, channels]`, each rounded to the nearest (halves to even). NaN stays NaN.
///
/// # Panics
/// If the values are not a whole number of pixels.
pub fn narrow(isa: Isa, channels: usize, values: &[f32]) -> Vec<u16> {
    assert!(
        channels > 0 && values.len().is_multiple_of(channels),
        "length of values"
    );
    let each = stride(channels);
    let mut map = vec![0; values.len() / channels * each];
    map.par_chunks_mut(PIECE * each)
        .zip(values.par_chunks(PIECE * channels))
        .for_each(|(map, values)| narrow_piece(isa, channels, values, map));
    map
}

for_each_isa!(fused narrow_piece, narrow_body, (channels: usize, values: &[f32], map: &mut [u16]));

#[inline(always)]
fn narrow_body<const FUSED: bool>(channels: usize, values: &[f32], map: &mut [u16]) {
    let all = |map: &mut [u16], values: &[f32]| map.iter_mut().zip(values).for_each(|(to, from)| *to = nearest(*from));
    match channels {
        // Pixels of a picture: the compiler knows how many values to store.
        3 => {
            let pixels = map.as_chunks_mut().0.iter_mut().zip(values.as_chunks().0);
            pixels.for_each(|(to, &[r, g, b])| *to = [nearest(r), nearest(g), nearest(b), 0]);
        }
        _ if stride(channels) == channels => all(map, values),
        _ => map
            .chunks_exact_mut(stride(channels))
            .zip(values.chunks_exact(channels))
            .for_each(|(map, values)| all(map, values)),
    }
}

/// The numbers `[pixels, channels]` of a map.
///
/// # Panics
/// If the length is not that of so many pixels.
pub fn widen(isa: Isa, channels: usize, map: &[u16]) -> Vec<f32> {
    let each = stride(channels);
    assert!(map.len().is_multiple_of(each), "length of a map");
    let mut values = vec![0.0; map.len() / each * channels];
    values
        .par_chunks_mut(PIECE * channels)
        .zip(map.par_chunks(PIECE * each))
        .for_each(|(values, map)| widen_piece(isa, channels, map, values));
    values
}

for_each_isa!(fused widen_piece, widen_body, (channels: usize, map: &[u16], values: &mut [f32]));

#[inline(always)]
fn widen_body<const FUSED: bool>(channels: usize, map: &[u16], values: &mut [f32]) {
    let all = |values: &mut [f32], map: &[u16]| values.iter_mut().zip(map).for_each(|(to, from)| *to = number(*from));
    match stride(channels) == channels {
        true => all(values, map),
        false => values
            .chunks_exact_mut(channels)
            .zip(map.chunks_exact(stride(channels)))
            .for_each(|(values, map)| all(values, map)),
    }
}

/// The means of the channels over each image's `pixels`, `[n, channels]`.
///
/// # Panics
/// If there is no pixel, or the length is not that of so many.
pub fn averages(isa: Isa, pixels: usize, channels: usize, map: &[u16]) -> Vec<f32> {
    let each = stride(channels);
    assert!(pixels > 0 && map.len().is_multiple_of(pixels * each), "length of a map");
    let mut means = vec![0.0; map.len() / pixels / each * channels];
    let images = means.chunks_mut(channels).zip(map.chunks(pixels * each));
    images.for_each(|(means, image)| add_up(isa, image, means));
    let share = 1.0 / pixels as f32;
    means.iter_mut().for_each(|mean| *mean *= share);
    means
}

for_each_isa!(fused add_up, add_body, (image: &[u16], sums: &mut [f32]));

#[inline(always)]
fn add_body<const FUSED: bool>(image: &[u16], sums: &mut [f32]) {
    for pixel in image.chunks_exact(stride(sums.len())) {
        sums.iter_mut()
            .zip(pixel)
            .for_each(|(sum, value)| *sum += number(*value));
    }
}

/// The greatest value of each window, as a new map. A window's padding never wins; NaN does.
///
/// # Panics
/// If the input's length does not match `geometry`.
pub fn max_pool(isa: Isa, geometry: &pooling::Geometry, input: &[u16]) -> Vec<u16> {
    let (g, each) = (geometry, stride(geometry.channels));
    assert_eq!(input.len(), g.batch * g.height * g.width * each, "length of input");
    let row = g.output_width() * each;
    let mut output = vec![0; g.batch * g.output_height() * row];
    output
        .par_chunks_mut(row.max(1))
        .enumerate()
        .for_each(|(y, output)| max_row(isa, g, y, input, output));
    output
}

for_each_isa!(fused max_row, max_body, (g: &pooling::Geometry, row: usize, input: &[u16], output: &mut [u16]));

/// Row `row` of those of all images.
#[inline(always)]
fn max_body<const FUSED: bool>(g: &pooling::Geometry, row: usize, input: &[u16], output: &mut [u16]) {
    let each = stride(g.channels);
    let within = |at: usize, axis: usize, size: usize| {
        let start = at * g.stride[axis];
        let end = (start + g.kernel[axis]).saturating_sub(g.padding[axis]).min(size);
        start.saturating_sub(g.padding[axis]).min(end)..end
    };
    let (n, y) = (row / g.output_height(), row % g.output_height());
    for (x, output) in output.chunks_exact_mut(each).enumerate() {
        let mut is_first = true;
        for iy in within(y, 0, g.height) {
            for ix in within(x, 1, g.width) {
                let values = &input[((n * g.height + iy) * g.width + ix) * each..][..each];
                match is_first {
                    true => output.copy_from_slice(values),
                    false => output.iter_mut().zip(values).for_each(|(most, value)| {
                        let (a, b) = (number(*most), number(*value));
                        *most = if b <= a || a.is_nan() { *most } else { *value };
                    }),
                }
                is_first = false;
            }
        }
    }
}
