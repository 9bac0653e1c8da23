//! Shows what a model looks at: a heat map over an image, and a folder with every explanation.

use pelage::explain::folder::{Options, explain};
use pelage::explain::{Input, grad_cam, heat};
use pelage::{Compute, Model};

pub(crate) fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = Model::open("runs/mine")?;
    let bytes = std::fs::read("pictures/dog.0.jpg")?;
    let image = Input::decode(&bytes, &model.facts.preprocessing, &model.device())?;
    let map = grad_cam::grad_cam(&model, image.pixels, 1)?;
    heat::overlay(&image.shown, &map).save("grad-cam.png")?;

    let images = ["pictures/cat.0.jpg".into(), "pictures/dog.0.jpg".into()];
    let options = Options::default();
    let (run, out) = ("runs/mine".as_ref(), "explained".as_ref());
    for explained in explain(run, &images, None, &options, out, &Compute::default(), &|_| {})? {
        println!("{}: {}", explained.path, explained.class);
    }
    Ok(())
}
