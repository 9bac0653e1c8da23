//! Features of images as rows of values: from a trained model, and from a frozen backbone over a whole data set.

use pelage::features::export::export;
use pelage::train::transfer::Transfer;
use pelage::{Architecture, Compute, Model, Recipe};

pub(crate) fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = Model::open("runs/mine")?;
    let row = model.embedding(&std::fs::read("pictures/cat.0.jpg")?)?;
    println!("{} values: {:?} ...", row.len(), &row[..3]);

    // With random weights, to try it out; `zoo::store` finds pretrained ones.
    let mut recipe = Recipe::transfer(Architecture::ResNet18, Transfer::new(None));
    recipe.image_size = 32;
    let (data, out, compute) = ("pictures".as_ref(), "features".as_ref(), Compute::default());
    for written in export(data, None, &recipe, out, &compute, &|_| {})? {
        let (file, shape) = (written.path.display(), written.shape);
        println!("{file}.npy: {} x {shape:?}", written.images);
    }
    Ok(())
}
