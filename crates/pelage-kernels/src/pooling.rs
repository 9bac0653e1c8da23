//! Max-pooling (output sizes as in PyTorch) and global average pooling, forward and backward, channels last.

use rayon::prelude::*;

use crate::convolution::windows;
use crate::fresh::Fresh;

/// The shape of one pooling over images with channels last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Images in the batch.
    pub batch: usize,
    /// Rows of the input.
    pub height: usize,
    /// Columns of the input.
    pub width: usize,
    /// Channels.
    pub channels: usize,
    /// Rows and columns of a window, at most 255 pixels.
    pub kernel: [usize; 2],
    /// Stride between windows: down, right.
    pub stride: [usize; 2],
    /// Padding: top, left, bottom, right; smaller than the kernel. It never wins.
    pub padding: [usize; 4],
}

impl Geometry {
    /// Rows of the output.
    pub fn output_height(&self) -> usize {
        self.windows(self.height, 0)
    }
    /// Columns of the output.
    pub fn output_width(&self) -> usize {
        self.windows(self.width, 1)
    }
    /// Values in the input `[n, h, w, c]`.
    pub fn input_len(&self) -> usize {
        self.batch * self.height * self.width * self.channels
    }
    /// Values in the output `[n, oh, ow, c]`.
    pub fn output_len(&self) -> usize {
        self.batch * self.output_height() * self.output_width() * self.channels
    }

    fn windows(&self, size: usize, axis: usize) -> usize {
        let padded = size + self.padding[axis] + self.padding[axis + 2];
        windows(padded, self.kernel[axis], self.stride[axis])
    }

    fn check(&self, input: usize, output: usize) {
        let sizes = self.kernel.iter().chain(&self.stride);
        assert!(self.channels > 0 && sizes.copied().all(|size| size > 0), "a size is 0");
        assert!(
            self.kernel[0] * self.kernel[1] <= 255,
            "the window has more than 255 pixels"
        );
        assert!(
            (0..4).all(|side| self.padding[side] < self.kernel[side % 2]),
            "the padding is as large as the kernel"
        );
        assert_eq!(input, self.input_len(), "length of input");
        assert_eq!(output, self.output_len(), "length of output");
    }

    /// The part of window `at` along an axis that is within the input: its first pixel, its end, and how many of the
    /// window's pixels precede it.
    fn span(&self, axis: usize, at: usize) -> (usize, usize, usize) {
        let (start, size) = (at * self.stride[axis], [self.height, self.width][axis]);
        let skipped = self.padding[axis].saturating_sub(start);
        let end = (start + self.kernel[axis]).saturating_sub(self.padding[axis]).min(size);
        (start.saturating_sub(self.padding[axis]).min(end), end, skipped)
    }
}

/// Writes the maximum of each window to `output` `[n, oh, ow, c]`, and its index within the window (row-major) to
/// `winners`, which is as long as `output`. The first of equal values wins; NaN wins over every number.
///
/// # Panics
/// If a slice's length does not match `geometry`.
pub fn max_forward(geometry: &Geometry, input: &[f32], output: &mut [f32], winners: &mut [u8]) {
    let g = geometry;
    g.check(input.len(), output.len());
    assert_eq!(winners.len(), output.len(), "length of winners");
    if output.is_empty() {
        return;
    }
    let (height, width, c) = (g.output_height(), g.output_width(), g.channels);
    let rows = output
        .par_chunks_mut(width * c)
        .zip(winners.par_chunks_mut(width * c))
        .enumerate();
    rows.for_each(|(row, (output, winners))| {
        let (n, y) = (row / height, row % height);
        let (top, bottom, above) = g.span(0, y);
        for (x, (output, winners)) in output.chunks_exact_mut(c).zip(winners.chunks_exact_mut(c)).enumerate() {
            let (left, right, before) = g.span(1, x);
            output.fill(f32::NEG_INFINITY);
            winners.fill((above * g.kernel[1] + before) as u8);
            for iy in top..bottom {
                for ix in left..right {
                    let position = ((above + iy - top) * g.kernel[1] + before + ix - left) as u8;
                    let values = &input[((n * g.height + iy) * g.width + ix) * c..][..c];
                    for ((best, winner), &value) in output.iter_mut().zip(&mut *winners).zip(values) {
                        let better = (value > *best) | (value.is_nan() & !best.is_nan());
                        *best = if better { value } else { *best };
                        *winner = if better { position } else { *winner };
                    }
                }
            }
        }
    });
}

