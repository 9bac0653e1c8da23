//! The images of a run, as its record names them by name and content, where they lie now: so that neither another
//! working directory nor images that were added, moved or replaced lets a training image pass for one of validation.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use pelage_data::catalog::{self, Catalog, Item, Split};
use pelage_data::dataset::Dataset;
use pelage_data::decode::Damaged;
use pelage_data::shown;
use pelage_data::source;
use pelage_model::saved::Facts;
use rayon::prelude::*;

use super::config::Config;
use super::recorded::{self, Recorded, Set, content};
use crate::train::advice::Majority;
use crate::train::facts::Training;
use crate::{Error, Result};

/// The images of a run.
#[derive(Clone, Debug)]
pub struct Images {
    /// In the parts that the run gave them.
    pub split: Split,
    /// Number of images that have been added to the source since; they are in neither part.
    pub added: usize,
    /// Number of images of either part that are gone, or, where that was looked at, others by now.
    pub gone: usize,
}

/// Which images of a run have to be there, and the same as when it began. What is gone and not needed is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needed {
    /// All of them: training goes on.
    All,
    /// Those for validation. What the training images hold is not looked at.
    Validation,
    /// Those for validation; and of the training images those that are there and the same.
    ValidationBesideTheRest,
    /// Of both parts those that are there and the same: each image is looked at for itself.
    TheRest,
}

/// What becomes of a part of which images are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Care {
    /// It is an error.
    Whole,
    /// They are left out, and with them what is another by now.
    Rest,
    /// They are left out, and what the others hold is not looked at.
    Names,
}

impl Needed {
    /// Of the training images, and of those for validation.
    fn care(self) -> [Care; 2] {
        match self {
            Needed::All => [Care::Whole, Care::Whole],
            Needed::Validation => [Care::Names, Care::Whole],
            Needed::ValidationBesideTheRest => [Care::Rest, Care::Whole],
            Needed::TheRest => [Care::Rest, Care::Rest],
        }
    }
}

/// A part of a run's images, as they are found now.
#[derive(Default)]
struct Found<'a> {
    items: Vec<Item>,
    /// The lines of the record about these.
    rows: Vec<&'a Recorded>,
    /// The names of those that are not there, or others by now.
    gone: Vec<&'a str>,
}

