//! Predictions for files: over folders and archives, and as a table.

use pelage_data::capture::Capture;
use pelage_data::source::Entry;
use rayon::prelude::*;

pub use pelage_model::predict::{BATCH, Prediction, UNKNOWN};

use crate::{Model, Result, table};

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

/// What the files of `entries` say of when and where they were taken, in their order.
pub fn captures(entries: &[Entry]) -> Vec<Capture> {
    entries.par_iter().map(|entry| Capture::at(&entry.location)).collect()
}

/// `path,class,probability,error` and the probability of every class as CSV, one line per image; with `captures`,
/// one for each prediction, also `taken,latitude,longitude`. A cell that a spreadsheet would take for a formula gets a
/// prefix: `./` a path, `'` a class.
///
/// # Errors
/// None in practice: its rows are of one length.
pub fn csv(model: &Model, predictions: &[Prediction], captures: Option<&[Capture]>) -> Result<Vec<u8>> {
    let classes = &model.facts.classes;
    let head = ["path", "class", "probability", "error"].map(String::from);
    let named = classes.iter().map(|class| format!("probability of {class}"));
    let taken = captures.map_or(Vec::new(), |_| {
        ["taken", "latitude", "longitude"].map(String::from).to_vec()
    });
    let head: Vec<_> = head.into_iter().chain(taken).chain(named).collect();
    let rows = predictions.iter().enumerate().map(|(i, prediction)| {
        let of = |class: &String| prediction.classes.iter().find(|(name, _)| name == class);
        let text = |found: Option<&(String, f32)>| found.map_or(String::new(), |(_, p)| p.to_string());
        let row = [
            table::prefixed("./", &prediction.path),
            table::prefixed("'", prediction.answer().unwrap_or_default()),
            text(prediction.classes.first()),
            prediction.error.clone().unwrap_or_default(),
        ];
        let taken = captures.map_or(Vec::new(), |captures| {
            captures.get(i).map_or_else(Default::default, cells).to_vec()
        });
        row.into_iter()
            .chain(taken)
            .chain(classes.iter().map(|class| text(of(class))))
            .collect()
    });
    table::csv(std::iter::once(head).chain(rows))
}

/// Time, latitude and longitude; empty where a picture does not say it.
fn cells(capture: &Capture) -> [String; 3] {
    let place = capture.place();
    let degrees = |index: usize| place.map_or(String::new(), |place| format!("{:.6}", place[index]));
    [capture.time().unwrap_or_default(), degrees(0), degrees(1)]
}
