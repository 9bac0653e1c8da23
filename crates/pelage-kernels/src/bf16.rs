//! Convolution and pooling of bf16, the upper half of an f32: maps and weights in bf16, sums in f32, rounded to the
//! nearest (halves to even) in the same pass. Products of two values are exact, and two of them are added to a sum in
//! one instruction, the second one first.
//!
//! Maps are channels last, each pixel with as many values as [`stride`] says; one beyond the channels is 0, or what
//! comes of 0. A value is the bits of its number, `u16`. Numbers below the least normal one count as 0 on x86.
//! Results are the same bits on any number of threads, whatever else is in the batch.

mod chain;
mod depthwise;
mod dot;
mod maps;
mod pack;
mod tile;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use chain::{Link, forward_chain};
pub use dot::Instructions;
pub use maps::{averages, max_pool, narrow, widen};
pub use pack::{Packed, pack};

use std::mem::MaybeUninit;

use crate::convolution::{Activation, Geometry};
use crate::fresh::Fresh;
use crate::narrow::{Walk, is_depthwise};

/// Values between the pixels of a map of `channels`: an even number.
pub fn stride(channels: usize) -> usize {
    channels.next_multiple_of(2)
}

/// Whether [`forward`] computes a convolution of this shape: of one group, or depthwise.
pub fn computes(geometry: &Geometry) -> bool {
    geometry.groups == 1 || is_depthwise(geometry)
}

/// The activation of the convolution of `input` `[n, h, w, stride(ci)]` plus bias plus `residual`, which is a map like
/// the output, as a new map `[n, oh, ow, stride(co)]`. `alone`: on this thread, since others are busy.
///
/// # Panics
/// If a map has the wrong length for `geometry`, or `packed` was made for another kernel.
pub fn forward(
    geometry: &Geometry,
    input: &[u16],
    packed: &Packed,
    residual: Option<&[u16]>,
    activation: Activation,
    alone: bool,
) -> Vec<u16> {
    let pixels = geometry.batch * geometry.output_height() * geometry.output_width();
    let mut output = Fresh::new(pixels * stride(geometry.out_channels));
    write(geometry, input, packed, residual, activation, alone, output.slots());
    // SAFETY: `write` writes every value.
    unsafe { output.into_vec() }
}

/// [`forward`] into possibly uninitialized memory; writes every value before reading it.
fn write(
    geometry: &Geometry,
    input: &[u16],
    packed: &Packed,
    residual: Option<&[u16]>,
    activation: Activation,
    alone: bool,
    output: &mut [MaybeUninit<u16>],
) {
    let g = geometry;
    packed.check(g);
    let strides = [stride(g.in_channels), stride(g.out_channels)];
    assert_eq!(
        input.len(),
        g.batch * g.height * g.width * strides[0],
        "length of input"
    );
    let pixels = g.batch * g.output_height() * g.output_width();
    assert_eq!(output.len(), pixels * strides[1], "length of output");
    assert!(
        residual.is_none_or(|residual| residual.len() == output.len()),
        "length of residual"
    );
    if output.is_empty() {
        return;
    }
    if is_depthwise(g) {
        return depthwise::forward(g, input, packed, residual, activation, alone, output);
    }
    let walk = Walk {
        geometry,
        input,
        strides,
        residual,
        slack: 0,
        zero: 0,
        alone,
    };
    walk.over(output, |block, output| {
        tile::block(packed.instructions, packed, activation, block, output)
    });
}
