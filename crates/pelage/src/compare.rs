//! Whether one run is better than another, or was lucky: both are evaluated on the same images.

pub mod difference;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pelage_data::Progress;
use pelage_model::probability::argmax;
use pelage_model::saved::Facts;
use serde::Serialize;

use crate::compute::Compute;
use crate::draw::comparison::{Curve, comparison_svg};
use crate::evaluate::{self, Calibrated, Embeddings, Evaluation, NearCopies, Scores};
use crate::runs::history;
use crate::runs::images::{self, Labelled, Wanted};
use crate::train::facts::Training;
use crate::train::history::HistoryRow;
use crate::{Error, Model, Result};
pub use difference::Difference;

/// A run's own account of its training.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// The run, as given by the caller.
    pub run: PathBuf,
    /// The network.
    pub architecture: String,
    /// Number of trainable values, backbone included.
    pub parameters: u64,
    /// The epoch whose weights were kept.
    pub best_epoch: usize,
    /// Epochs trained; `None` for a lone model file.
    pub epochs: Option<usize>,
    /// Seconds of training.
    pub seconds: Option<f64>,
    /// Validation loss of the kept weights.
    pub validation_loss: f64,
    /// Validation accuracy of the kept weights, 0 to 1.
    pub validation_accuracy: f64,
}

impl Summary {
    /// From a model's facts and the history of its run.
    pub fn new(run: &Path, facts: &Facts, history: Option<&[HistoryRow]>) -> Self {
        let (training, layers) = (Training::of(facts), facts.layers());
        Summary {
            run: run.to_path_buf(),
            architecture: facts.name(),
            parameters: layers.iter().map(|layer| layer.parameters).sum(),
            best_epoch: training.epoch,
            epochs: history.map(<[_]>::len),
            seconds: history.map(|rows| rows.iter().map(|row| row.seconds).sum()),
            validation_loss: training.validation_loss,
            validation_accuracy: training.validation_accuracy,
        }
    }
}

/// Runs side by side.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Number of images that all runs were evaluated on.
    #[serde(rename = "pictures")]
    pub images: usize,
    /// Number of images of the data set that were left out because one of the models was trained on them.
    pub trained_out: usize,
    /// Number of images that one of them was trained on and that count nevertheless.
    pub trained_in: usize,
    /// The models of which it is not known which of the images they were trained on.
    pub unrecorded: Vec<PathBuf>,
    /// One line per run, in the order given.
    pub runs: Vec<Line>,
    /// The history of each run; `None` for a lone model file.
    #[serde(skip)]
    pub histories: Vec<Option<Vec<HistoryRow>>>,
}

/// One run: its own account, and its results on the images of the comparison.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// The run's own account.
    #[serde(flatten)]
    pub summary: Summary,
    /// Its accuracy on these images, 0 to 1.
    pub accuracy: f64,
    /// The 95 % interval of that (Wilson): what other images of the same kind might give.
    pub accuracy_interval: [f64; 2],
    /// Its log loss on them, as trained.
    pub log_loss: f64,
    /// See [`evaluate::Report::near_copies`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub near_copies: Option<NearCopies>,
    /// For a calibrated model: its probabilities after calibration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calibrated: Option<Calibrated>,
    /// Its difference from the first run; `None` for the first run itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub difference: Option<Difference>,
}

