//! What training is given: a data set in two parts, as it lies there or as it is split.

use std::path::Path;

use super::checks::{check_classes, match_classes};
use super::fold::Fold;
use super::items::Catalog;
use super::listing::Listing;
use super::part::Part;
use super::split::{Split, folded, parted};
use crate::dataset;
use crate::groups::{self, GroupBy};
use crate::progress::Progress;
use crate::{Error, Result};

/// How a source is opened for training, where it does not say it itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Opening {
    /// Share of the images (0 to 1) for validation, where the source has no part for that.
    pub validation_split: Option<f64>,
    /// The fold that is for validation, of the source's training part or of all of it, in place of that.
    pub fold: Option<Fold>,
    /// Which images stay on one side then, beside byte-identical ones.
    pub group_by: Option<GroupBy>,
    /// The level of the folders that are the classes, from 1 for those in the source.
    pub label_level: Option<usize>,
    /// Chooses the images for validation.
    pub seed: u64,
}

/// Opens what `train` takes: a folder or zip with parts `train` and `validation` (or `valid`, `val`), their classes
/// matched by name; or any source with `validation_split` (0 to 1).
///
/// # Errors
/// As [`Opening::open`].
pub fn open_dataset(path: &Path, validation_split: Option<f64>, seed: u64) -> Result<Split> {
    let opening = Opening {
        validation_split,
        seed,
        ..Opening::default()
    };
    opening.open(path, &|_| {})
}

impl Opening {
    /// Opens a source; `progress` hears of images that are looked into to group them.
    ///
    /// # Errors
    /// What is wrong with the data set: no validation part, one class only, a class without images, a validation class
    /// that training does not know, groups that cannot be made or split.
    pub fn open(&self, path: &Path, progress: &(dyn Fn(Progress) + Sync)) -> Result<Split> {
        if let Some(ratio) = self.validation_split {
            dataset::check_share("validation_split", ratio)?;
            if self.fold.is_some() {
                let allowed = "left out where each fold is for validation in turn";
                return Err(Error::setting("validation_split", ratio, allowed));
            }
        } else if self.fold.is_none()
            && let Some(group_by) = &self.group_by
        {
            let allowed = "left out where no share of the pictures is set aside for validation";
            return Err(Error::setting("group_by", group_by, allowed));
        }
        let listing = Listing::read(path, self.label_level)?;
        listing.check_clear()?;
        listing.check_training()?;
        let drawn = |draw: &dyn Fn(&Catalog, Option<&[usize]>) -> Result<Split>| -> Result<Split> {
            let catalog = listing.catalog(|part| !listing.has_parts() || part == Some(Part::Train));
            check_classes(&catalog, path)?;
            let groups = self.group_by.as_ref();
            let groups = groups.map(|by| groups::of(&catalog, path, by, progress)).transpose()?;
            let mut split = draw(&catalog, groups.as_deref())?;
            split.train.left_out = catalog.left_out;
            Ok(split)
        };
        let mut split = match (self.fold, self.validation_split) {
            (Some(fold), _) => drawn(&|catalog, groups| folded(catalog, groups, fold, self.seed))?,
            (None, None) if listing.has(Part::Validation) => Split {
                train: listing.part_without(Part::Train, Part::Validation),
                validation: listing.part(Part::Validation),
            },
            (None, None) => {
                return Err(Error::NoValidation {
                    path: path.into(),
                    empty: listing.empty_parts(),
                });
            }
            (None, Some(_)) if listing.has(Part::Validation) => {
                return Err(Error::HasValidation { path: path.into() });
            }
            (None, Some(ratio)) => drawn(&|catalog, groups| parted(catalog, groups, ratio, self.seed))?,
        };
        check_classes(&split.train, path)?;
        listing.check_empty_folders()?;
        match_classes(&split.train, &mut split.validation, Part::Validation, path)?;
        if let Some(missing) = split.validation.counts().iter().position(|&count| count == 0) {
            return Err(Error::MissingClass {
                path: path.into(),
                class: split.train.classes[missing].clone(),
            });
        }
        Ok(split)
    }
}
