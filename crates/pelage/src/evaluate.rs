//! How well a model does on labelled images.

pub mod calibration;
pub mod coverage;
pub mod curves;
pub mod doubtful;
pub mod metrics;
pub mod rejection;
pub mod scores;

use std::path::Path;
use std::sync::Arc;

use pelage_data::Progress;
use pelage_data::cache::{Cache, CacheMode, DecodedImages};
use pelage_data::dataset::Dataset;
use pelage_model::trust::Judge;
use serde::Serialize;

use crate::compute::Compute;
use crate::runs::images;
use crate::{Model, Result};
pub use metrics::{Evaluation, PerClass};
use rejection::Rejection;
pub use scores::{Embeddings, Scores, score};

/// The evaluation of a model, and what a calibration adds to it.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// As the model was trained.
    #[serde(flatten)]
    pub evaluation: Evaluation,
    /// Of a calibrated model: its probabilities after calibration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calibrated: Option<Calibrated>,
    /// Where answers are rejected: what that gains.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejection: Option<Rejection>,
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

/// Evaluates the model of `run` on the validation part of `data`, or on all of its images where it has no parts.
/// `reject`: answers below this confidence, 0 to 1, and those to images too far from training count as not given.
///
/// # Errors
/// No model, no images, classes that the model does not know; `reject` out of range, or without a calibration.
pub fn evaluate(
    run: &Path,
    data: &Path,
    reject: Option<f64>,
    compute: &Compute,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Report> {
    let model = Model::load(run, &compute.open()?)?;
    let judge = Judge::open(run, reject)?;
    let catalog = images::validation_part(data)?;
    let embeddings = if judge.rejects() {
        Embeddings::Keep
    } else {
        Embeddings::Drop
    };
    let scores = open_and_score(
        &model,
        Arc::new(catalog),
        compute.cache,
        embeddings,
        "evaluating",
        progress,
    )?;
    Ok(Report {
        evaluation: Evaluation::of(&scores),
        calibrated: judge.temperature().map(|temperature| calibrated(&scores, temperature)),
        rejection: judge.rejects().then(|| Rejection::of(&scores, &judge)),
    })
}

fn calibrated(scores: &Scores, temperature: f64) -> Calibrated {
    let probabilities = scores.probabilities(temperature);
    let figures = Evaluation::new(&scores.classes, &scores.labels, &probabilities, Vec::new());
    Calibrated {
        temperature,
        log_loss: figures.log_loss,
        brier_score: figures.brier_score,
        expected_calibration_error: figures.expected_calibration_error,
    }
}

/// Opens the images of `dataset` and lets `model` score them; `what` is being done, for whoever shows the progress.
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
    let cache = Cache::new(cache);
    let pictures = DecodedImages::open(dataset, &model.facts.preprocessing, &cache, progress)?;
    let total = pictures.len();
    score(model, Arc::new(pictures), embeddings, &mut |done| {
        progress(Progress { done, total, what })
    })
}
