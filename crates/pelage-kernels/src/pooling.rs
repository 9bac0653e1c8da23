//! Maximum, average and global average pooling, forward and backward, channels last; sizes as in PyTorch.

use rayon::prelude::*;

/// The sizes of one pooling over pictures with channels last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Pictures.
    pub batch: usize,
    /// Rows of the input.
    pub height: usize,
    /// Columns of the input.
    pub width: usize,
    /// Channels.
    pub channels: usize,
    /// Rows and columns of a window; of at most 255 pixels.
    pub kernel: [usize; 2],
    /// Steps between windows, down and right.
    pub stride: [usize; 2],
    /// Border: top, left, bottom, right; less than the kernel. It never wins, and counts as zeros in an average that
    /// includes it.
    pub padding: [usize; 4],
    /// Whether a last window that lies only partly on the input makes an output (PyTorch's `ceil_mode`).
    pub ceil: bool,
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
    /// Numbers in the input `[n, h, w, c]`.
    pub fn input_len(&self) -> usize {
        self.batch * self.height * self.width * self.channels
    }
    /// Numbers in the output `[n, oh, ow, c]`.
    pub fn output_len(&self) -> usize {
        self.batch * self.output_height() * self.output_width() * self.channels
    }

    fn windows(&self, size: usize, axis: usize) -> usize {
        let (before, after) = (self.padding[axis], self.padding[axis + 2]);
        let (kernel, stride) = (self.kernel[axis], self.stride[axis]);
        let Some(room) = (size + before + after).checked_sub(kernel) else {
            return 0;
        };
        let count = if self.ceil {
            room.div_ceil(stride)
        } else {
            room / stride
        } + 1;
        // A window that would begin beyond the input and the border before it is left out.
        if self.ceil && (count - 1) * stride >= size + before {
            count - 1
        } else {
            count
        }
    }

    fn check(&self, input: usize, output: usize) {
        let sizes = self.kernel.iter().chain(&self.stride);
        assert!(self.channels > 0 && sizes.copied().all(|size| size > 0), "a size of 0");
        assert!(
            self.kernel[0] * self.kernel[1] <= 255,
            "a window of more than 255 pixels"
        );
        assert!(
            (0..4).all(|side| self.padding[side] < self.kernel[side % 2]),
            "padding as large as the kernel"
        );
        assert_eq!(input, self.input_len(), "length of input");
        assert_eq!(output, self.output_len(), "length of output");
    }

    /// The part of window `at` along an axis that lies on the input: its first pixel, its end, and how many of the
    /// window's pixels come before.
    fn span(&self, axis: usize, at: usize) -> (usize, usize, usize) {
        let (start, size) = (at * self.stride[axis], [self.height, self.width][axis]);
        let skipped = self.padding[axis].saturating_sub(start);
        let end = (start + self.kernel[axis]).saturating_sub(self.padding[axis]).min(size);
        (start.saturating_sub(self.padding[axis]).min(end), end, skipped)
    }

    /// What the sum of window (`y`, `x`) is divided by: the pixels of the input, or also those of the border (but never
    /// those that only `ceil` lets it reach).
    fn divisor(&self, y: usize, x: usize, include_padding: bool) -> f32 {
        let along = |axis: usize, at: usize| {
            let (from, end, _) = self.span(axis, at);
            let start = at * self.stride[axis];
            let reach = [self.height, self.width][axis] + self.padding[axis] + self.padding[axis + 2];
            if include_padding {
                (start + self.kernel[axis]).min(reach) - start
            } else {
                end - from
            }
        };
        (along(0, y) * along(1, x)) as f32
    }
}

/// Maximum of each window into `output` `[n, oh, ow, c]`. `winners`, as long as `output`, takes which pixel of the window
/// it was (row by row, the first of equals; a NaN wins over all numbers).
///
/// # Panics
/// Where a slice's length does not fit `geometry`.
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

/// Gradient at the input of a maximum from that at its output: each goes to the winner.
///
/// # Panics
/// Where a slice's length does not fit `geometry`, or a winner lies outside of the input.
pub fn max_backward(geometry: &Geometry, winners: &[u8], grad_output: &[f32], grad_input: &mut [f32]) {
    let g = geometry;
    g.check(grad_input.len(), grad_output.len());
    assert_eq!(winners.len(), grad_output.len(), "length of winners");
    grad_input.fill(0.0);
    if grad_output.is_empty() || grad_input.is_empty() {
        return;
    }
    let c = g.channels;
    scatter(g, grad_output, grad_input, |y, x, picture, grad, at| {
        let winners = &winners[at..at + c];
        for (channel, (&winner, grad)) in winners.iter().zip(grad).enumerate() {
            let (ky, kx) = (usize::from(winner) / g.kernel[1], usize::from(winner) % g.kernel[1]);
            let iy = (y * g.stride[0] + ky).wrapping_sub(g.padding[0]);
            let ix = (x * g.stride[1] + kx).wrapping_sub(g.padding[1]);
            assert!(iy < g.height && ix < g.width, "a winner outside of the input");
            picture[(iy * g.width + ix) * c + channel] += grad;
        }
    });
}

