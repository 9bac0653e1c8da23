//! Shows where a model looks: one heat map laid over the picture, and a folder with everything there is to see.

use pelage::explain::folder::{Options, explain};
use pelage::explain::{Picture, grad_cam, heat};
use pelage::{Compute, Model};

pub(crate) fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = Model::open("runs/mine")?;
    let bytes = std::fs::read("pictures/dog.0.jpg")?;
    let picture = Picture::decode(&bytes, &model.facts.preprocessing, &model.device())?;
    let map = grad_cam::grad_cam(&model, picture.pixels, 1)?;
    heat::overlay(&picture.shown, &map).save("grad-cam.png")?;

    let pictures = ["pictures/cat.0.jpg".into(), "pictures/dog.0.jpg".into()];
    let options = Options::default();
    let (run, out) = ("runs/mine".as_ref(), "explained".as_ref());
    for explained in explain(run, &pictures, None, &options, out, &Compute::default(), &|_| {})? {
        println!("{}: {}", explained.path, explained.class);
    }
    Ok(())
}
