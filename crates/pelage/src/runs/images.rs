//! Which images a model was trained and validated on, and which of a data set to evaluate it on. A run records its
//! images by name and content, so that neither another working directory nor images that were added, moved or
//! replaced lets a training image pass for one of validation.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use pelage_data::catalog::{self, Catalog, Part, Parts, Split};
use pelage_data::dataset::Dataset;
use pelage_data::shown;
use pelage_model::saved::Facts;
use serde::Serialize;

use super::learnt;
use super::own::{self, common, settings};
use crate::{Error, Result};

/// Which images to evaluate a model on.
#[derive(Clone, Copy, Debug)]
pub enum Wanted<'a> {
    /// Those that it was validated on.
    Validated,
    /// Those of a data set, see [`catalog::Parts::to_evaluate`]; where that has no parts, none that the model was
    /// trained on.
    Unseen(Labelled<'a>),
    /// Those of a data set, also those that the model was trained on.
    All(Labelled<'a>),
}

/// A data set, and the level of the folders that are its classes, if it is given: see [`catalog::open_parts_at`].
#[derive(Clone, Copy, Debug)]
pub struct Labelled<'a> {
    /// Where it is.
    pub path: &'a Path,
    /// 1 for the folders in it, 2 for those in these; by default as the model was trained, where that fits.
    pub level: Option<usize>,
}

impl<'a> From<&'a Path> for Labelled<'a> {
    fn from(path: &'a Path) -> Self {
        Labelled { path, level: None }
    }
}

/// What a model is evaluated on.
#[derive(Clone, Debug)]
pub struct Scored {
    /// The part of a data set that it is; `None` where that has none.
    pub part: Option<Part>,
    /// The images.
    pub images: Catalog,
    /// The training part of the same data set, where there is one.
    pub train: Option<Catalog>,
    /// Number of images that are gone from it.
    pub gone: usize,
    /// Whether they are those that the run was validated on, or lie beside what it was trained on: what of them looks
    /// like that flatters it.
    pub is_own: bool,
    /// Number of images that were left out because the run was trained on them.
    pub trained_out: usize,
    /// Number of images that are among these although the run was trained on files of the same content.
    pub trained_in: usize,
    /// The models of which it is not recorded what they were trained on, so that none of that was left out.
    pub unrecorded: Vec<PathBuf>,
}

/// The part of a data set that a model of these facts is asked about, see [`catalog::Parts::to_evaluate`]. A training
/// part that is all there is counts as data without parts, if it may.
pub(crate) fn part_of(data: Labelled, facts: &Facts, may_be_training: bool) -> Result<catalog::Scored> {
    let parts = parts_of(data, facts).map(|parts| match may_be_training {
        true => parts.training_as_whole(),
        false => parts,
    });
    let part = parts.and_then(Parts::to_evaluate);
    part.map_err(|error| of_class(error, facts, data.path))
}

/// The parts of a data set. Where no level is given, its labels are at the level at which the run has them, if the
/// folders there are classes of the model.
fn parts_of(data: Labelled, facts: &Facts) -> pelage_data::Result<Parts> {
    let Labelled { path: data, level } = data;
    if level.is_some() {
        return catalog::open_parts_at(data, level);
    }
    let known = |parts: &Parts| {
        let all = [&parts.train, &parts.validation, &parts.test, &parts.whole];
        let mut classes = all.into_iter().flatten().flat_map(|catalog| &catalog.classes);
        classes.all(|class| facts.classes.contains(class))
    };
    let level = settings(facts).ok().and_then(|settings| settings.label_level);
    match level.map(|level| catalog::open_parts_at(data, Some(level))) {
        Some(Ok(parts)) if known(&parts) => Ok(parts),
        _ => catalog::open_parts(data),
    }
}

