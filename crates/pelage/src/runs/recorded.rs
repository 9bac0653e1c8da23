//! The record of a run's images, in its folder: what it was trained and validated on, by name and content.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use pelage_data::dataset::{self, Dataset};
use pelage_model::paths;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{Error, Result, atomic};
use pelage_data::table;

/// Its name.
const RECORD: &str = "split.csv";

/// An image of a run, as a line of the record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Recorded {
    pub(super) path: String,
    pub(super) class: String,
    pub(super) set: Set,
    /// A hash of the file; empty where it could not be read, or in a run of an earlier version.
    #[serde(default)]
    pub(super) content: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Set {
    Train,
    Validation,
    /// Left out of training as likely wrong.
    Dropped,
}

/// Writes the record of the images that a run begins with into its folder, and of those `dropped` from training.
/// Returns its checksum, by which the run knows it again.
///
/// # Errors
/// A full disk or a folder that cannot be written.
pub(super) fn write(
    folder: &Path,
    train: &dyn Dataset,
    validation: &dyn Dataset,
    dropped: &dyn Dataset,
) -> Result<String> {
    let table = table(train, validation, dropped)?;
    atomic::write(&folder.join(RECORD), &table)?;
    Ok(checksum(&table))
}

/// The record of these images.
pub(super) fn table(train: &dyn Dataset, validation: &dyn Dataset, dropped: &dyn Dataset) -> Result<Vec<u8>> {
    let mut rows = Vec::new();
    for (set, images) in [
        (Set::Train, train),
        (Set::Validation, validation),
        (Set::Dropped, dropped),
    ] {
        rows.par_extend((0..images.len()).into_par_iter().map(|index| Recorded {
            path: images.name(index).to_string(),
            class: images.classes()[images.label(index)].clone(),
            set,
            content: content(images, index),
        }));
    }
    Ok(table::csv_of(&rows)?)
}

/// The lines of a record.
pub(super) fn rows(record: &[u8]) -> csv::Result<Vec<Recorded>> {
    csv::Reader::from_reader(record).deserialize().collect()
}

/// The checksum of a record.
pub(super) fn checksum(record: &[u8]) -> String {
    blake3::hash(record).to_hex()[..32].to_string()
}

/// A hash of an image's file, or nothing.
pub(super) fn content(images: &dyn Dataset, index: usize) -> String {
    dataset::content(images, index).map_or(String::new(), |hash| hash.to_hex()[..32].to_string())
}

/// Where the record of `run`, a run folder or the model in one, is, if there is one.
pub(super) fn of(run: &Path) -> Option<PathBuf> {
    let model = paths::model(run);
    // A model that was copied elsewhere may lie beside a table of the same name.
    let is_run = model
        .file_name()
        .is_some_and(|name| name == paths::BEST || name == paths::INT8);
    Some(model.with_file_name(RECORD)).filter(|path| is_run && path.exists())
}

/// The record of `run`, a run folder or the model in one; `None` where there is none. `noted` is its checksum, which
/// runs of earlier versions do not know.
///
/// # Errors
/// One that is damaged, or not the one that the run began with: what it says of the images would be wrong.
pub(super) fn read(run: &Path, noted: Option<&str>) -> Result<Option<Vec<Recorded>>> {
    let Some(path) = of(run) else { return Ok(None) };
    let bytes = std::fs::read(&path).map_err(Error::io(&path))?;
    let failed = |reason: String| Error::model(&path, format!("the record of the run's images is damaged: {reason}"));
    let rows = rows(&bytes).map_err(|failure| failed(failure.to_string()))?;
    for (set, name) in [(Set::Train, "training"), (Set::Validation, "validation")] {
        if !rows.iter().any(|row| row.set == set) {
            return Err(failed(format!("it names no {name} images")));
        }
    }
    let mut names = HashSet::new();
    if let Some(row) = rows.iter().find(|row| !names.insert(&row.path)) {
        return Err(failed(format!("it names {} twice", row.path)));
    }
    match noted {
        Some(noted) if noted != checksum(&bytes) => Err(failed(
            "it is not what was written when the run began; put that back, or train anew".into(),
        )),
        _ => Ok(Some(rows)),
    }
}
