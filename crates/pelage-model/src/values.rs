//! Tensors in plain memory, to be saved, loaded, counted or handed out.

use std::collections::BTreeMap;

#[cfg(feature = "burn")]
use burn::Tensor;

/// A tensor in plain memory, row-major.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Values {
    /// Lengths of the axes.
    pub shape: Vec<usize>,
    /// The values.
    pub data: Vec<f32>,
}

/// Tensors by name (`conv1.weight`), in name order.
pub type Named = BTreeMap<String, Values>;

/// The values of an f32 tensor, row-major.
#[cfg(feature = "burn")]
pub fn to_vec<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    let data = tensor.into_data();
    match data.try_into_vec::<f32>() {
        Ok(values) => values,
        // All devices that pelage offers compute in f32.
        Err(_) => unreachable!("a float tensor that is not f32"),
    }
}

/// A tensor of drawn values, uniform in `mean - spread .. mean + spread`: the same on every machine and in every order
/// of tests.
#[cfg(test)]
pub fn drawn<const D: usize>(shape: [usize; D], mean: f32, spread: f32, seed: &mut u64) -> Tensor<D> {
    let mut value = || mean + spread * ((pelage_kernels::split_mix::next(seed) >> 40) as f32 / (1 << 23) as f32 - 1.0);
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| value()).collect();
    Tensor::from_data(
        burn::tensor::TensorData::new(values, shape),
        &burn::tensor::Device::flex(),
    )
}