/// The images that are `wanted` to evaluate the models of all `runs`, with these facts, on.
///
/// # Errors
/// As [`common_validation`](super::own::common_validation) and [`catalog::open_parts`]; models of other validation
/// images; a data set that holds nothing but images that one of them was trained on.
pub fn to_evaluate(runs: &[(&Path, &Facts)], wanted: Wanted) -> Result<Scored> {
    let Some((run, facts)) = runs.first() else {
        return Err(Error::Settings("there is no model to evaluate".into()));
    };
    let data = match wanted {
        Wanted::Unseen(data) | Wanted::All(data) => data,
        Wanted::Validated => {
            let own::Images { split, gone, .. } = common(runs, None)?;
            log::info!("data: the validation pictures that {} recorded", shown::path(run));
            return Ok(Scored {
                part: Some(Part::Validation),
                images: split.validation,
                train: Some(split.train),
                gone,
                is_own: true,
                trained_out: 0,
                trained_in: 0,
                unrecorded: Vec::new(),
            });
        }
    };
    let (mut seen, mut unrecorded) = (HashSet::new(), Vec::new());
    for (run, facts) in runs {
        match learnt::contents(run, facts, settings(facts).ok().as_ref())? {
            Some(contents) => seen.extend(contents),
            None => unrecorded.push(run.to_path_buf()),
        }
    }
    let catalog::Scored {
        part,
        mut images,
        train,
    } = {
        // What a training part has that none of them was trained on is as good as any.
        let known = matches!(wanted, Wanted::All(_)) || unrecorded.is_empty();
        part_of(data, facts, known)?
    };
    let trained = learnt::among(&images, &seen);
    let count = trained.iter().filter(|trained| **trained).count();
    let data_of_run = settings(facts).ok().map(|settings| settings.data.canonicalize());
    let beside =
        count > 0 || matches!(data_of_run, Some(Ok(own)) if data.path.canonicalize().is_ok_and(|at| at == own));
    let told = Scored {
        part,
        images: Catalog::default(),
        train,
        gone: 0,
        is_own: beside && part != Some(Part::Test),
        trained_out: 0,
        trained_in: 0,
        unrecorded,
    };
    if part.is_some() || matches!(wanted, Wanted::All(_)) || count == 0 {
        return Ok(Scored {
            images,
            trained_in: count,
            ..told
        });
    }
    log::info!("data: {count} pictures are left out, since the run was trained on their content");
    if count == images.len() {
        let data = shown::path(&data.path);
        return Err(Error::Settings(format!(
            "all {count} images at {data} are ones that the run was trained on; name others"
        )));
    }
    let mut trained = trained.into_iter();
    let (learnt, unseen) = images.items.into_iter().partition(|_| trained.next().unwrap_or(false));
    images.items = unseen;
    let train = Catalog {
        classes: images.classes.clone(),
        items: learnt,
        left_out: Vec::new(),
    };
    Ok(Scored {
        images,
        // Those that it was trained on are the training part.
        train: Some(train),
        trained_out: count,
        ..told
    })
}

/// How many of images are ones that a model was trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Familiar {
    /// Of those meant as its training images.
    pub train: usize,
    /// Of those meant as its validation images: what is fitted on these flatters.
    pub validation: usize,
}

/// How many images of `split` the model of `run`, with these `facts`, was trained on; `None` where that was not
/// recorded.
///
/// # Errors
/// A damaged record.
pub fn familiar(run: &Path, facts: &Facts, split: &Split) -> Result<Option<Familiar>> {
    let learnt = learnt::contents(run, facts, settings(facts).ok().as_ref())?;
    Ok(learnt.map(|contents| {
        let count = |images| learnt::among(images, &contents).into_iter().filter(|is| *is).count();
        Familiar {
            train: count(&split.train),
            validation: count(&split.validation),
        }
    }))
}

/// The error of opening `data`, which says what to give where that is the folder of one class.
fn of_class(error: pelage_data::Error, facts: &Facts, data: &Path) -> Error {
    let name = data.canonicalize().unwrap_or_default();
    let name = name.file_name().unwrap_or_default().to_string_lossy();
    match error {
        pelage_data::Error::NoLabels { nested: None, .. } if facts.classes.iter().any(|class| *class == name) => {
            let reason = format!(
                "it is the folder of one class, '{name}', and pictures are labelled by the folders that they are in: \
                 give the folder above it, which has all classes"
            );
            pelage_data::Error::data(data, reason).into()
        }
        other => other.into(),
    }
}
