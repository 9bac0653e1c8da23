//! Catalogs in two parts.

use super::fold::Fold;
use super::items::Catalog;
use crate::Result;
use crate::dataset;

/// A catalog split in two; both sides have the same classes.
#[derive(Clone, Debug)]
pub struct Split {
    /// For training.
    pub train: Catalog,
    /// For validation.
    pub validation: Catalog,
}

/// Splits a catalog as [`dataset::split`] does.
///
/// # Errors
/// As there.
pub fn split(catalog: &Catalog, ratio: f64, seed: u64) -> Result<Split> {
    parted(catalog, None, ratio, seed)
}

/// The same, where images of one group stay together, see [`dataset::split_grouped`].
pub(super) fn parted(catalog: &Catalog, groups: Option<&[usize]>, ratio: f64, seed: u64) -> Result<Split> {
    let validation = dataset::validation_images(catalog, groups, ratio, seed)?;
    Ok(sides(catalog, validation))
}

/// A fold for validation, all others for training, see [`dataset::folds`].
pub(super) fn folded(catalog: &Catalog, groups: Option<&[usize]>, fold: Fold, seed: u64) -> Result<Split> {
    let folds = dataset::folds(catalog, groups, fold.of(), seed)?;
    let own = fold.number() - 1;
    Ok(sides(catalog, folds.into_iter().map(|of| of == own)))
}

fn sides(catalog: &Catalog, in_validation: impl IntoIterator<Item = bool>) -> Split {
    let mut in_validation = in_validation.into_iter();
    let items = catalog.items.iter().cloned();
    let (validation, train) = items.partition(|_| in_validation.next().unwrap_or(false));
    let side = |items| Catalog {
        classes: catalog.classes.clone(),
        items,
        left_out: Vec::new(),
    };
    Split {
        train: side(train),
        validation: side(validation),
    }
}