/// Average of each window into `output` `[n, oh, ow, c]`, over the input's pixels alone or over the border's zeros too
/// (PyTorch's `count_include_pad`).
///
/// # Panics
/// Where a slice's length does not fit `geometry`.
pub fn average_forward(geometry: &Geometry, include_padding: bool, input: &[f32], output: &mut [f32]) {
    let g = geometry;
    g.check(input.len(), output.len());
    if output.is_empty() {
        return;
    }
    let (height, width, c) = (g.output_height(), g.output_width(), g.channels);
    output.par_chunks_mut(width * c).enumerate().for_each(|(row, output)| {
        let (n, y) = (row / height, row % height);
        let (top, bottom, _) = g.span(0, y);
        for (x, output) in output.chunks_exact_mut(c).enumerate() {
            let (left, right, _) = g.span(1, x);
            output.fill(0.0);
            for iy in top..bottom {
                for values in input[((n * g.height + iy) * g.width + left) * c..][..(right - left) * c].chunks_exact(c)
                {
                    output.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
                }
            }
            let divisor = g.divisor(y, x, include_padding);
            output.iter_mut().for_each(|sum| *sum /= divisor);
        }
    });
}

/// Gradient at the input of an average from that at its output.
///
/// # Panics
/// Where a slice's length does not fit `geometry`.
pub fn average_backward(geometry: &Geometry, include_padding: bool, grad_output: &[f32], grad_input: &mut [f32]) {
    let g = geometry;
    g.check(grad_input.len(), grad_output.len());
    grad_input.fill(0.0);
    if grad_output.is_empty() || grad_input.is_empty() {
        return;
    }
    let c = g.channels;
    scatter(g, grad_output, grad_input, |y, x, picture, grad, _| {
        let ((top, bottom, _), (left, right, _)) = (g.span(0, y), g.span(1, x));
        let share = 1.0 / g.divisor(y, x, include_padding);
        for iy in top..bottom {
            for sums in picture[(iy * g.width + left) * c..][..(right - left) * c].chunks_exact_mut(c) {
                sums.iter_mut().zip(grad).for_each(|(sum, grad)| *sum += share * grad);
            }
        }
    });
}

/// Runs `window` on row and column of each output pixel, with the picture of `grad_input` that it is in, its gradient and
/// where that begins in `grad_output`.
fn scatter(
    g: &Geometry,
    grad_output: &[f32],
    grad_input: &mut [f32],
    window: impl Fn(usize, usize, &mut [f32], &[f32], usize) + Sync,
) {
    let (height, width, c) = (g.output_height(), g.output_width(), g.channels);
    let pictures = grad_input.par_chunks_mut(g.height * g.width * c).enumerate();
    pictures.for_each(|(n, picture)| {
        for pixel in 0..height * width {
            let at = (n * height * width + pixel) * c;
            window(pixel / width, pixel % width, picture, &grad_output[at..at + c], at);
        }
    });
}

/// Average over all pixels of each picture: `input` `[n, pixels, c]`, `output` `[n, c]`.
///
/// # Panics
/// Where the lengths do not fit, or there are no pixels.
pub fn global_average_forward(pixels: usize, channels: usize, input: &[f32], output: &mut [f32]) {
    assert!(pixels > 0 && channels > 0, "a size of 0");
    assert_eq!(input.len(), output.len() * pixels, "length of input");
    assert!(output.len().is_multiple_of(channels), "length of output");
    let pictures = output.par_chunks_mut(channels).zip(input.par_chunks(pixels * channels));
    pictures.for_each(|(output, input)| {
        // Sums of a few pixels first, then sums of those: rounding errors grow with the square root alone.
        let piece = pixels.isqrt() * channels;
        let mut part = vec![0.0f32; channels];
        output.fill(0.0);
        for input in input.chunks(piece) {
            part.fill(0.0);
            for values in input.chunks_exact(channels) {
                part.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            }
            output.iter_mut().zip(&part).for_each(|(sum, part)| *sum += part);
        }
        output.iter_mut().for_each(|sum| *sum /= pixels as f32);
    });
}

/// Gradient at the input of a global average: `grad_output` `[n, c]`, `grad_input` `[n, pixels, c]`.
///
/// # Panics
/// Where the lengths do not fit, or there are no pixels.
pub fn global_average_backward(pixels: usize, channels: usize, grad_output: &[f32], grad_input: &mut [f32]) {
    assert!(pixels > 0 && channels > 0, "a size of 0");
    assert_eq!(grad_input.len(), grad_output.len() * pixels, "length of grad_input");
    assert!(grad_output.len().is_multiple_of(channels), "length of grad_output");
    let share = 1.0 / pixels as f32;
    let pictures = grad_input
        .par_chunks_mut(pixels * channels)
        .zip(grad_output.par_chunks(channels));
    pictures.for_each(|(grad_input, grad_output)| {
        for values in grad_input.chunks_exact_mut(channels) {
            values
                .iter_mut()
                .zip(grad_output)
                .for_each(|(value, grad)| *value = share * grad);
        }
    });
}
