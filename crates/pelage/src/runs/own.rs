//! The images of a run, as its record names them by name and content, where they lie now: so that neither another
//! working directory nor images that were added, moved or replaced lets a training image pass for one of validation.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use pelage_data::catalog::{self, Catalog, Item, Split};
use pelage_data::dataset::Dataset;
use pelage_data::decode::Damaged;
use pelage_data::source;
use pelage_model::saved::Facts;
use rayon::prelude::*;
use serde::Serialize;

use super::config::Config;
use super::recorded::{self, Recorded, Set, content};
use crate::train::facts::Training;
use crate::{Error, Result};

/// The images of a run.
#[derive(Clone, Debug)]
pub struct Images {
    /// In the parts that the run gave them.
    pub split: Split,
    /// Number of images that have been added to the source since; they are in neither part.
    pub added: usize,
}

/// Which images of a run have to be there, and the same as when it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needed {
    /// All of them: training goes on, or looks at what it has learnt.
    All,
    /// Those for validation. Training images that are gone are told, and what the others hold is not looked at.
    Validation,
}

/// The images of the run in `folder` with the settings `config`: those of its record, where it has one.
///
/// A validation image that is missing is always an error: an accuracy on the others would be no more the one that
/// training told, and what is fitted on them would be fitted on others.
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
        let path = path.display();
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
        return Ok(Images { split, added: 0 });
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
    classes.sort_by(|a, b| pelage_data::source::natural_order(a, b));
    classes.dedup();
    let number: HashMap<_, _> = classes.iter().map(String::as_str).zip(0..).collect();
    let (mut missing, mut parted) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for row in rows.iter().filter(|row| row.set != Set::Dropped) {
        let side = usize::from(row.set == Set::Validation);
        match found.get(&row.path) {
            Some(item) => parted[side].push(Item {
                label: number[row.class.as_str()],
                ..item.clone()
            }),
            None => missing[side].push(&row.path),
        }
    }
    let [trained, validated] = missing;
    let needs_all = needed == Needed::All;
    let needed_and_missing = trained.iter().filter(|_| needs_all).chain(&validated);
    if let Some(first) = needed_and_missing.clone().next() {
        let (missing, all) = (needed_and_missing.count(), rows.len());
        let how = match needs_all {
            true => format!("{missing} of {all} are missing, {first} for one"),
            false => format!("{missing} of those for validation are missing, {first} for one"),
        };
        return Err(changed(path, &how));
    }
    match trained.len() {
        0 => {}
        1 => log::warn!(
            "1 training picture of {} is gone; it is not needed here",
            folder.display()
        ),
        gone => log::warn!(
            "{gone} training pictures of {} are gone; they are not needed here",
            folder.display()
        ),
    }
    let named: HashSet<_> = rows.iter().map(|row| &row.path).collect();
    let added = found.keys().filter(|name| !named.contains(name)).count();
    let [train, validation] = parted.map(|items| Catalog {
        classes: classes.clone(),
        items,
        left_out: Vec::new(),
    });
    let split = Split { train, validation };
    if needs_all {
        check_contents(path, Set::Train, &split.train, &rows)?;
    }
    check_contents(path, Set::Validation, &split.validation, &rows)?;
    Ok(Images { split, added })
}

/// Refuses images of a set with the names of those of the run that are not these; all of them are there.
fn check_contents(path: &Path, set: Set, images: &Catalog, rows: &[Recorded]) -> Result<()> {
    let rows: Vec<_> = rows.iter().filter(|row| row.set == set).collect();
    let differs = |&index: &usize| {
        let was = &rows[index].content;
        !was.is_empty() && *was != content(images, index)
    };
    let others: Vec<_> = (0..rows.len()).into_par_iter().filter(differs).collect();
    match others.first() {
        Some(&first) => {
            let how = format!("{} are others by now, {} for one", others.len(), rows[first].path);
            Err(changed(path, &how))
        }
        None => Ok(()),
    }
}

/// Without a record, a split is drawn again, and is that of the training only as long as the images are the same.
fn redrawn() -> Error {
    Error::Images(
        "which images were for training and which for validation is recorded in the run's folder, which this model is \
         not in, and of the images as they are now it cannot be told"
            .into(),
    )
}

fn changed(path: &Path, how: &str) -> Error {
    let path = path.display();
    Error::Images(format!(
        "the images at {path} are not those that the run was trained on: {how}"
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

/// The most frequent class of some images.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Majority {
    /// The class.
    pub class: String,
    /// Its share of the images, 0 to 1.
    pub share: f64,
    /// Number of images.
    pub pictures: usize,
}

/// That of the validation images that the run in `folder` has recorded, where it has; `noted` is the record's checksum.
pub fn majority(folder: &Path, noted: Option<&str>) -> Option<Majority> {
    let rows = recorded::read(folder, noted).ok()??;
    let (mut counts, mut pictures) = (BTreeMap::new(), 0);
    for row in rows.into_iter().filter(|row| row.set == Set::Validation) {
        *counts.entry(row.class).or_insert(0) += 1;
        pictures += 1;
    }
    let (class, most) = counts.into_iter().rev().max_by_key(|(_, count)| *count)?;
    let share = f64::from(most) / f64::max(1.0, pictures as f64);
    Some(Majority { class, share, pictures })
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
    Ok(common(runs, data)?.validation)
}

/// The same, with the training images of the first that are there.
pub(super) fn common(runs: &[(&Path, &Facts)], data: Option<&Path>) -> Result<Split> {
    let mut common: Option<(Split, HashSet<String>)> = None;
    for (run, facts) in runs {
        let split = trained_on(run, facts, data, Needed::Validation)?.split;
        // One alone has nothing to differ from.
        let compared = 0..split.validation.len() * usize::from(runs.len() > 1);
        let compared = compared.into_par_iter();
        let contents: HashSet<_> = compared.map(|index| content(&split.validation, index)).collect();
        match &common {
            Some((_, first)) if *first != contents => return Err(Error::DifferentImages),
            Some(_) => {}
            None => common = Some((split, contents)),
        }
    }
    common
        .map(|(split, _)| split)
        .ok_or_else(|| Error::Settings("there is no run to compare".into()))
}
