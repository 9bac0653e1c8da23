//! Labelled images of a source, and which of them are kept for validation.

mod checks;
mod file_name;
mod items;
mod layout;
mod listing;
mod part;
mod parts;
mod table;

use std::path::Path;

use crate::dataset;
use crate::{Error, Result};

pub(crate) use checks::{check_classes, no_labels};
pub use items::{Catalog, Item};
pub(crate) use listing::Listing;
pub use part::Part;
pub use parts::{Parts, Scored, open_parts};
pub use table::Columns;

/// A catalog split in two; both sides have the same classes.
#[derive(Clone, Debug)]
pub struct Split {
    /// For training.
    pub train: Catalog,
    /// For validation.
    pub validation: Catalog,
}

impl Catalog {
    /// Reads the labels of a source from a CSV, see [`Catalog::from_csv`]; or from the names of its class folders
    /// (`PetImages/Cat/1.jpg`); or where there are none from the names of its files (`cat.0.jpg`). Parts `train` and
    /// `validation` are taken together, a part `test` is left out.
    ///
    /// # Errors
    /// An unreadable or empty source; folders of which nobody can tell which are the classes; as [`Catalog::from_csv`].
    pub fn from_source(path: &Path, labels_csv: Option<&Path>) -> Result<Catalog> {
        if let Some(csv) = labels_csv {
            return Catalog::from_csv(path, csv, &Columns::default());
        }
        let listing = Listing::read(path)?;
        listing.check_clear()?;
        let whole = !listing.has_parts();
        Ok(listing.catalog(|part| match part {
            Some(part) => part != Part::Test,
            None => whole,
        }))
    }

    /// Reads the labels of a source from a CSV, and the parts where it says these: from columns of the usual names, or
    /// of those in `columns`.
    ///
    /// # Errors
    /// An unreadable or empty source; a CSV that names missing files, or does not tell which column holds what.
    pub fn from_csv(path: &Path, csv: &Path, columns: &Columns) -> Result<Catalog> {
        Listing::read(path)?.labelled_by(csv, columns)
    }
}

/// Splits a catalog as [`dataset::split`] does.
///
/// # Errors
/// As there.
pub fn split(catalog: &Catalog, ratio: f64, seed: u64) -> Result<Split> {
    let in_validation = dataset::validation_images(catalog, ratio, seed)?;
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

/// Opens what `train` takes: a folder or zip with parts `train` and `validation` (or `valid`, `val`), their classes
/// matched by name; or any source with `validation_split` (0 to 1).
///
/// # Errors
/// What is wrong with the data set: no validation part, one class only, a class without images, a validation class that
/// training does not know.
pub fn open_dataset(path: &Path, validation_split: Option<f64>, seed: u64) -> Result<Split> {
    if let Some(ratio) = validation_split {
        dataset::check_share("validation_split", ratio)?;
    }
    let listing = Listing::read(path)?;
    listing.check_clear()?;
    let mut split = match (listing.has(Part::Validation), validation_split) {
        (true, None) => Split {
            train: listing.part_without(Part::Train, Part::Validation),
            validation: listing.part(Part::Validation),
        },
        (true, Some(_)) => {
            return Err(Error::HasValidation { path: path.into() });
        }
        (false, Some(ratio)) => {
            let catalog = listing.catalog(|part| !listing.has_parts() || part == Some(Part::Train));
            check_classes(&catalog, path)?;
            let mut split = split(&catalog, ratio, seed)?;
            split.train.left_out = catalog.left_out;
            split
        }
        (false, None) => {
            return Err(Error::NoValidation { path: path.into() });
        }
    };
    check_classes(&split.train, path)?;
    listing.check_empty_folders()?;
    checks::match_classes(&split.train, &mut split.validation, Part::Validation, path)?;
    if let Some(missing) = split.validation.counts().iter().position(|&count| count == 0) {
        return Err(Error::MissingClass {
            path: path.into(),
            class: split.train.classes[missing].clone(),
        });
    }
    Ok(split)
}
