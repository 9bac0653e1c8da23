//! Catalogs in two parts.

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
    let in_validation = dataset::validation_images(catalog, groups, ratio, seed)?;
    let side = |validation: bool| {
        let items = catalog.items.iter().zip(&in_validation);
        Catalog {
            classes: catalog.classes.clone(),
            items: items
                .filter(|(_, there)| **there == validation)
                .map(|(item, _)| item.clone())
                .collect(),
            left_out: Vec::new(),
        }
    };
    Ok(Split {
        train: side(false),
        validation: side(true),
    })
}
