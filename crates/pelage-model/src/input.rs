//! A network's input, from encoded images to a tensor: the one place where it is made.

use burn::tensor::{Device, Tensor, TensorData};
use image::RgbImage;
use pelage_data::preprocess::Preprocessing;

/// Samples of `[h, w, c]` each, one behind the other, as `[n, h, w, c]` on `device`.
///
/// # Panics
/// Where the values are not a whole number of samples.
pub fn tensor(values: Vec<f32>, [h, w, c]: [usize; 3], device: &Device) -> Tensor<4> {
    let shape = [values.len() / (h * w * c), h, w, c];
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Normalized images `[h, w, 3]`, one behind the other, as `[n, h, w, 3]`; the size is that of `preprocessing`.
pub fn images(values: Vec<f32>, preprocessing: &Preprocessing, device: &Device) -> Tensor<4> {
    tensor(values, shape(preprocessing), device)
}

/// Height, width and channels of an input.
pub fn shape(preprocessing: &Preprocessing) -> [usize; 3] {
    [preprocessing.height as usize, preprocessing.width as usize, 3]
}

/// Decodes and normalizes one file: `[h, w, 3]`.
///
/// # Errors
/// Why it cannot be read.
pub fn decode(bytes: &[u8], preprocessing: &Preprocessing) -> Result<Vec<f32>, String> {
    Ok(normalized(&preprocessing.decode(bytes)?, preprocessing))
}

/// Resizes and normalizes one image: `[h, w, 3]`.
pub fn resize(image: &RgbImage, preprocessing: &Preprocessing) -> Vec<f32> {
    normalized(&preprocessing.resize(image), preprocessing)
}

/// Normalizes the `h * w * 3` RGB values of an image that has its size already.
pub fn normalized(pixels: &[u8], preprocessing: &Preprocessing) -> Vec<f32> {
    let mut values = vec![0.0; pixels.len()];
    preprocessing.normalize(pixels, &mut values);
    values
}