/// The images of the run in `folder` with the settings `config`: those of its record, where it has one.
///
/// To evaluate a model, a validation image that is missing is an error: an accuracy on the others would be no more the
/// one that training told, and what is fitted on them would be fitted on others.
///
/// # Errors
/// As [`catalog::open_dataset`]; images that are `needed` and missing now, or others.
pub fn of_run(folder: &Path, config: &Config, needed: Needed) -> Result<Images> {
    // As the run has taken them.
    if config.damaged == Damaged::Take {
        Damaged::Take.set();
    }
    let path = &config.data;
    if !source::on_disk(path).exists() {
        let path = shown::path(path);
        return Err(Error::Images(format!(
            "the images of the run are not at {path} any more"
        )));
    }
    let Some(rows) = recorded::read(folder, config.record.as_deref())? else {
        let (split, dropped) = config.without_suspects(&|_| {})?;
        if let Some(was) = &config.record {
            let again = recorded::table(&split.train, &split.validation, &dropped)?;
            if recorded::checksum(&again) != *was {
                return Err(redrawn());
            }
        }
        let (added, gone) = (0, 0);
        return Ok(Images { split, added, gone });
    };
    let mut parts = catalog::open_parts_at(path, config.label_level)?;
    if config.fold.is_some() {
        // Folds are of the training part.
        parts.validation = None;
    }
    let found: HashMap<String, Item> = [parts.train, parts.validation, parts.whole]
        .into_iter()
        .flatten()
        .flat_map(|catalog| catalog.items)
        .map(|item| (item.name.clone(), item))
        .collect();
    let mut classes: Vec<_> = rows.iter().map(|row| row.class.clone()).collect();
    classes.sort_by(|a, b| source::natural_order(a, b));
    classes.dedup();
    let number: HashMap<_, _> = classes.iter().map(String::as_str).zip(0..).collect();
    let mut parted = [Found::default(), Found::default()];
    for row in rows.iter().filter(|row| row.set != Set::Dropped) {
        let part = &mut parted[usize::from(row.set == Set::Validation)];
        match found.get(&row.path) {
            Some(item) => {
                part.rows.push(row);
                part.items.push(Item {
                    label: number[row.class.as_str()],
                    ..item.clone()
                });
            }
            None => part.gone.push(&row.path),
        }
    }
    let missing: Vec<_> = parted
        .iter()
        .zip(needed.care())
        .filter(|(_, care)| *care == Care::Whole)
        .flat_map(|(part, _)| part.gone.iter().copied())
        .collect();
    if !missing.is_empty() {
        let of = match needed {
            Needed::All => format!("of {}", rows.len()),
            _ => "of those for validation".into(),
        };
        return Err(changed(path, &format!("{} {of}", missing.len()), "missing", &missing));
    }
    let mut gone = 0;
    let mut whole = |part: Found, care: Care| -> Result<Catalog> {
        let mut catalog = Catalog {
            classes: classes.clone(),
            items: part.items,
            left_out: Vec::new(),
        };
        let others = match care {
            Care::Names => Vec::new(),
            Care::Whole | Care::Rest => others(&catalog, &part.rows),
        };
        if care == Care::Whole && !others.is_empty() {
            let names: Vec<_> = others.iter().map(|&index| part.rows[index].path.as_str()).collect();
            return Err(changed(path, &others.len().to_string(), "others by now", &names));
        }
        gone += part.gone.len() + others.len();
        let (mut index, mut others) = (0.., others.into_iter().peekable());
        catalog
            .items
            .retain(|_| others.next_if_eq(&index.next().unwrap_or(0)).is_none());
        Ok(catalog)
    };
    let [of_training, of_validation] = needed.care();
    let [train, validation] = parted;
    let split = Split {
        train: whole(train, of_training)?,
        validation: whole(validation, of_validation)?,
    };
    if gone > 0 {
        log::warn!(
            "{}",
            told(folder, needed, gone, split.train.len() + split.validation.len())
        );
    }
    let named: HashSet<_> = rows.iter().map(|row| &row.path).collect();
    let added = found.keys().filter(|name| !named.contains(name)).count();
    Ok(Images { split, added, gone })
}

/// What is gone, and what that does.
fn told(folder: &Path, needed: Needed, gone: usize, left: usize) -> String {
    let (which, or_others, then) = match needed {
        Needed::Validation => ("training ", "", "not needed here".to_string()),
        Needed::TheRest => ("", " or others by now", format!("left out, {left} are looked at")),
        _ => ("training ", " or others by now", "left out".to_string()),
    };
    let (s, are, they) = match gone {
        1 => ("", "is", "it is"),
        _ => ("s", "are", "they are"),
    };
    let folder = shown::path(folder);
    format!("{gone} {which}picture{s} of {folder} {are} gone{or_others}; {they} {then}")
}

/// Which of `images`, by number, are not what these lines of the record say.
fn others(images: &Catalog, rows: &[&Recorded]) -> Vec<usize> {
    let differs = |&index: &usize| {
        let was = &rows[index].content;
        !was.is_empty() && *was != content(images, index)
    };
    (0..rows.len()).into_par_iter().filter(differs).collect()
}

/// Without a record, a split is drawn again, and is that of the training only as long as the images are the same.
fn redrawn() -> Error {
    Error::Images(
        "which images were for training and which for validation is recorded in the run's folder, which this model is \
         not in, and of the images as they are now it cannot be told"
            .into(),
    )
}

/// Names of images that a message holds.
const NAMED: usize = 3;

