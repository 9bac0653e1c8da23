//! How well a model does on labelled images.

pub mod calibration;
pub mod confusion;
pub mod coverage;
pub mod curves;
pub mod doubtful;
pub mod metrics;
pub mod rejection;
pub mod scores;
pub mod temperature;

use std::path::Path;
use std::sync::Arc;

use pelage_data::Progress;
use pelage_data::cache::{Cache, CacheMode, DecodedImages};
use pelage_data::catalog::Part;
use pelage_data::dataset::Dataset;
use pelage_data::source::LeftOut;
use pelage_model::saved::Member;
use serde::Serialize;

use crate::compute::Compute;
pub use crate::runs::images::{Labelled, Wanted};
use crate::runs::{images, own};
use crate::train::facts::Training;
use crate::{Model, Result};
pub use metrics::{Evaluation, PerClass, wilson};
use rejection::Rejection;
pub use scores::{Embeddings, Scores, score};

/// The evaluation of a model, and what a calibration adds to it.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The part of the data set that was evaluated on; none where it has no parts, and all of it was.
    pub part: Option<Part>,
    /// Number of images of the data set that were left out because the model was trained on them.
    pub trained_out: usize,
    /// Number of images that the model was trained on and that count nevertheless.
    pub trained_in: usize,
    /// Of images that the model was validated on, or that lie beside those that it was trained on: how many of all that
    /// it was validated on look like one of these, if that was looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub near_copies: Option<NearCopies>,
    /// Whether these are the images that the model was validated on, in groups: an interval takes each for itself.
    #[serde(skip)]
    pub is_grouped: bool,
    /// Whether it is not known which of the images it was trained on: the model is not in its run's folder, or of
    /// several runs.
    pub unrecorded: bool,
    /// What was found beside the images, and why it was left out.
    pub left_out: Vec<LeftOut>,
    /// As trained.
    #[serde(flatten)]
    pub evaluation: Evaluation,
    /// For a calibrated model: its probabilities after calibration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calibrated: Option<Calibrated>,
    /// If answers are rejected: the effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejection: Option<Rejection>,
}

/// How many images that a model was validated on look like ones that it was trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct NearCopies {
    /// How many do.
    pub found: usize,
    /// Of so many.
    pub of: usize,
}

impl NearCopies {
    /// As the training of `model` has found; `None` where it has not looked.
    pub fn of(model: &Model) -> Option<NearCopies> {
        let training = Training::of(&model.facts);
        training.near_copies.map(|found| NearCopies {
            found,
            of: training.validation_images,
        })
    }
}

/// How good the probabilities are after calibration.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Calibrated {
    /// What logits are divided by.
    pub temperature: f64,
    /// See [`Evaluation::log_loss`].
    pub log_loss: f64,
    /// See [`Evaluation::brier_score`].
    pub brier_score: f64,
    /// See [`Evaluation::expected_calibration_error`].
    pub expected_calibration_error: f64,
}

/// Evaluates the model of `run` on the images that are `wanted`. `reject`: answers below this confidence, 0 to 1, and
/// those for images too far from the training set count as not given.
///
/// # Errors
/// No model, no images, classes that the model does not know; `reject` out of range, or without a calibration.
pub fn evaluate(
    run: &Path,
    wanted: Wanted,
    reject: Option<f64>,
    compute: &Compute,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Report> {
    of(
        &Model::open_on(run, &compute.open()?, reject)?,
        run,
        wanted,
        compute,
        progress,
    )
}

/// [`evaluate`], of a model of `run` that is open.
///
/// # Errors
/// As there.
pub fn of(
    model: &Model,
    run: &Path,
    wanted: Wanted,
    compute: &Compute,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Report> {
    let judge = &model.judge;
    let images::Scored {
        part,
        images,
        trained_out,
        trained_in,
        unrecorded,
        is_own,
        ..
    } = images::to_evaluate(&[(run, &model.facts)], wanted)?;
    let left_out = images.left_out.clone();
    let embeddings = if judge.rejects() {
        Embeddings::Keep
    } else {
        Embeddings::Drop
    };
    let scores = open_and_score(
        model,
        Arc::new(images),
        compute.cache,
        embeddings,
        "evaluating",
        progress,
    )?;
    Ok(Report {
        part,
        trained_out,
        trained_in,
        near_copies: NearCopies::of(model).filter(|_| is_own),
        is_grouped: is_own && own::settings(&model.facts).is_ok_and(|settings| settings.group_by.is_some()),
        unrecorded: !unrecorded.is_empty(),
        left_out,
        evaluation: Evaluation::of(&scores),
        calibrated: judge.temperature().map(|temperature| calibrated(&scores, temperature)),
        rejection: judge.rejects().then(|| Rejection::of(&scores, judge)),
    })
}

/// How good probabilities that are calibrated by `temperature` are.
pub(crate) fn calibrated(scores: &Scores, temperature: f64) -> Calibrated {
    let probabilities = scores.probabilities(temperature);
    let figures = Evaluation::new(&scores.classes, &scores.labels, &probabilities, Vec::new());
    Calibrated {
        temperature,
        log_loss: figures.log_loss,
        brier_score: figures.brier_score,
        expected_calibration_error: figures.expected_calibration_error,
    }
}

/// Opens the images of `dataset` and scores them with `model`; `what` names the work for whoever shows the progress.
///
/// # Errors
/// As [`DecodedImages::open`] and [`score`].
pub fn open_and_score(
    model: &Model,
    dataset: Arc<dyn Dataset>,
    cache: CacheMode,
    embeddings: Embeddings,
    what: &'static str,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Scores> {
    let images = open(model, &dataset, cache, progress)?;
    let total = images[0].len();
    score(model, &images, embeddings, &mut |done| {
        progress(Progress { done, total, what })
    })
}

/// The images of `dataset` as each network of `model` sees them.
///
/// # Errors
/// As [`DecodedImages::open`].
pub fn open(
    model: &Model,
    dataset: &Arc<dyn Dataset>,
    cache: CacheMode,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Vec<Arc<DecodedImages>>> {
    let cache = Cache::new(cache);
    let mut seen: Vec<Arc<DecodedImages>> = Vec::new();
    for Member { preprocessing, .. } in model.facts.members() {
        let same = seen.iter().find(|images| *images.preprocessing() == preprocessing);
        seen.push(match same.cloned() {
            Some(same) => same,
            None => Arc::new(DecodedImages::open(dataset.clone(), &preprocessing, &cache, progress)?),
        });
    }
    Ok(seen)
}
