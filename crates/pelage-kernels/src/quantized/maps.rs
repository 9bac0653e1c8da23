//! Bytes from numbers and back, and what else is done with maps of bytes.

use super::{SLACK, map_len, stride};
use crate::isa::{Isa, for_each_isa};
use crate::pooling;

/// The map of bytes of `values` `[pixels, channels]`: each divided by `scale` and rounded to the nearest (halves to
/// even), plus `zero`, within 0 to 255. NaN becomes 0.
///
/// # Panics
/// If the values are not a whole number of pixels.
pub fn quantize(isa: Isa, channels: usize, values: &[f32], scale: f32, zero: u8) -> Vec<u8> {
    assert!(
        channels > 0 && values.len().is_multiple_of(channels),
        "length of values"
    );
    let pixels = values.len() / channels;
    let mut map = vec![zero; map_len(pixels, channels)];
    if stride(channels) == channels {
        quantize_all(isa, values, 1.0 / scale, zero, &mut map[..values.len()]);
        return map;
    }
    let mut bytes = vec![0; values.len()];
    quantize_all(isa, values, 1.0 / scale, zero, &mut bytes);
    let pixels = bytes.chunks_exact(channels);
    for (pixel, bytes) in map.chunks_exact_mut(stride(channels)).zip(pixels) {
        pixel[..channels].copy_from_slice(bytes);
    }
    map
}

for_each_isa!(fused quantize_all, quantize_body, (values: &[f32], factor: f32, zero: u8, bytes: &mut [u8]));

#[inline(always)]
fn quantize_body<const FUSED: bool>(values: &[f32], factor: f32, zero: u8, bytes: &mut [u8]) {
    /// Adding 1.5 * 2^23 leaves an integer in the low bits, rounded to the nearest.
    const ROUND: f32 = 12_582_912.0;
    let (low, high) = (-f32::from(zero), f32::from(255 - zero));
    for (byte, value) in bytes.iter_mut().zip(values) {
        let scaled = value * factor;
        // Written so that NaN becomes the least.
        let scaled = if scaled > low { scaled } else { low };
        let scaled = if scaled < high { scaled } else { high };
        *byte = ((scaled + ROUND).to_bits() as u8).wrapping_add(zero);
    }
}

/// The values `[pixels, channels]` of a map.
///
/// # Panics
/// If the length is not that of so many pixels.
pub fn dequantize(channels: usize, map: &[u8], scale: f32, zero: u8) -> Vec<f32> {
    let (bytes, zero) = (of_map(channels, map), f32::from(zero));
    let value = |&byte: &u8| (f32::from(byte) - zero) * scale;
    match stride(channels) == channels {
        true => bytes.iter().map(value).collect(),
        false => bytes
            .chunks_exact(stride(channels))
            .flat_map(|pixel| pixel[..channels].iter().map(value))
            .collect(),
    }
}

/// Each byte of a map replaced by that of the table.
pub fn look_up(map: &mut [u8], table: &[u8; 256]) {
    map.iter_mut().for_each(|byte| *byte = table[usize::from(*byte)]);
}

/// The means of the channels of one map's pixels; a byte means `scale` times itself less `zero`.
///
/// # Panics
/// If there is no pixel, or the length is not that of a map.
pub fn averages(channels: usize, map: &[u8], scale: f32, zero: u8) -> Vec<f32> {
    let (bytes, each) = (of_map(channels, map), stride(channels));
    let pixels = bytes.len() / each;
    assert!(pixels > 0, "no pixels");
    let mut sums = vec![0u32; each];
    for pixel in bytes.chunks_exact(each) {
        sums.iter_mut()
            .zip(pixel)
            .for_each(|(sum, &byte)| *sum += u32::from(byte));
    }
    let mean = |&sum: &u32| ((f64::from(sum) / pixels as f64 - f64::from(zero)) * f64::from(scale)) as f32;
    sums[..channels].iter().map(mean).collect()
}

/// The greatest byte of each window, as a new map. A window's padding never wins.
///
/// # Panics
/// If the input's length does not match `geometry`.
pub fn max_pool(geometry: &pooling::Geometry, input: &[u8]) -> Vec<u8> {
    let (g, each) = (geometry, stride(geometry.channels));
    assert_eq!(
        input.len(),
        map_len(g.batch * g.height * g.width, g.channels),
        "length of input"
    );
    let (height, width) = (g.output_height(), g.output_width());
    let mut output = vec![0; map_len(g.batch * height * width, g.channels)];
    let within = |at: usize, axis: usize, size: usize| {
        let start = at * g.stride[axis];
        let end = (start + g.kernel[axis]).saturating_sub(g.padding[axis]).min(size);
        start.saturating_sub(g.padding[axis]).min(end)..end
    };
    for (pixel, output) in output.chunks_exact_mut(each).take(g.batch * height * width).enumerate() {
        let (n, y, x) = (pixel / (height * width), pixel / width % height, pixel % width);
        for iy in within(y, 0, g.height) {
            for ix in within(x, 1, g.width) {
                let values = &input[((n * g.height + iy) * g.width + ix) * each..][..each];
                output
                    .iter_mut()
                    .zip(values)
                    .for_each(|(most, &byte)| *most = (*most).max(byte));
            }
        }
    }
    output
}

fn of_map(channels: usize, map: &[u8]) -> &[u8] {
    let each = stride(channels);
    let length = map.len().saturating_sub(SLACK);
    assert!(map.len() >= SLACK && length.is_multiple_of(each), "length of a map");
    &map[..length]
}