/// `number` images, of which these are the names, are `how`: missing, or others.
fn changed(path: &Path, number: &str, how: &str, names: &[&str]) -> Error {
    let path = shown::path(path);
    let are = if names.len() == 1 { "is" } else { "are" };
    let first = names[..names.len().min(NAMED)].join(", ");
    let more = match names.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Error::Images(format!(
        "the images at {path} are not those that the run was trained on: {number} {are} {how}: {first}{more}; put \
         back what was there"
    ))
}

/// The settings that the model of `facts` was trained with.
///
/// # Errors
/// A model file without them, or with those of an incompatible version of pelage.
pub fn settings(facts: &Facts) -> Result<Config> {
    Config::from_json(&Training::of(facts).settings).ok_or_else(unknown)
}

fn unknown() -> Error {
    Error::Images("the model file does not say which images it was trained on".into())
}

/// The most frequent class of the validation images that the run in `folder` has recorded, where it has; `noted` is the
/// record's checksum.
pub fn majority(folder: &Path, noted: Option<&str>) -> Option<Majority> {
    let rows = recorded::read(folder, noted).ok()??;
    let mut counts = HashMap::new();
    for row in rows.iter().filter(|row| row.set == Set::Validation) {
        *counts.entry(row.class.as_str()).or_insert(0) += 1;
    }
    // As the run has its classes.
    let mut sizes: Vec<_> = counts.into_iter().collect();
    sizes.sort_by(|(a, _), (b, _)| source::natural_order(a, b));
    Majority::of(&sizes)
}

/// The images that the model of `run`, with these `facts`, was trained and validated on, where they lie now: at `data`,
/// or where they were.
///
/// # Errors
/// A model that does not know; images that are `needed` and not there, or not the same.
pub fn trained_on(run: &Path, facts: &Facts, data: Option<&Path>, needed: Needed) -> Result<Images> {
    let mut config = settings(facts)?;
    if let Some(data) = data {
        config.data = data.to_path_buf();
    }
    // Images in memory.
    if config.data.as_os_str().is_empty() {
        return Err(unknown());
    }
    let images = of_run(run, &config, needed)?;
    // A model of an earlier version knows no more of its images than how many they were.
    let (training, split) = (Training::of(facts), &images.split);
    let known = config.record.is_some() || recorded::of(run).is_some();
    // Those that cannot be read are not counted there, and are a tenth at most.
    let fits = |found: usize, readable: usize| (readable..=readable + found / 10).contains(&found);
    let fits =
        fits(split.train.len(), training.train_images) && fits(split.validation.len(), training.validation_images);
    match known || fits {
        true => Ok(images),
        false => Err(redrawn()),
    }
}

/// The validation images that the models of all `runs` were validated on, where they lie now: at `data`, or where they
/// were.
///
/// # Errors
/// Models of different images, or missing images.
pub fn common_validation(runs: &[(&Path, &Facts)], data: Option<&Path>) -> Result<Catalog> {
    Ok(common(runs, data)?.split.validation)
}

/// The same, with the training images of the first that are there.
pub(super) fn common(runs: &[(&Path, &Facts)], data: Option<&Path>) -> Result<Images> {
    let mut common: Option<(Images, HashSet<String>)> = None;
    for (run, facts) in runs {
        let images = trained_on(run, facts, data, Needed::Validation)?;
        let validation = &images.split.validation;
        // One alone has nothing to differ from.
        let compared = 0..validation.len() * usize::from(runs.len() > 1);
        let compared = compared.into_par_iter();
        let contents: HashSet<_> = compared.map(|index| content(validation, index)).collect();
        match &common {
            Some((_, first)) if *first != contents => return Err(Error::DifferentImages),
            Some(_) => {}
            None => common = Some((images, contents)),
        }
    }
    common
        .map(|(images, _)| images)
        .ok_or_else(|| Error::Settings("there is no run to compare".into()))
}
