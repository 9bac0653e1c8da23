//! General convolution: any kernel size, stride, padding and groups, with bias, residual and activation in the same
//! pass.
//!
//! Weights are packed once ([`pack()`]) and used for any number of images. [`path`] says how a geometry is computed.

mod activation;
mod chain;
mod dense;
mod depthwise;
mod depthwise_grad;
mod finish;
mod grad_input;
mod grad_weights;
mod multiply;
mod pack;
mod tile;
pub(crate) mod winograd;

pub(crate) use activation::activate_piece;
pub use activation::{Activation, activate, activation_backward};
pub(crate) use chain::{Bands, bands};
pub use chain::{Link, forward_chain, forward_chain_new};
pub use pack::{Packed, pack};

use std::mem::MaybeUninit;

use crate::fresh::{Fresh, as_uninit};
use crate::isa::Isa;

/// The shape of one convolution over images with channels last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Images in the batch.
    pub batch: usize,
    /// Rows of the input.
    pub height: usize,
    /// Columns of the input.
    pub width: usize,
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// Rows and columns of the kernel.
    pub kernel: [usize; 2],
    /// Stride between windows: down, right.
    pub stride: [usize; 2],
    /// Zero padding: top, left, bottom, right.
    pub padding: [usize; 4],
    /// Groups of channels that are convolved independently; divides both channel counts.
    pub groups: usize,
}

impl Geometry {
    /// Rows of the output; 0 if the kernel is larger than the padded input.
    pub fn output_height(&self) -> usize {
        windows(
            self.height + self.padding[0] + self.padding[2],
            self.kernel[0],
            self.stride[0],
        )
    }
    /// Columns of the output; 0 if the kernel is larger than the padded input.
    pub fn output_width(&self) -> usize {
        windows(
            self.width + self.padding[1] + self.padding[3],
            self.kernel[1],
            self.stride[1],
        )
    }
    /// Values in the input `[n, h, w, ci]`.
    pub fn input_len(&self) -> usize {
        self.batch * self.image_len()
    }
    /// Values in the output `[n, oh, ow, co]`.
    pub fn output_len(&self) -> usize {
        self.batch * self.output_image_len()
    }
    /// Values in the weights `[co, ci / groups, kh, kw]`.
    pub fn weight_len(&self) -> usize {
        self.out_channels * self.group_inputs() * self.kernel[0] * self.kernel[1]
    }
    /// Multiply-adds of one forward pass.
    pub fn multiply_adds(&self) -> usize {
        self.output_len() * self.group_inputs() * self.kernel[0] * self.kernel[1]
    }
    pub(crate) fn image_len(&self) -> usize {
        self.height * self.width * self.in_channels
    }
    pub(crate) fn output_image_len(&self) -> usize {
        self.output_height() * self.output_width() * self.out_channels
    }
    pub(crate) fn group_inputs(&self) -> usize {
        self.in_channels / self.groups
    }
    pub(crate) fn group_outputs(&self) -> usize {
        self.out_channels / self.groups
    }
    fn check(&self) {
        assert!(
            self.groups > 0 && self.in_channels > 0 && self.out_channels > 0,
            "no channels"
        );
        assert!(
            self.kernel.iter().chain(&self.stride).all(|&size| size > 0),
            "the kernel or the stride is 0"
        );
        let divided = self.in_channels.is_multiple_of(self.groups) && self.out_channels.is_multiple_of(self.groups);
        assert!(divided, "the groups do not divide the channels");
    }
}

/// How many windows of `kernel` pixels, `stride` apart, fit into `size` pixels.
pub(crate) fn windows(size: usize, kernel: usize, stride: usize) -> usize {
    if size < kernel { 0 } else { (size - kernel) / stride + 1 }
}

/// How a convolution is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// Register tiles of pixels by channels, directly from the input: no padding, one group.
    Direct,
    /// The same tiles, from a zero-padded copy of the input rows that they need; one group at a time.
    Copied,
    /// Winograd's minimal filtering, for 3x3 with stride 1: fewer multiply-adds than direct convolution.
    Winograd,
    /// One input channel for each output channel: vectors of channels, several pixels of a row at once.
    Depthwise,
}

/// The path that [`forward`] takes, chosen for speed. It depends on channels, kernel, stride, groups, and whether there
/// is padding.
pub fn path(isa: Isa, geometry: &Geometry) -> Path {
    if geometry.groups > 1 && geometry.groups == geometry.in_channels && geometry.groups == geometry.out_channels {
        Path::Depthwise
    } else if (geometry.kernel, geometry.stride, geometry.groups) == ([3, 3], [1, 1], 1)
        && winograd::suits(isa, geometry.in_channels, geometry.out_channels)
    {
        Path::Winograd
    } else if geometry.groups == 1 && geometry.padding == [0; 4] {
        Path::Direct
    } else {
        Path::Copied
    }
}