/// Input gradient of max-pooling: each output's gradient goes to its winner.
///
/// # Panics
/// If a slice's length does not match `geometry`, or a winner lies outside the input.
pub fn max_backward(geometry: &Geometry, winners: &[u8], grad_output: &[f32], grad_input: &mut [f32]) {
    let g = geometry;
    g.check(grad_input.len(), grad_output.len());
    assert_eq!(winners.len(), grad_output.len(), "length of winners");
    grad_input.fill(0.0);
    if grad_output.is_empty() || grad_input.is_empty() {
        return;
    }
    let (height, width, c) = (g.output_height(), g.output_width(), g.channels);
    let images = grad_input
        .par_chunks_mut(g.height * g.width * c)
        .zip(grad_output.par_chunks(height * width * c))
        .zip(winners.par_chunks(height * width * c));
    images.for_each(|((image, gradient), winners)| {
        for (pixel, (gradient, winners)) in gradient.chunks_exact(c).zip(winners.chunks_exact(c)).enumerate() {
            let corner = [pixel / width * g.stride[0], pixel % width * g.stride[1]];
            for (channel, (gradient, &winner)) in gradient.iter().zip(winners).enumerate() {
                let (ky, kx) = (usize::from(winner) / g.kernel[1], usize::from(winner) % g.kernel[1]);
                let iy = (corner[0] + ky).wrapping_sub(g.padding[0]);
                let ix = (corner[1] + kx).wrapping_sub(g.padding[1]);
                assert!(iy < g.height && ix < g.width, "a winner outside the input");
                image[(iy * g.width + ix) * c + channel] += gradient;
            }
        }
    });
}

/// Mean over the pixels of each image: `input` `[n, pixels, channels]` to `[n, channels]`.
///
/// # Panics
/// If the length does not match, or there are no pixels.
pub fn global_average_forward(pixels: usize, channels: usize, input: &[f32]) -> Vec<f32> {
    assert!(pixels > 0 && channels > 0, "a size is 0");
    assert!(input.len().is_multiple_of(pixels * channels), "length of input");
    let mut output = vec![0.0f32; input.len() / pixels];
    let images = output.par_chunks_mut(channels).zip(input.par_chunks(pixels * channels));
    images.for_each(|(output, input)| {
        // Sum a few pixels at a time, then those sums: rounding errors grow only with the square root.
        let piece = pixels.isqrt() * channels;
        let mut part = vec![0.0f32; channels];
        for input in input.chunks(piece) {
            part.fill(0.0);
            for values in input.chunks_exact(channels) {
                part.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            }
            output.iter_mut().zip(&part).for_each(|(sum, part)| *sum += part);
        }
        output.iter_mut().for_each(|sum| *sum /= pixels as f32);
    });
    output
}

/// Input gradient of [`global_average_forward`], `[n, pixels, channels]`, from `grad_output` `[n, channels]`.
///
/// # Panics
/// If the length does not match, or there are no pixels.
pub fn global_average_backward(pixels: usize, channels: usize, grad_output: &[f32]) -> Vec<f32> {
    assert!(pixels > 0 && channels > 0, "a size is 0");
    assert!(grad_output.len().is_multiple_of(channels), "length of grad_output");
    let share = 1.0 / pixels as f32;
    let mut grad_input = Fresh::new(grad_output.len() * pixels);
    let images = grad_input.slots().par_chunks_mut(pixels * channels);
    images
        .zip(grad_output.par_chunks(channels))
        .for_each(|(image, gradient)| {
            for pixel in image.chunks_exact_mut(channels) {
                for (value, gradient) in pixel.iter_mut().zip(gradient) {
                    value.write(share * gradient);
                }
            }
        });
    // SAFETY: an image is whole pixels, each as long as its gradient, and all are written.
    unsafe { grad_input.into_vec() }
}
