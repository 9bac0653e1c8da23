//! Training images that are left out because their labels are likely wrong, as a table names them.

use std::path::Path;

use pelage_data::catalog::{self, Catalog};
use pelage_data::shown;

use crate::{Error, Result};

/// Takes the images that the CSV `file` names in its column of paths out of `train`, which lies at `source`, and
/// returns them.
///
/// # Errors
/// As [`catalog::named_by_csv`]; a class of which none would be left.
pub(super) fn drop_from(train: &mut Catalog, file: &Path, source: &Path) -> Result<Catalog> {
    let refused = |reason: String| Error::Settings(format!("{}: {reason}", shown::path(file)));
    let names: Vec<_> = train.items.iter().map(|item| item.name.as_str()).collect();
    let mut named = catalog::named_by_csv(file, source, &names)?.into_iter();
    let (dropped, left): (Vec<_>, _) = train.items.drain(..).partition(|_| named.next().unwrap_or(false));
    train.items = left;
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
