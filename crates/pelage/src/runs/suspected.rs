//! Training images that are left out because their labels are likely wrong, as a table names them.

use std::collections::HashSet;
use std::path::Path;

use pelage_data::catalog::Catalog;

use crate::{Error, Result};

/// Takes the images that the CSV `file` names in its column `path` out of `train`, and returns them.
///
/// # Errors
/// A file that cannot be read or has no such column; one that names no image of `train`; a class of which none would be
/// left.
pub(super) fn drop_from(train: &mut Catalog, file: &Path) -> Result<Catalog> {
    let refused = |reason: String| Error::Settings(format!("{}: {reason}", file.display()));
    let mut reader = csv::Reader::from_path(file).map_err(|failure| refused(failure.to_string()))?;
    let head = reader.headers().map_err(|failure| refused(failure.to_string()))?;
    let column = head.iter().position(|name| name.trim() == "path");
    let column =
        column.ok_or_else(|| refused("it has no column 'path' that names the pictures to leave out".into()))?;
    let mut named = HashSet::new();
    for row in reader.records() {
        let row = row.map_err(|failure| refused(failure.to_string()))?;
        named.extend(row.get(column).map(String::from));
    }
    let (dropped, left): (Vec<_>, _) = train.items.drain(..).partition(|item| named.contains(&item.name));
    train.items = left;
    if dropped.is_empty() && !named.is_empty() {
        return Err(refused("it names no picture of the training part".into()));
    }
    let has = |label: usize| train.items.iter().any(|item| item.label == label);
    if let Some(item) = dropped.iter().find(|item| !has(item.label)) {
        let class = &train.classes[item.label];
        return Err(refused(format!(
            "it names every training picture of the class '{class}'"
        )));
    }
    Ok(Catalog {
        classes: train.classes.clone(),
        items: dropped,
        left_out: Vec::new(),
    })
}
