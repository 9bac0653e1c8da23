//! The history of a run: one row per epoch, as `history.csv`.

use std::path::Path;

use crate::train::Recipe;
use crate::train::history::HistoryRow;
use crate::{Error, Result, atomic};
use pelage_data::table;

/// Writes the rows to `path`, atomically.
///
/// # Errors
/// A full disk or a folder that cannot be written.
pub fn write_csv(path: &Path, history: &[HistoryRow]) -> Result<()> {
    Ok(atomic::write(path, &table::csv_of(history)?)?)
}

/// The history of `run`; `None` for a model file outside a run folder.
///
/// # Errors
/// As [`read_csv`].
pub fn of(run: &Path) -> Result<Option<Vec<HistoryRow>>> {
    let path = run.join("history.csv");
    path.exists().then(|| read_csv(&path)).transpose()
}

/// The epoch whose weights a run by `recipe` keeps: that with the lowest validation loss, of a run of several sizes of
/// those whose losses can be compared, or of the last one as long as there are none.
pub fn best<'a>(recipe: &Recipe, history: &'a [HistoryRow]) -> Option<&'a HistoryRow> {
    let measured = |row: &&HistoryRow| recipe.is_measured(row.epoch.saturating_sub(1));
    let finite = || history.iter().filter(|row| row.validation_loss.is_finite());
    let best = finite()
        .filter(measured)
        .min_by(|a, b| a.validation_loss.total_cmp(&b.validation_loss));
    best.or_else(|| finite().next_back())
}

/// Reads the output of [`write_csv`].
///
/// # Errors
/// A missing file, or a malformed line.
pub fn read_csv(path: &Path) -> Result<Vec<HistoryRow>> {
    let failed = |failure: csv::Error| Error::io(path)(failure.into());
    let mut reader = csv::Reader::from_path(path).map_err(failed)?;
    reader
        .deserialize()
        .collect::<std::result::Result<_, _>>()
        .map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        let row = HistoryRow {
            epoch: 1,
            step: 400,
            learning_rate: 0.01,
            train_loss: 0.69,
            train_accuracy: 0.5,
            validation_loss: 0.6875,
            validation_accuracy: 0.515625,
            seconds: 12.5,
            images_per_second: 1024.0,
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.csv");
        write_csv(&path, std::slice::from_ref(&row)).unwrap();
        assert_eq!(read_csv(&path).unwrap(), [row]);
    }
}
