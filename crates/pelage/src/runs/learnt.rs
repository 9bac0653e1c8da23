//! What a model was trained on, by content: of the record of its run, or, where a model lies elsewhere, of the split as
//! it is drawn again, if that is provably the same.

use std::collections::HashSet;
use std::path::Path;

use pelage_data::catalog::Catalog;
use pelage_data::dataset::Dataset;
use pelage_model::paths;
use pelage_model::saved::Facts;
use rayon::prelude::*;

use super::config::Config;
use super::recorded::{self, Recorded, Set, content};
use crate::Result;

/// The contents of the images that the model of `run`, with these `facts` and settings, was trained on; `None` where it
/// cannot be told.
///
/// # Errors
/// A damaged record.
pub(super) fn contents(run: &Path, facts: &Facts, settings: Option<&Config>) -> Result<Option<HashSet<String>>> {
    let noted = settings.and_then(|settings| settings.record.as_deref());
    let rows = match recorded::read(run, noted)? {
        Some(rows) => Some(rows),
        None if facts.training.get("folds").is_some() => of_folds(run)?,
        None => settings.and_then(drawn_again),
    };
    let learnt = |row: Recorded| (row.set == Set::Train && !row.content.is_empty()).then_some(row.content);
    let contents = rows.map(|rows| rows.into_iter().filter_map(learnt).collect::<HashSet<_>>());
    // A record of an earlier version has no contents.
    Ok(contents.filter(|contents| !contents.is_empty()))
}

/// The records of all runs of a cross-validation, beside which the mean of their models lies.
fn of_folds(model: &Path) -> Result<Option<Vec<Recorded>>> {
    let model = paths::model(model);
    let fold = |number: usize| model.with_file_name(format!("fold-{number}"));
    let mut rows = Vec::new();
    for folder in (1..).map(fold).take_while(|folder| folder.is_dir()) {
        match recorded::read(&folder, None)? {
            Some(more) => rows.extend(more),
            None => return Ok(None),
        }
    }
    Ok(Some(rows))
}

/// The record of a run with these settings, if its images are still what it says.
fn drawn_again(settings: &Config) -> Option<Vec<Recorded>> {
    let was = settings.record.as_ref()?;
    let (split, dropped) = settings.without_suspects(&|_| {}).ok()?;
    let again = recorded::table(&split.train, &split.validation, &dropped).ok()?;
    (recorded::checksum(&again) == *was).then(|| recorded::rows(&again).ok())?
}

/// Which of `images` hold one of `contents`.
pub(super) fn among(images: &Catalog, contents: &HashSet<String>) -> Vec<bool> {
    if contents.is_empty() {
        return vec![false; images.len()];
    }
    let held = (0..images.len()).into_par_iter();
    held.map(|index| contents.contains(&content(images, index))).collect()
}
