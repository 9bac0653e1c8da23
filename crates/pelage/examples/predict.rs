//! Predicts files, bytes and an image in memory with a trained model.

use pelage::data::{decode, source};
use pelage::{Model, Prediction, predict};

pub(crate) fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = Model::open("runs/mine")?;
    let shown = |one: &Prediction| println!("{}: {:?} {:?}", one.path, one.answer(), one.classes);

    // Files, folders and archives, decoded by all threads.
    for prediction in predict::predict(&model, &source::list("pictures".as_ref())?, &mut |_done| {}) {
        shown(&prediction);
    }
    // The bytes of a file, such as an upload.
    let bytes = std::fs::read("pictures/cat.0.jpg")?;
    shown(&model.predict_bytes("an upload", &bytes));
    // An image in memory.
    let image = decode::decode(&bytes, &decode::Limits::default())?;
    shown(&model.predict_image("an image", &image));
    Ok(())
}
