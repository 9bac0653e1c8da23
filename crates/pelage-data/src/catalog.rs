//! Labelled images of a source, and which of them are kept for validation.

mod labels;

use std::collections::HashMap;
use std::path::Path;

use labels::Layout;
pub(crate) use labels::Part;

use crate::dataset::{self, Dataset, Image};
use crate::source::{self, Entry, Location, natural_order};
use crate::{Error, Result};

/// One labelled image.
#[derive(Clone, Debug)]
pub struct Item {
    /// Its name relative to the source, with slashes.
    pub name: String,
    /// Where its bytes are.
    pub location: Location,
    /// Index into [`Catalog::classes`].
    pub label: usize,
}

/// Labelled images and the names of their classes, in natural order.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// Class names; a label is an index into them.
    pub classes: Vec<String>,
    /// The images, in natural order of their names.
    pub items: Vec<Item>,
    /// Files that were left out, by name: no images, or without a label.
    pub unlabelled: Vec<String>,
}

/// A catalog split in two; both sides have the same classes.
#[derive(Clone, Debug)]
pub struct Split {
    /// For training.
    pub train: Catalog,
    /// For validation.
    pub validation: Catalog,
}

impl Catalog {
    /// Reads the labels of a source from a CSV (`path,label`); or from the names of its class folders
    /// (`PetImages/Cat/1.jpg`); or where there are none from the names of its files (`cat.0.jpg`). Parts `train` and
    /// `validation` are taken together, a part `test` is left out.
    ///
    /// # Errors
    /// An unreadable or empty source, a CSV that names missing files.
    pub fn from_source(path: &Path, labels_csv: Option<&Path>) -> Result<Catalog> {
        let listing = Listing::read(path)?;
        Ok(match labels_csv {
            Some(csv) => {
                let labels = labels::from_csv(csv, &listing.entries)?;
                Catalog::new(listing.entries.into_iter().zip(labels))
            }
            None => listing.catalog(|part| part != Some(Part::Test)),
        })
    }

    /// A catalog of labelled entries; those without a label are only named.
    pub fn new(labelled: impl Iterator<Item = (Entry, Option<String>)>) -> Catalog {
        let (mut known, mut unlabelled) = (Vec::new(), Vec::new());
        for (entry, label) in labelled {
            match label {
                Some(label) => known.push((entry, label)),
                None => unlabelled.push(entry.name),
            }
        }
        let mut classes: Vec<String> = known.iter().map(|(_, label)| label.clone()).collect();
        classes.sort_by(|a, b| natural_order(a, b));
        classes.dedup();
        let index: HashMap<_, _> = classes.iter().cloned().zip(0..).collect();
        let items = known.into_iter().map(|(entry, label)| Item {
            label: index[&label],
            name: entry.name,
            location: entry.location,
        });
        Catalog {
            items: items.collect(),
            classes,
            unlabelled,
        }
    }

    /// Images of each class.
    pub fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes.len()];
        self.items.iter().for_each(|item| counts[item.label] += 1);
        counts
    }
}

impl Dataset for Catalog {
    fn len(&self) -> usize {
        self.items.len()
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn label(&self, index: usize) -> usize {
        self.items[index].label
    }

    fn name(&self, index: usize) -> &str {
        &self.items[index].name
    }

    fn image(&self, index: usize) -> std::result::Result<Image, String> {
        let bytes = self.items[index].location.read();
        bytes.map(Image::Encoded).map_err(|failure| failure.reason())
    }

    fn hand_over(&self, index: usize, take: &mut dyn FnMut(std::result::Result<Image, String>)) {
        let read = self.items[index]
            .location
            .read_with(|bytes| take(Ok(Image::Encoded(bytes))));
        if let Err(failure) = read {
            take(Err(failure.reason()));
        }
    }

    fn location(&self, index: usize) -> String {
        self.items[index].location.to_string()
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
            unlabelled: Vec::new(),
        }
    };
    Ok(Split {
        train: side(false),
        validation: side(true),
    })
}

/// The files of a source, and how they are laid out.
pub(crate) struct Listing {
    entries: Vec<Entry>,
    images: Vec<bool>,
    layout: Layout,
}

impl Listing {
    pub(crate) fn read(path: &Path) -> Result<Listing> {
        let entries = source::list(path)?;
        if entries.is_empty() {
            return Err(Error::data(path, "holds no files"));
        }
        let images: Vec<bool> = entries.iter().map(Entry::claims_to_be_image).collect();
        let chosen = entries.iter().zip(&images).filter(|(_, is_image)| **is_image);
        let layout = Layout::of(&chosen.map(|(entry, _)| entry.name.as_str()).collect::<Vec<_>>());
        Ok(Listing {
            entries,
            images,
            layout,
        })
    }

    pub(crate) fn has(&self, part: Part) -> bool {
        let mut images = self.entries.iter().zip(&self.images).filter(|(_, is_image)| **is_image);
        images.any(|(entry, _)| self.layout.part(&entry.name) == Some(part))
    }

    /// The images of the parts that are wanted; none is the part of what lies in no part.
    pub(crate) fn catalog(&self, wanted: impl Fn(Option<Part>) -> bool) -> Catalog {
        Catalog::new(self.entries.iter().zip(&self.images).map(|(entry, &is_image)| {
            let chosen = is_image && wanted(self.layout.part(&entry.name));
            (
                entry.clone(),
                if chosen { self.layout.label(&entry.name) } else { None },
            )
        }))
    }

