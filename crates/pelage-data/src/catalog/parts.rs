//! Which part of a data set is meant where one is to be scored.

use std::path::{Path, PathBuf};

use super::checks::{match_classes, no_labels};
use super::items::Catalog;
use super::listing::Listing;
use super::part::Part;
use crate::shown;
use crate::{Error, Result};

/// A data set as its parts, or as a whole.
pub struct Parts {
    path: PathBuf,
    /// The folder of the training part, for messages.
    train_folder: String,
    /// The training part.
    pub train: Option<Catalog>,
    /// The validation part.
    pub validation: Option<Catalog>,
    /// The test part, whether it has labels or not.
    pub test: Option<Catalog>,
    /// All labelled images, where there are no parts.
    pub whole: Option<Catalog>,
}

/// What can be evaluated on.
pub struct Scored {
    /// The part that it is; none where it is all of the source.
    pub part: Option<Part>,
    /// Its images.
    pub images: Catalog,
    /// The training part, where there is one.
    pub train: Option<Catalog>,
}

/// Opens all parts of a folder or zip, or all of it where it has none. Labels are numbered by the classes of training,
/// where a part has labels of its own.
///
/// # Errors
/// A path that does not exist, cannot be read or holds no labelled images; folders of which nobody can tell which are
/// the classes.
pub fn open_parts(path: &Path) -> Result<Parts> {
    open_parts_at(path, None)
}

/// The same, where the folders at the `level` are the classes, see [`Catalog::at_level`].
///
/// # Errors
/// As [`open_parts`]; a level at which no image lies in a folder.
pub fn open_parts_at(path: &Path, level: Option<usize>) -> Result<Parts> {
    let listing = Listing::read(path, level)?;
    listing.check_clear()?;
    let mut parts = Parts {
        path: path.into(),
        train_folder: listing.folders_of(Part::Train),
        train: None,
        validation: None,
        test: None,
        whole: None,
    };
    if !listing.has_parts() {
        let whole = listing.catalog(|_| true);
        return match whole.items.is_empty() {
            true => Err(no_labels(&whole, path)),
            false => Ok(Parts {
                whole: Some(whole),
                ..parts
            }),
        };
    }
    let open = |part| listing.has(part).then(|| listing.part(part));
    (parts.train, parts.validation, parts.test) = (open(Part::Train), open(Part::Validation), open(Part::Test));
    Ok(parts)
}

impl Parts {
    /// A training part that is all there is becomes the whole: whoever knows what was trained on has no need of parts.
    #[must_use]
    pub fn training_as_whole(mut self) -> Self {
        if self.whole.is_none() && self.validation.is_none() && self.test.is_none() {
            self.whole = self.train.take().filter(|train| !train.items.is_empty());
        }
        self
    }

    /// What can be evaluated on: the validation part; where there is none, the test part, if it has labels; of a source
    /// without parts, all of it. Never the training part: whoever means that can give its folder.
    ///
    /// # Errors
    /// A training part alone; a validation part without labels, or with a class that training does not know.
    pub fn to_evaluate(self) -> Result<Scored> {
        let path = shown::path(&self.path);
        if let Some(images) = self.whole {
            log::info!("data: {path} has no parts, so all of it counts");
            return Ok(Scored {
                part: None,
                images,
                train: None,
            });
        }
        let test = || self.test.filter(|test| !test.items.is_empty());
        let chosen = match self.validation {
            Some(validation) => Some((Part::Validation, validation)),
            None => test().map(|test| (Part::Test, test)),
        };
        let Some((part, mut images)) = chosen else {
            let train = self.train.filter(|train| !train.items.is_empty());
            return Err(match train {
                Some(_) => Error::OnlyTraining {
                    path: self.path,
                    part: self.train_folder,
                },
                None => no_labels(&Catalog::default(), &self.path),
            });
        };
        let why = match part {
            Part::Validation => "as always where there is one",
            _ => "since there is no validation part",
        };
        log::info!("data: the {} part of {path} is taken, {why}", part.name());
        if images.items.is_empty() {
            return Err(no_labels(&images, &self.path));
        }
        if let Some(train) = self.train.as_ref().filter(|train| !train.items.is_empty()) {
            match_classes(train, &mut images, part, &self.path)?;
        }
        Ok(Scored {
            part: Some(part),
            images,
            train: self.train,
        })
    }
}
