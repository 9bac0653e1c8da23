//! The fused block: 3x3 'same' convolution, bias, ReLU or nothing, 2x2 max-pooling, forward and backward.
//!
//! Forward, by Winograd's minimal filtering, the four convolution outputs under a pooled value stay in registers, so
//! the full-size convolution output is never written to memory; only which of the four won is kept. Backward, at most
//! one in four convolution outputs has a gradient, and none where ReLU gave 0, so both gradients are sums over winners
//! only: a quarter of the dense arithmetic. The exception is the weight gradient for few input channels, where listing
//! the winners would cost more than it saves: it is dense, by Winograd's filtering as well.

mod columns;
mod grad_input;
mod grad_weights;
mod list;
mod pool;
mod winograd;

use std::cell::Cell;
use std::mem::MaybeUninit;

use rayon::prelude::*;

pub use crate::dense::Activation;
use crate::fresh::{Fresh, as_uninit};
use crate::isa::Isa;
use crate::scratch::Buffer;

/// The shape of one block; any channel counts, sides of at least 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
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
}

impl Shape {
    /// Rows of the output; an odd last row of the input is dropped.
    pub fn pooled_height(&self) -> usize {
        self.height / 2
    }
    /// Columns of the output; an odd last column of the input is dropped.
    pub fn pooled_width(&self) -> usize {
        self.width / 2
    }
    /// Values in the input `[n, h, w, ci]`.
    pub fn input_len(&self) -> usize {
        self.batch * self.image_len()
    }
    /// Values in the output `[n, h/2, w/2, co]`.
    pub fn output_len(&self) -> usize {
        self.batch * self.pooled_len()
    }
    /// Values in the weights `[co, ci, 3, 3]`.
    pub fn weight_len(&self) -> usize {
        self.out_channels * self.in_channels * 9
    }
    fn image_len(&self) -> usize {
        self.height * self.width * self.in_channels
    }
    fn pooled_len(&self) -> usize {
        self.pooled_height() * self.pooled_width() * self.out_channels
    }
}

/// In `winners`: ReLU zeroed this value, so nothing won.
pub(crate) const CUT: u8 = 4;

/// Images whose weight gradients are summed by one thread. Constant, so that the order of summation, and with it every
/// bit of the result, does not depend on the number of threads.
const GROUP: usize = 4;

// Weights packed for the input gradient, and sums of weight gradients.
thread_local!(static SHARED: Cell<[Buffer; 2]> = Cell::default());

/// Weights and bias packed for [`forward`], for one instruction set.
#[derive(Clone, Debug)]
pub struct Packed {
    isa: Isa,
    channels: [usize; 2],
    numbers: Buffer,
}

/// Packs `weights` `[co, ci, 3, 3]` and `bias` `[co]`. Only the channels of `shape` matter; the result works for any
/// number and size of images.
///
/// # Panics
/// If a slice's length does not match `shape`.
pub fn pack(isa: Isa, shape: Shape, weights: &[f32], bias: &[f32]) -> Packed {
    check(shape, weights, bias.len());
    let (len, pack): (_, fn(_, _, &[f32], &[f32], &mut [f32])) = match winograd::suits(isa, shape) {
        true => (winograd::packed_len(isa, shape), winograd::pack),
        false => (columns::packed_len(isa, shape), columns::pack),
    };
    let mut numbers = Buffer::zeros(len);
    pack(isa, shape, weights, bias, &mut numbers);
    Packed {
        isa,
        channels: [shape.in_channels, shape.out_channels],
        numbers,
    }
}

/// Work items per thread, if there are fewer images than that.
const PIECES: usize = 2;

/// Computes the pooled `output` `[n, h/2, w/2, co]` of `input` `[n, h, w, ci]`, and in `winners`, as long as `output`,
/// which of the four positions won (row-major 0 to 3, the first of equal values), or 4 where ReLU gave 0.
/// `activation` comes between convolution and pooling.
///
/// # Panics
/// If a slice's length does not match `shape`, or `packed` was made for other channels or another instruction set.
pub fn forward(
    isa: Isa,
    shape: Shape,
    activation: Activation,
    input: &[f32],
    packed: &Packed,
    output: &mut [f32],
    winners: &mut [u8],
) {
    // SAFETY: only initialized values are written.
    let (output, winners) = unsafe { (as_uninit(output), as_uninit(winners)) };
    write(isa, shape, activation, input, packed, output, winners);
}

