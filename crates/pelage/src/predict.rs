//! Predictions for files: over folders and archives, and as a table.

use pelage_data::capture::Capture;
use pelage_data::growing::Origin;
use pelage_data::shard::Shard;
use pelage_data::source::Entry;

pub use pelage_model::predict::{BATCH, Prediction, UNKNOWN};

use crate::{Error, Model, Result};
use pelage_data::table;

/// Predicts every entry, in the order given; `observe` gets the number of entries done.
pub fn predict(model: &Model, entries: &[Entry], observe: &mut dyn FnMut(usize)) -> Vec<Prediction> {
    let mut predictions = Vec::with_capacity(entries.len());
    for chunk in entries.chunks(BATCH) {
        predictions.extend(model.predict_each(chunk, |entry| entry.location.to_string(), prepared));
        observe(predictions.len());
    }
    predictions
}

/// What `prepare` makes of an entry's bytes, or why it cannot be read.
///
/// # Errors
/// The same.
pub fn prepared<T>(
    entry: &Entry,
    prepare: &dyn Fn(&[u8]) -> std::result::Result<T, String>,
) -> std::result::Result<T, String> {
    let read = entry.location.read_with(|bytes| prepare(&bytes));
    // The name of the entry stands beside it.
    read.map_err(|failure| failure.reason()).and_then(|input| input)
}

/// The heading of a table of predictions: `path,class,probability,error`, where it `has_captures`
/// `taken,latitude,longitude`, and the probability of every class.
///
/// # Errors
/// None in practice.
pub fn heading(model: &Model, has_captures: bool) -> Result<Vec<u8>> {
    let head = ["path", "class", "probability", "error"].map(String::from);
    let named = model
        .facts
        .classes
        .iter()
        .map(|class| format!("probability of {class}"));
    let taken = ["taken", "latitude", "longitude"].map(String::from);
    let taken = taken.into_iter().filter(|_| has_captures);
    let head: Vec<_> = head.into_iter().chain(taken).chain(named).collect();
    Ok(table::csv(std::iter::once(head))?)
}

/// The rows below it, one for each prediction, with when and where each picture was taken if `captures` say it. A cell
/// that a spreadsheet would take for a formula gets a prefix: `./` a path, `'` a class.
///
/// # Errors
/// None in practice: they are of one length.
pub fn rows(model: &Model, predictions: &[Prediction], captures: Option<&[Capture]>) -> Result<Vec<u8>> {
    let classes = &model.facts.classes;
    let rows = predictions.iter().enumerate().map(|(i, prediction)| {
        let of = |class: &String| prediction.classes.iter().find(|(name, _)| name == class);
        let text = |found: Option<&(String, f32)>| found.map_or(String::new(), |(_, p)| p.to_string());
        let row = [
            path_cell(&prediction.path),
            class_cell(prediction.answer().unwrap_or_default()),
            text(prediction.classes.first()),
            prediction.error.clone().unwrap_or_default(),
        ];
        let taken = captures.map_or(Vec::new(), |captures| {
            captures.get(i).map_or_else(Default::default, cells).to_vec()
        });
        let row = row.into_iter().chain(taken);
        row.chain(classes.iter().map(|class| text(of(class))))
            .collect::<Vec<_>>()
    });
    Ok(table::csv(rows)?)
}

/// What a table of predictions of files of these `names` is made by, with more `settings`.
///
/// # Errors
/// A model that cannot be written.
pub fn origin(
    model: &Model,
    settings: &[(&str, String)],
    names: impl Iterator<Item = String>,
    shard: Shard,
) -> Result<Origin> {
    let bytes = model
        .encode()
        .map_err(|reason| Error::Settings(format!("the model {reason}")))?;
    let model = ("model", blake3::hash(&bytes).to_hex().to_string());
    let settings = [&[model], settings].concat();
    Ok(Origin::new("predictions", &settings, names, shard))
}

/// What stands in the column `path` of a picture that is called so.
pub fn path_cell(path: &str) -> String {
    table::prefixed("./", path)
}

/// What stands in the column `class` for this one.
pub fn class_cell(class: &str) -> String {
    table::prefixed("'", class)
}

/// Time, latitude and longitude; empty where a picture does not say it.
fn cells(capture: &Capture) -> [String; 3] {
    let place = capture.place();
    let degrees = |index: usize| place.map_or(String::new(), |place| format!("{:.6}", place[index]));
    [capture.time().unwrap_or_default(), degrees(0), degrees(1)]
}
