//! Predictions for files: over folders and archives, and as a table.

use std::path::Path;

use pelage_data::source::Entry;

pub use pelage_model::predict::{BATCH, Prediction, UNKNOWN};

use crate::{Error, Model, Result, atomic};

/// Predicts every entry, in the order given; `observe` gets the number of entries done.
pub fn predict(model: &Model, entries: &[Entry], observe: &mut dyn FnMut(usize)) -> Vec<Prediction> {
    let mut predictions = Vec::with_capacity(entries.len());
    for chunk in entries.chunks(BATCH) {
        predictions.extend(model.predict_each(
            chunk,
            |entry| entry.location.to_string(),
            |entry, prepare| {
                let read = entry.location.read_with(|bytes| prepare(&bytes));
                read.map_err(|failure| failure.to_string()).and_then(|input| input)
            },
        ));
        observe(predictions.len());
    }
    predictions
}

/// Writes `path,class,probability,error` and the probability of every class to a CSV file, one line per image.
///
/// # Errors
/// A full disk or a folder that cannot be written.
pub fn write_csv(path: &Path, model: &Model, predictions: &[Prediction]) -> Result<()> {
    let failed = |failure: csv::Error| Error::io(path)(failure.into());
    let classes = &model.facts.classes;
    let mut writer = csv::Writer::from_writer(Vec::new());
    let head = ["path", "class", "probability", "error"].map(String::from);
    let named = classes.iter().map(|class| format!("probability of {class}"));
    writer.write_record(head.into_iter().chain(named)).map_err(failed)?;
    for prediction in predictions {
        let probability = |class: &String| {
            prediction
                .classes
                .iter()
                .find(|(name, _)| name == class)
                .map(|(_, p)| p)
        };
        let text = |probability: Option<&f32>| probability.map_or(String::new(), |p| p.to_string());
        let first = prediction.classes.first();
        let row = [
            prediction.path.clone(),
            prediction.answer().unwrap_or_default().to_string(),
            text(first.map(|(_, probability)| probability)),
            prediction.error.clone().unwrap_or_default(),
        ];
        writer
            .write_record(
                row.into_iter()
                    .chain(classes.iter().map(|class| text(probability(class)))),
            )
            .map_err(failed)?;
    }
    Ok(atomic::write(
        path,
        &writer
            .into_inner()
            .map_err(|failure| failed(failure.into_error().into()))?,
    )?)
}
