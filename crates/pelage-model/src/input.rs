//! From encoded images to a network's input tensor: the only place where one is made.

#[cfg(feature = "burn")]
use burn::tensor::{Device, Tensor, TensorData};
use image::RgbImage;
use pelage_data::decode::Limits;
use pelage_data::preprocess::Preprocessing;

/// Stacks consecutive samples of `[h, w, c]` into `[n, h, w, c]` on `device`.
///
/// # Panics
/// If the values are not a whole number of samples.
#[cfg(feature = "burn")]
pub fn tensor(values: Vec<f32>, [h, w, c]: [usize; 3], device: &Device) -> Tensor<4> {
    let shape = [values.len() / (h * w * c), h, w, c];
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Stacks consecutive normalized images `[h, w, 3]`, of the size of `preprocessing`, into `[n, h, w, 3]`.
#[cfg(feature = "burn")]
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
/// Why the file cannot be read.
pub fn decode(bytes: &[u8], preprocessing: &Preprocessing) -> Result<Vec<f32>, String> {
    decode_within(bytes, preprocessing, &Limits::default())
}

/// The same with other limits than those of [`decode`].
///
/// # Errors
/// Why the file cannot be read.
pub fn decode_within(bytes: &[u8], preprocessing: &Preprocessing, limits: &Limits) -> Result<Vec<f32>, String> {
    Ok(normalized(&preprocessing.decode_within(bytes, limits)?, preprocessing))
}

/// Resizes and normalizes one image: `[h, w, 3]`.
///
/// # Errors
/// An image without pixels.
pub fn resize(image: &RgbImage, preprocessing: &Preprocessing) -> Result<Vec<f32>, String> {
    Ok(normalized(&preprocessing.resize(image)?, preprocessing))
}

/// Normalizes the `h * w * 3` RGB values of an image that already has its size.
pub fn normalized(pixels: &[u8], preprocessing: &Preprocessing) -> Vec<f32> {
    let mut values = vec![0.0; pixels.len()];
    preprocessing.normalize(pixels, &mut values);
    values
}
