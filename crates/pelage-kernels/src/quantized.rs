//! Convolution and pooling of bytes: u8 maps by s8 weights with sums of 32 bits, and back to u8 in the same pass.
//!
//! A byte q of a map means scale * (q - zero) (Jacob et al. 2018, section 2.1): the map's scale is a number that these
//! kernels do not know, since the caller divides by it; the zero is a byte, so that padding is exact. Weights have no
//! zero and a scale for each output channel. Results are the same bits on every instruction set and any number of
//! threads.
//!
//! Maps are channels last, each pixel with as many bytes as [`stride`] says; those beyond the channels mean nothing. A
//! map is followed by [`SLACK`] more bytes, which vectors may read.

mod depthwise;
mod dot;
mod maps;
mod pack;
mod tile;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use maps::{averages, dequantize, look_up, max_pool, quantize};
pub use pack::{Packed, Scheme, pack};

use std::mem::MaybeUninit;

use crate::convolution::Geometry;
use crate::fresh::Fresh;
use crate::narrow::{Walk, is_depthwise};

/// Bytes behind a map: vectors of 64 read beyond its last channels.
pub const SLACK: usize = 64;

/// Bytes between the pixels of a map of `channels`: a multiple of four.
pub fn stride(channels: usize) -> usize {
    channels.next_multiple_of(4)
}

/// Bytes of a map of so many pixels, with [`SLACK`].
pub fn map_len(pixels: usize, channels: usize) -> usize {
    pixels * stride(channels) + SLACK
}

/// Whether [`forward`] computes a convolution of this shape: of one group, or depthwise.
pub fn computes(geometry: &Geometry) -> bool {
    geometry.groups == 1 || is_depthwise(geometry)
}

/// The convolution of `input` `[n, h, w, stride(ci)]`, plus `residual`, which is a map like the output, as a new map
/// `[n, oh, ow, stride(co)]`. `alone`: on this thread, since others are busy with other images.
///
/// # Panics
/// If a map has the wrong length for `geometry`, or `packed` was made for another kernel.
pub fn forward(geometry: &Geometry, input: &[u8], packed: &Packed, residual: Option<&[u8]>, alone: bool) -> Vec<u8> {
    packed.check(geometry, residual.is_some());
    let pixels = geometry.batch * geometry.output_height() * geometry.output_width();
    let in_pixels = geometry.batch * geometry.height * geometry.width;
    assert_eq!(input.len(), map_len(in_pixels, geometry.in_channels), "length of input");
    let length = map_len(pixels, geometry.out_channels);
    assert!(
        residual.is_none_or(|residual| residual.len() == length),
        "length of residual"
    );
    let mut output = Fresh::new(length);
    let (map, slack) = output.slots().split_at_mut(length - SLACK);
    slack.fill(MaybeUninit::new(0));
    if !map.is_empty() {
        let walk = Walk {
            geometry,
            input,
            strides: [stride(geometry.in_channels), stride(geometry.out_channels)],
            residual,
            slack: SLACK,
            zero: packed.zero,
            alone,
        };
        match is_depthwise(geometry) {
            true => depthwise::forward(geometry, input, packed, residual, alone, map),
            false => walk.over(map, |block, output| tile::block(packed.arm, packed, block, output)),
        }
    }
    // SAFETY: the kernels write every pixel of the map, and the slack is written above.
    unsafe { output.into_vec() }
}