/// Computes `output` `[n, oh, ow, co]` = activation(convolution of `input` `[n, h, w, ci]` + bias + `residual`);
/// `residual` is as long as `output`. Bit-identical for any number of threads.
///
/// # Panics
/// If a slice has the wrong length for `geometry`, or `packed` was made for another kernel or instruction set.
pub fn forward(
    isa: Isa,
    geometry: &Geometry,
    input: &[f32],
    packed: &Packed,
    residual: Option<&[f32]>,
    activation: Activation,
    output: &mut [f32],
) {
    // SAFETY: only initialized values are written.
    let output = unsafe { as_uninit(output) };
    write(isa, geometry, input, packed, residual, activation, output);
}

/// [`forward`] into possibly uninitialized memory; writes every element before reading it.
fn write(
    isa: Isa,
    geometry: &Geometry,
    input: &[f32],
    packed: &Packed,
    residual: Option<&[f32]>,
    activation: Activation,
    output: &mut [MaybeUninit<f32>],
) {
    packed.check(isa, geometry);
    assert_eq!(input.len(), geometry.input_len(), "length of input");
    assert_eq!(output.len(), geometry.output_len(), "length of output");
    assert!(
        residual.is_none_or(|residual| residual.len() == output.len()),
        "length of residual"
    );
    if output.is_empty() {
        return;
    }
    match path(isa, geometry) {
        Path::Depthwise => depthwise::forward(isa, geometry, input, packed, residual, activation, output),
        Path::Winograd => winograd::forward(isa, geometry, input, packed, residual, activation, output),
        Path::Direct => dense::direct(isa, geometry, input, packed, residual, activation, output),
        Path::Copied => dense::copied(isa, geometry, input, packed, residual, activation, output),
    }
}

/// [`forward`] into a new vector.
///
/// # Panics
/// As [`forward`].
pub fn forward_new(
    isa: Isa,
    geometry: &Geometry,
    input: &[f32],
    packed: &Packed,
    residual: Option<&[f32]>,
    activation: Activation,
) -> Vec<f32> {
    let mut output = Fresh::new(geometry.output_len());
    write(isa, geometry, input, packed, residual, activation, output.slots());
    // SAFETY: `write` writes every element.
    unsafe { output.into_vec() }
}

/// Gradients of `weights` `[co, ci / groups, kh, kw]`, bias `[co]` and `input`, each only if requested, from
/// `grad_output` `[n, oh, ow, co]`, the gradient of the convolution's sums; all are overwritten. Apply
/// [`activation_backward`] first; its result is also the residual's gradient. Bit-identical for any number of threads.
///
/// # Panics
/// If a slice has the wrong length for `geometry`.
#[allow(clippy::too_many_arguments, reason = "one slice for each tensor")]
pub fn backward(
    isa: Isa,
    geometry: &Geometry,
    input: &[f32],
    weights: &[f32],
    grad_output: &[f32],
    grad_weights: Option<&mut [f32]>,
    grad_bias: Option<&mut [f32]>,
    grad_input: Option<&mut [f32]>,
) {
    geometry.check();
    assert_eq!(input.len(), geometry.input_len(), "length of input");
    assert_eq!(weights.len(), geometry.weight_len(), "length of weights");
    assert_eq!(grad_output.len(), geometry.output_len(), "length of grad_output");
    if let Some(grad_weights) = grad_weights {
        assert_eq!(grad_weights.len(), weights.len(), "length of grad_weights");
        match path(isa, geometry) {
            _ if grad_output.is_empty() => grad_weights.fill(0.0),
            Path::Depthwise => depthwise_grad::weights(isa, geometry, input, grad_output, grad_weights),
            Path::Winograd if winograd::suits_gradient(isa, geometry) => {
                winograd::grad_weights(isa, geometry, input, grad_output, grad_weights)
            }
            Path::Winograd | Path::Direct | Path::Copied => {
                grad_weights::dense(isa, geometry, input, grad_output, grad_weights)
            }
        }
    }
    if let Some(grad_bias) = grad_bias {
        assert_eq!(grad_bias.len(), geometry.out_channels, "length of grad_bias");
        grad_weights::bias(grad_output, grad_bias);
    }
    if let Some(grad_input) = grad_input {
        assert_eq!(grad_input.len(), input.len(), "length of grad_input");
        if grad_output.is_empty() {
            grad_input.fill(0.0);
        } else {
            grad_input::grad_input(isa, geometry, weights, grad_output, grad_input);
        }
    }
}
