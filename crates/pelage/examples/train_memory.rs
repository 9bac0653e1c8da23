//! Trains on images in memory, arrays of RGB, and writes nothing but the model.
use std::sync::Arc;

use pelage::data::cache::CacheMode;
use pelage::data::dataset::{Image, split};
use pelage::data::memory::InMemory;
use pelage::{Control, Recipe, device, train::train};

pub(crate) fn main() -> pelage::Result<()> {
    let mut images = InMemory::new(["dark", "light"]);
    for i in 0..80u8 {
        let value = if i % 2 == 0 { i } else { 255 - i };
        let pixels = (0..16 * 16 * 3).map(|j| value ^ (j % 7) as u8).collect();
        images.push(format!("image {i}"), usize::from(i % 2), Image::rgb(16, 16, pixels)?)?;
    }
    let sets = split(Arc::new(images), 0.25, 0)?.into();
    let recipe = Recipe {
        image_size: 16,
        epochs: 5,
        ..Recipe::default()
    };
    let (model, outcome) = train(&recipe, &sets, CacheMode::Auto, &device::cpu()?, &mut |_| {
        Control::Continue
    })?;
    println!(
        "accuracy {:?}",
        outcome.history.last().map(|row| row.validation_accuracy)
    );
    pelage::save(&model, "light-or-dark.safetensors")
}
