//! Pooling over windows and over whole pictures.

use burn::Tensor;
use burn::tensor::module;
use burn::tensor::ops::MaxPoolOptions;

/// The largest number of each `kernel` x `kernel` window.
///
/// # Shapes
/// `input` `[n, h, w, c]`, `padding` top, left, bottom, right (never the largest); output
/// `[n, (h + top + bottom - kernel) / stride + 1, (w + left + right - kernel) / stride + 1, c]`.
pub fn max_pool(input: Tensor<4>, kernel: usize, stride: usize, padding: [usize; 4]) -> Tensor<4> {
    let [top, left, bottom, right] = padding;
    let options = MaxPoolOptions::new([kernel; 2])
        .with_stride([stride; 2])
        .with_padding_pairs([(top, bottom), (left, right)]);
    module::max_pool2d(input.permute([0, 3, 1, 2]), options).permute([0, 2, 3, 1])
}

/// Means over `output[0]` x `output[1]` parts of nearly equal size, as PyTorch's adaptive average pooling.
///
/// # Shapes
/// `[n, h, w, c]` to `[n, output[0], output[1], c]`.
pub fn average_pool(input: Tensor<4>, output: [usize; 2]) -> Tensor<4> {
    let [_, h, w, _] = input.dims();
    match output {
        [1, 1] => global_average_pool(input),
        _ if [h, w] == output => input,
        _ => module::adaptive_avg_pool2d(input.permute([0, 3, 1, 2]), output).permute([0, 2, 3, 1]),
    }
}

/// The mean over the picture: `[n, h, w, c]` to `[n, 1, 1, c]`.
pub fn global_average_pool(input: Tensor<4>) -> Tensor<4> {
    let [n, h, w, c] = input.dims();
    input.reshape([n, h * w, c]).mean_dim(1).reshape([n, 1, 1, c])
}
