//! Cross-validation: a run for each fold, and what they say together of images that none of them was trained on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pelage_data::Progress;
use pelage_data::catalog::Fold;
use pelage_data::lock::create_folder;
use pelage_data::shown;
use pelage_data::source;
use pelage_model::saved::MOST;
use serde::Serialize;
use toml::Table;

use crate::compute::Compute;
use crate::evaluate::{self, Embeddings, Evaluation, NearCopies, Scores};
use crate::runs::Config;
use crate::runs::own::{self, Needed};
use crate::runs::run::foreign;
use crate::{Error, Model, Result, atomic, ensemble};
use pelage_data::table;

/// The settings of all runs, in the folder of the cross-validation.
const SETTINGS: &str = "folds.toml";
/// What each run says of the images of its fold.
const PREDICTIONS: &str = "out-of-fold.csv";
/// The mean of all runs, as a model.
const MODEL: &str = "ensemble.safetensors";

/// What the runs say together.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Each fold by its own run.
    pub folds: Vec<OfFold>,
    /// Mean of the folds' accuracies, 0 to 1.
    pub mean_accuracy: f64,
    /// Their standard deviation, as of a sample.
    pub standard_deviation: f64,
    /// How many of all images look like ones that the run which judges them was trained on, if all runs know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub near_copies: Option<NearCopies>,
    /// All images, each by the run that was not trained on it.
    pub together: Evaluation,
    /// The table of these predictions.
    pub predictions: PathBuf,
    /// The mean of the runs' probabilities as a model; none where it would have too many networks.
    pub model: Option<PathBuf>,
}

/// A fold by its own run.
#[derive(Clone, Debug, Serialize)]
pub struct OfFold {
    /// The run folder.
    pub run: PathBuf,
    /// Readable images of the fold.
    #[serde(rename = "pictures")]
    pub images: usize,
    /// Accuracy on these, 0 to 1.
    pub accuracy: f64,
    /// Log loss on these.
    pub log_loss: f64,
}

/// The settings of the cross-validation in `folder`, without where it runs, and the number of its folds; `None` where
/// there is room for one.
///
/// # Errors
/// A folder that holds something else, or cannot be read.
pub fn begun(folder: &Path) -> Result<Option<(Config, usize)>> {
    let path = folder.join(SETTINGS);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => {
            create_folder(folder)?;
            return match foreign(folder)? {
                Some(name) => Err(Error::folder(
                    folder,
                    format!("holds {name} already; give a new folder for the folds"),
                )),
                None => Ok(None),
            };
        }
        Err(failure) => return Err(Error::io(path)(failure)),
    };
    let damaged = |reason: String| Error::Settings(format!("{}: {reason}", shown::path(&path)));
    let mut table: Table = text
        .parse()
        .map_err(|failure: toml::de::Error| damaged(failure.to_string()))?;
    let folds = table
        .remove("folds")
        .and_then(|folds| folds.as_integer())
        .unwrap_or_default();
    let config = Config::from_table(table).map_err(|failure| damaged(failure.to_string()))?;
    Ok(Some((config, usize::try_from(folds).unwrap_or_default())))
}

/// The run folder and the settings of each fold, in `folder`, which is made, or belongs to the same cross-validation
/// already.
///
/// # Errors
/// Fewer than 2 folds or more than 100; settings that training cannot use; a folder that holds something else, or
/// folds of other settings.
pub fn planned(config: &Config, folds: usize, folder: &Path) -> Result<Vec<(PathBuf, Config)>> {
    let folds = Fold::all(folds).map_err(Error::Settings)?;
    config.validate()?;
    let mut wanted = Config {
        compute: Compute::default(),
        ..config.clone()
    };
    wanted.make_absolute()?;
    match begun(folder)? {
        Some(begun) if begun == (wanted.clone(), folds.len()) => {}
        Some(_) => {
            return Err(Error::folder(
                folder,
                "holds folds of other settings; choose another folder",
            ));
        }
        None => {
            let settings = format!("folds = {}\n{}", folds.len(), wanted.to_toml()?);
            source::mark(folder)?;
            atomic::write(&folder.join(SETTINGS), settings.as_bytes())?;
        }
    }
    let of = |fold: Fold| {
        let settings = Config {
            fold: Some(fold),
            ..config.clone()
        };
        (folder.join(format!("fold-{}", fold.number())), settings)
    };
    Ok(folds.into_iter().map(of).collect())
}

/// Takes back what [`planned`] has written into `folder`, unless a run has begun there: of a cross-validation that
/// cannot be, nothing is in the way of the next.
pub fn forget(folder: &Path) {
    let begun = std::fs::read_dir(folder).is_ok_and(|inside| {
        let names = inside
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.into_iter().any(|name| name != SETTINGS && !name.starts_with('.'))
    });
    if !begun {
        // What cannot be removed is in the way, and is told then.
        let _ = std::fs::remove_file(folder.join(SETTINGS));
        let _ = std::fs::remove_file(folder.join(source::MARK));
        let _ = std::fs::remove_dir(folder);
    }
}