/// [`forward`] into possibly uninitialized memory; writes every element before reading it.
fn write(
    isa: Isa,
    shape: Shape,
    activation: Activation,
    input: &[f32],
    packed: &Packed,
    output: &mut [MaybeUninit<f32>],
    winners: &mut [MaybeUninit<u8>],
) {
    assert_eq!(packed.isa, isa, "packed for another instruction set");
    assert_eq!(
        packed.channels,
        [shape.in_channels, shape.out_channels],
        "packed for other channels"
    );
    assert_eq!(input.len(), shape.input_len(), "length of input");
    assert_eq!(output.len(), shape.output_len(), "length of output");
    assert_eq!(winners.len(), shape.output_len(), "length of winners");
    if output.is_empty() {
        return;
    }
    type RowsOf = fn(Isa, Shape, f32, usize, &[f32], &[f32], &mut [MaybeUninit<f32>], &mut [MaybeUninit<u8>]);
    let (rows_of, tile_rows): (RowsOf, _) = match winograd::suits(isa, shape) {
        true => (winograd::rows_of, winograd::TILE),
        false => (columns::rows_of, columns::TILE),
    };
    // Nothing is below it but what ReLU cuts.
    let floor = match activation {
        Activation::None => f32::NEG_INFINITY,
        Activation::Relu => 0.0,
    };
    let pieces = (PIECES * rayon::current_num_threads()).div_ceil(shape.batch);
    let rows = shape.pooled_height().div_ceil(pieces).next_multiple_of(tile_rows);
    let piece = rows * shape.pooled_width() * shape.out_channels;
    let images = input
        .par_chunks(shape.image_len())
        .zip(output.par_chunks_mut(shape.pooled_len()))
        .zip(winners.par_chunks_mut(shape.pooled_len()));
    images.for_each(|((input, output), winners)| {
        let pieces = output
            .par_chunks_mut(piece)
            .zip(winners.par_chunks_mut(piece))
            .enumerate();
        pieces.for_each(|(i, (output, winners))| {
            rows_of(isa, shape, floor, i * rows, input, &packed.numbers, output, winners);
        });
    });
}

/// [`forward`] into new vectors: output and winners.
///
/// # Panics
/// As [`forward`].
pub fn forward_new(
    isa: Isa,
    shape: Shape,
    activation: Activation,
    input: &[f32],
    packed: &Packed,
) -> (Vec<f32>, Vec<u8>) {
    let (mut output, mut winners) = (Fresh::new(shape.output_len()), Fresh::new(shape.output_len()));
    write(isa, shape, activation, input, packed, output.slots(), winners.slots());
    // SAFETY: `write` writes every element of both.
    unsafe { (output.into_vec(), winners.into_vec()) }
}

/// Gradients of weights, bias and, if requested, input, from `grad_output` `[n, h/2, w/2, co]`; all are overwritten.
/// `winners` are those of [`forward`].
///
/// # Panics
/// If a slice's length does not match `shape`.
pub fn backward(
    isa: Isa,
    shape: Shape,
    input: &[f32],
    weights: &[f32],
    winners: &[u8],
    grad_output: &[f32],
    grad_weights: &mut [f32],
    grad_bias: &mut [f32],
    grad_input: Option<&mut [f32]>,
) {
    // SAFETY: only initialized values are written.
    let grad_input = grad_input.map(|grad| unsafe { as_uninit(grad) });
    write_gradients(
        isa,
        shape,
        input,
        weights,
        winners,
        grad_output,
        grad_weights,
        grad_bias,
        grad_input,
    );
}