/// Evaluates the models of all `runs` on the same images: the validation part of `data`, in which the folders at
/// `label_level` are the classes if one is given, or where it has no parts all of it that none was trained on; by
/// default those that all were validated on.
///
/// # Errors
/// Runs without a model, or validated on different images; images that are missing, or change meanwhile.
pub fn compare(
    runs: &[PathBuf],
    data: Option<&Path>,
    label_level: Option<usize>,
    compute: &Compute,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Report> {
    let device = compute.open()?;
    let models = runs
        .iter()
        .map(|run| Model::open_on(run, &device, None))
        .collect::<Result<Vec<_>>>()?;
    let histories = runs.iter().map(|run| history::of(run)).collect::<Result<Vec<_>>>()?;
    let facts = models.iter().map(|model| &model.facts);
    let known: Vec<_> = runs.iter().map(PathBuf::as_path).zip(facts).collect();
    let level = label_level;
    let wanted = data.map_or(Wanted::Validated, |path| Wanted::Unseen(Labelled { path, level }));
    let scored = images::to_evaluate(&known, wanted)?;
    let catalog = Arc::new(scored.images);
    let mut first: Option<(Vec<String>, Vec<bool>)> = None;
    let mut lines = Vec::new();
    for ((run, model), history) in runs.iter().zip(&models).zip(&histories) {
        let (cache, drop) = (compute.cache, Embeddings::Drop);
        let scores = evaluate::open_and_score(model, catalog.clone(), cache, drop, "comparing", progress)?;
        let evaluation = Evaluation::of(&scores);
        let correct = correct(&scores);
        let difference = match &first {
            None => None,
            Some((names, _)) if *names != scores.names => {
                return Err(pelage_data::Error::Dataset("images changed during the comparison".into()).into());
            }
            // Any seed will do; a fixed one gives the same answer every time.
            Some((_, first)) => Some(Difference::new(first, &correct, 0)),
        };
        lines.push(Line {
            summary: Summary::new(run, &model.facts, history.as_deref()),
            near_copies: NearCopies::of(model).filter(|_| scored.is_own),
            accuracy: evaluation.accuracy,
            accuracy_interval: evaluate::wilson(evaluation.accuracy, evaluation.images),
            calibrated: model
                .judge
                .temperature()
                .map(|temperature| evaluate::calibrated(&scores, temperature)),
            log_loss: evaluation.log_loss,
            difference,
        });
        first.get_or_insert((scores.names, correct));
    }
    Ok(Report {
        images: first.map_or(0, |(names, _)| names.len()),
        trained_out: scored.trained_out,
        trained_in: scored.trained_in,
        unrecorded: scored.unrecorded,
        runs: lines,
        histories,
    })
}

impl Report {
    /// Validation loss and accuracy over the epochs of all runs, as SVG.
    ///
    /// # Errors
    /// A figure that cannot be drawn.
    pub fn svg(&self) -> Result<String> {
        let names = names(
            &self
                .runs
                .iter()
                .map(|line| line.summary.run.as_path())
                .collect::<Vec<_>>(),
        );
        let curves = self.runs.iter().zip(&self.histories).zip(&names);
        let curves = curves.map(|((line, history), name)| Curve {
            name,
            history: history.as_deref().unwrap_or_default(),
            best_epoch: line.summary.best_epoch,
        });
        let plural = if names.len() == 1 { "" } else { "s" };
        let count = names.len();
        let title = format!("{count} run{plural} on validation (ring and value: the kept epoch)");
        comparison_svg(&title, &curves.collect::<Vec<_>>()).map_err(|reason| Error::Rendering {
            what: "the comparison",
            reason,
        })
    }
}

/// The last component of each path, or the whole path where that name is not unique.
fn names(runs: &[&Path]) -> Vec<String> {
    let last = |run: &Path| {
        run.file_name()
            .unwrap_or(run.as_os_str())
            .to_string_lossy()
            .into_owned()
    };
    let name = |run: &&Path| match runs.iter().filter(|other| last(other) == last(run)).count() {
        1 => last(run),
        _ => run.display().to_string(),
    };
    runs.iter().map(name).collect()
}

/// Whether each image was classified correctly.
fn correct(scores: &Scores) -> Vec<bool> {
    let rows = scores.logits.chunks(scores.classes.len()).zip(&scores.labels);
    rows.map(|(row, &label)| argmax(row) == label).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_with_the_same_name_are_distinguished() {
        let paths = ["a/x", "b/x", "b/y"].map(Path::new);
        assert_eq!(names(&paths), ["a/x", "b/x", "y"]);
    }
}
