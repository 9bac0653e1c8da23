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
    for written in export(
        "pictures".as_ref(),
        None,
        &recipe,
        "features".as_ref(),
        &Compute::default(),
        &|_| {},
    )? {
        println!(
            "{}.npy: {} x {:?}",
            written.path.display(),
            written.images,
            written.shape
        );
    }
    Ok(())
}