/// Scores each of `runs`, which are trained, on the images of its fold; writes the table of these predictions and the
/// mean of the runs as a model into `folder`.
///
/// # Errors
/// Runs without a model, images that are missing or others by now, a folder that cannot be written.
pub fn together(
    runs: &[PathBuf],
    folder: &Path,
    compute: &Compute,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Report> {
    let device = compute.open()?;
    let (mut models, mut folds, mut parts) = (Vec::new(), Vec::new(), Vec::new());
    let (mut all, mut probabilities) = (Scores::default(), Vec::new());
    let (mut rows, mut networks) = (Vec::new(), 0);
    let mut near_copies = Some(NearCopies { found: 0, of: 0 });
    for (run, number) in runs.iter().zip(1..) {
        let model = Model::open_on(run, &device, None)?;
        let fold = own::trained_on(run, &model.facts, None, Needed::Validation)?
            .split
            .validation;
        let (cache, drop) = (compute.cache, Embeddings::Drop);
        let scores = evaluate::open_and_score(&model, Arc::new(fold), cache, drop, "scoring the fold", progress)?;
        near_copies = near_copies.zip(NearCopies::of(&model)).map(|(all, one)| NearCopies {
            found: all.found + one.found,
            of: all.of + one.of,
        });
        let temperature = model.judge.temperature().unwrap_or(1.0);
        let own = scores.probabilities(temperature);
        let alone = Evaluation::new(&scores.classes, &scores.labels, &own, Vec::new());
        rows.extend(predicted(number, &scores, &own));
        folds.push(OfFold {
            run: run.clone(),
            images: scores.len(),
            accuracy: alone.accuracy,
            log_loss: alone.log_loss,
        });
        parts.push(ensemble::Part {
            run: run.clone(),
            architecture: model.facts.name(),
            weight: 1.0 / runs.len() as f64,
            temperature,
            accuracy: alone.accuracy,
            log_loss: alone.log_loss,
        });
        all.labels.extend(&scores.labels);
        all.unreadable.extend(scores.unreadable);
        all.classes = scores.classes;
        probabilities.extend(own);
        networks += 1 + model.others.len();
        // More than can answer together need no memory.
        match networks > MOST {
            true => models.clear(),
            false => models.push(model),
        }
    }
    let predictions = folder.join(PREDICTIONS);
    let head = ["path", "fold", "class", "predicted"].map(String::from).into_iter();
    let head = head.chain(all.classes.iter().map(|class| format!("probability of {class}")));
    let rows = std::iter::once(head.collect()).chain(rows);
    atomic::write(&predictions, &table::csv::<Vec<String>>(rows)?)?;
    let together = Evaluation::new(&all.classes, &all.labels, &probabilities, all.unreadable);
    let (mean_accuracy, standard_deviation) = spread(&folds);
    let model = match networks > MOST {
        true => None,
        false => {
            let path = folder.join(MODEL);
            let told = ensemble::Report {
                members: parts,
                images: together.images,
                accuracy: together.accuracy,
                log_loss: together.log_loss,
            };
            let model = ensemble::of_folds(&models, &told)?;
            atomic::write(&path, &model.encode().map_err(Error::Settings)?)?;
            Some(path)
        }
    };
    Ok(Report {
        folds,
        mean_accuracy,
        standard_deviation,
        near_copies,
        together,
        predictions,
        model,
    })
}

/// Rows of the table: what is said of each image of fold `number`.
fn predicted<'a>(
    number: usize,
    scores: &'a Scores,
    probabilities: &'a [f32],
) -> impl Iterator<Item = Vec<String>> + 'a {
    let classes = &scores.classes;
    let images = scores.names.iter().zip(&scores.labels);
    images
        .zip(probabilities.chunks(classes.len()))
        .map(move |((name, &label), row)| {
            let answer = pelage_model::probability::argmax(row);
            let named = [
                table::prefixed("./", name),
                number.to_string(),
                table::prefixed("'", &classes[label]),
                table::prefixed("'", &classes[answer]),
            ];
            named.into_iter().chain(row.iter().map(f32::to_string)).collect()
        })
}

/// Mean and standard deviation of the folds' accuracies.
fn spread(folds: &[OfFold]) -> (f64, f64) {
    let count = folds.len() as f64;
    let mean = folds.iter().map(|fold| fold.accuracy).sum::<f64>() / count;
    let squares: f64 = folds.iter().map(|fold| (fold.accuracy - mean).powi(2)).sum();
    (mean, (squares / (count - 1.0).max(1.0)).sqrt())
}