/// [`backward`] with the input gradient in possibly uninitialized memory: writes every element before reading it.
fn write_gradients(
    isa: Isa,
    shape: Shape,
    input: &[f32],
    weights: &[f32],
    winners: &[u8],
    grad_output: &[f32],
    grad_weights: &mut [f32],
    grad_bias: &mut [f32],
    grad_input: Option<&mut [MaybeUninit<f32>]>,
) {
    check(shape, weights, grad_bias.len());
    assert_eq!(input.len(), shape.input_len(), "length of input");
    assert_eq!(grad_weights.len(), shape.weight_len(), "length of grad_weights");
    assert_eq!(grad_output.len(), shape.output_len(), "length of grad_output");
    assert_eq!(winners.len(), shape.output_len(), "length of winners");
    grad_weights.fill(0.0);
    grad_bias.fill(0.0);
    if shape.output_len() == 0 {
        grad_input.into_iter().for_each(|grad| grad.fill(MaybeUninit::new(0.0)));
        return;
    }
    let (image, pooled) = (shape.image_len(), shape.pooled_len());
    let mut kept = SHARED.take();
    let [packed, sums] = &mut kept;
    let len = grad_weights::sums_len(shape);
    let sums = sums.get(shape.batch.div_ceil(GROUP) * len);
    input
        .par_chunks(image * GROUP)
        .zip(grad_output.par_chunks(pooled * GROUP))
        .zip(winners.par_chunks(pooled * GROUP))
        .zip(sums.par_chunks_mut(len))
        .for_each(|(((input, grad_output), winners), sums)| {
            sums.fill(0.0);
            let images = input
                .chunks(image)
                .zip(grad_output.chunks(pooled))
                .zip(winners.chunks(pooled));
            for ((input, grad_output), winners) in images {
                grad_weights::image(isa, shape, input, grad_output, winners, sums);
            }
        });
    for sums in sums.chunks(len) {
        grad_weights::add_to(shape, sums, grad_weights, grad_bias);
    }

    if let Some(grad_input) = grad_input {
        assert_eq!(grad_input.len(), shape.input_len(), "length of grad_input");
        let packed = packed.get(grad_input::packed_len(shape));
        grad_input::pack(shape, weights, packed);
        grad_input
            .par_chunks_mut(image)
            .zip(grad_output.par_chunks(pooled))
            .zip(winners.par_chunks(pooled))
            .for_each(|((grad_input, grad_output), winners)| {
                grad_input::image(isa, shape, packed, grad_output, winners, grad_input);
            });
    }
    SHARED.set(kept);
}

/// [`backward`] into new vectors: gradients of weights, bias and, if requested, input.
///
/// # Panics
/// As [`backward`].
pub fn backward_new(
    isa: Isa,
    shape: Shape,
    input: &[f32],
    weights: &[f32],
    winners: &[u8],
    grad_output: &[f32],
    needs_input: bool,
) -> (Vec<f32>, Vec<f32>, Option<Vec<f32>>) {
    let (mut grad_weights, mut grad_bias) = (vec![0.0; shape.weight_len()], vec![0.0; shape.out_channels]);
    let mut grad_input = needs_input.then(|| Fresh::new(shape.input_len()));
    write_gradients(
        isa,
        shape,
        input,
        weights,
        winners,
        grad_output,
        &mut grad_weights,
        &mut grad_bias,
        grad_input.as_mut().map(Fresh::slots),
    );
    // SAFETY: `write_gradients` writes every element.
    let grad_input = grad_input.map(|grad| unsafe { grad.into_vec() });
    (grad_weights, grad_bias, grad_input)
}

fn check(shape: Shape, weights: &[f32], bias: usize) {
    assert!(shape.in_channels > 0 && shape.out_channels > 0, "no channels");
    assert_eq!(weights.len(), shape.weight_len(), "length of weights");
    assert_eq!(bias, shape.out_channels, "length of bias");
}

/// Copies `size` rows and columns of an image, starting at row and column `at`, as `[rows][columns][pixel]`; zeros
/// outside the image. If `pixel` is larger than the channels, the rest is left unchanged.
#[inline(always)]
fn copy_window(shape: Shape, image: &[f32], at: [isize; 2], size: [usize; 2], pixel: usize, window: &mut [f32]) {
    let (ci, width) = (shape.in_channels, shape.width as isize);
    // Columns of the window that are within the image.
    let [start, end] = [0, size[1] as isize].map(|x| ((at[1] + x).clamp(0, width) - at[1]) as usize);
    for (y, row) in window.chunks_exact_mut(size[1] * pixel).take(size[0]).enumerate() {
        let y = at[0] + y as isize;
        if y < 0 || y >= shape.height as isize {
            row.fill(0.0);
            continue;
        }
        row[..start * pixel].fill(0.0);
        row[end * pixel..].fill(0.0);
        let from = (y * width + at[1] + start as isize) as usize * ci;
        let (from, row) = (
            &image[from..from + (end - start) * ci],
            &mut row[start * pixel..end * pixel],
        );
        if pixel == ci {
            row.copy_from_slice(from);
        } else {
            let pixels = row.chunks_exact_mut(pixel).zip(from.chunks_exact(ci));
            pixels.for_each(|(to, from)| to[..ci].copy_from_slice(from));
        }
    }
}