    /// The catalog of one part; what is left out of other parts is not its business.
    pub(crate) fn part(&self, part: Part) -> Catalog {
        let mut catalog = self.catalog(|of| of == Some(part));
        catalog.unlabelled.retain(|name| self.layout.part(name) == Some(part));
        catalog
    }

    /// A class folder without an image is a mistake that training would hide.
    fn check_empty_folders(&self, source: &Path) -> Result<()> {
        if !source.is_dir() || !self.layout.class_folders {
            return Ok(());
        }
        // Of all parts: that a class is in one alone is another mistake.
        let classes = self.catalog(|_| true).classes;
        let root = source.join(&self.layout.root);
        let parts = self.layout.parts.iter().map(|part| root.join(part));
        for folder in if self.layout.parts.is_empty() {
            vec![root.clone()]
        } else {
            parts.collect()
        } {
            for entry in std::fs::read_dir(&folder).map_err(Error::io(&folder))? {
                let entry = entry.map_err(Error::io(&folder))?;
                let name = entry.file_name().to_string_lossy().into_owned();
                if entry.path().is_dir() && !source::is_leftover(&name) && !classes.contains(&name) {
                    let reason = format!("class '{name}' has no pictures; fill the folder or remove it");
                    return Err(Error::data(folder, reason));
                }
            }
        }
        Ok(())
    }
}

/// Opens what can be evaluated on: the training part, if `path` has parts, and the validation part, else all labelled
/// images.
///
/// # Errors
/// A path that does not exist or holds no labelled images; of a folder with parts, as [`open_dataset`].
pub fn open_parts(path: &Path) -> Result<(Option<Catalog>, Catalog)> {
    match open_dataset(path, None, 0) {
        Ok(split) => Ok((Some(split.train), split.validation)),
        Err(Error::NoValidation { .. }) if !path.join("train").is_dir() => {
            let all = Catalog::from_source(path, None)?;
            match all.items.is_empty() {
                true => Err(no_labels(&all, path)),
                false => Ok((None, all)),
            }
        }
        Err(failure) => Err(failure),
    }
}

/// Opens what `train` takes: a folder or zip with parts `train` and `validation` (or `valid`, `val`), their classes
/// matched by name; or any source with `validation_split` (0 to 1).
///
/// # Errors
/// What is wrong with the data set: no validation part, one class only, a class without images, a validation class that
/// training does not know.
pub fn open_dataset(path: &Path, validation_split: Option<f64>, seed: u64) -> Result<Split> {
    if !path.exists() {
        return Err(Error::NotFound { path: path.into() });
    }
    if let Some(ratio) = validation_split {
        dataset::check_share("validation_split", ratio)?;
    }
    let listing = Listing::read(path)?;
    let split = match (listing.has(Part::Validation), validation_split) {
        (true, None) => Split {
            train: listing.part(Part::Train),
            validation: listing.part(Part::Validation),
        },
        (true, Some(_)) => {
            return Err(Error::HasValidation { path: path.into() });
        }
        (false, Some(ratio)) => {
            let catalog = if listing.has(Part::Train) {
                listing.part(Part::Train)
            } else {
                listing.catalog(|_| true)
            };
            check_classes(&catalog, path)?;
            let unlabelled = catalog.unlabelled.clone();
            let mut split = split(&catalog, ratio, seed)?;
            split.train.unlabelled = unlabelled;
            split
        }
        (false, None) => {
            return Err(Error::NoValidation { path: path.into() });
        }
    };
    check_classes(&split.train, path)?;
    listing.check_empty_folders(path)?;
    match_classes(split, path)
}

pub(crate) fn check_classes(catalog: &Catalog, path: &Path) -> Result<()> {
    match catalog.classes.as_slice() {
        [] => Err(no_labels(catalog, path)),
        [one] => Err(Error::OneClass {
            path: path.into(),
            class: one.clone(),
        }),
        _ => Ok(()),
    }
}

/// The error of a catalog without labelled images.
pub(crate) fn no_labels(catalog: &Catalog, path: &Path) -> Error {
    let zips = catalog.unlabelled.iter().filter(|name| source::is_zip_name(name));
    match zips.collect::<Vec<_>>()[..] {
        [first, second, ref more @ ..] => {
            let and = if more.is_empty() { "" } else { " and more" };
            let reason = format!(
                "no labelled pictures, but {} zips ({first}, {second}{and}); unpack each into a folder of its own, or \
                 give one of them",
                more.len() + 2
            );
            Error::data(path, reason)
        }
        ref one => Error::NoLabels {
            path: path.into(),
            nested: one.first().map(|name| name.to_string()),
        },
    }
}

/// Gives validation labels training's numbers, by class name.
fn match_classes(mut split: Split, path: &Path) -> Result<Split> {
    let index: HashMap<&str, usize> = split.train.classes.iter().map(String::as_str).zip(0..).collect();
    let numbers = split.validation.classes.iter().map(|class| {
        index.get(class.as_str()).copied().ok_or_else(|| Error::UnknownClass {
            path: path.into(),
            class: class.clone(),
            known: split.train.classes.clone(),
        })
    });
    let numbers = numbers.collect::<Result<Vec<_>>>()?;
    split
        .validation
        .items
        .iter_mut()
        .for_each(|item| item.label = numbers[item.label]);
    split.validation.classes = split.train.classes.clone();
    if let Some(missing) = split.validation.counts().iter().position(|&count| count == 0) {
        return Err(Error::MissingClass {
            path: path.into(),
            class: split.train.classes[missing].clone(),
        });
    }
    Ok(split)
}
