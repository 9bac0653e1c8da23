//! `pelage calibrate`.

use std::path::{Path, PathBuf};

use clap::Args;
use pelage::calibrate::{self, Calibrated};
use pelage::evaluate::Evaluation;
use pelage::evaluate::temperature::Verdict;
use pelage::runs::images::{Familiar, Labelled};
use serde::Serialize;

use super::compute::Caching;
use crate::failure::Outcome;
use crate::options::LABEL_LEVEL;
use crate::progress::Task;
use crate::table::{count, fixed, table};
use crate::terminal::{answer, quoted};

/// Calibrate a model's probabilities, and let it answer "unknown"
///
/// Fits one value on the validation pictures, the temperature, by which the logits are divided; and a density on the
/// embeddings of the training pictures, which tells how far a picture may lie from them (the Mahalanobis distance to
/// the nearest class) before the answer is "unknown". Both become part of the model file; from then on `predict`,
/// `evaluate`, `explain`, `report` and `submit` use them. A temperature needs at least ten pictures that are called
/// wrongly, and is kept only if it lowers the log loss on pictures that it was not fitted on. `--reject` needs a
/// calibration.
#[derive(Args)]
pub(super) struct Arguments {
    /// A run folder or a model file
    run: PathBuf,
    /// Pictures with a training and a validation part [default: those that the model was trained on]
    data: Option<PathBuf>,
    #[arg(long, value_name = "N", requires = "data", help = LABEL_LEVEL)]
    label_level: Option<usize>,
    /// Share of the validation pictures that should be near enough to be answered, above 0 and at most 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.95)]
    coverage: f64,
    #[command(flatten)]
    caching: Caching,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let (task, compute) = (Task::new(), arguments.caching.compute());
    let (level, show) = (arguments.label_level, |progress| task.show(progress));
    let data = arguments.data.as_deref().map(|path| Labelled { path, level });
    let calibrated = calibrate::calibrate(&arguments.run, data, arguments.coverage, &compute, &show);
    task.finish();
    Ok(answer(&Fitted::of(&calibrated?), described)?)
}

/// What was fitted, and what it does to the validation pictures.
#[derive(Serialize)]
struct Fitted<'a> {
    model: &'a Path,
    temperature: f64,
    /// Whether another temperature than 1 was known to be better.
    kept: bool,
    /// Why, or why not.
    reason: String,
    as_trained: Figures,
    /// Each picture by a temperature fitted on others, so that the figures are not flattered.
    #[serde(skip_serializing_if = "Option::is_none")]
    calibrated: Option<Figures>,
    distance: f64,
    answered: f64,
    embedding: usize,
    train_pictures: usize,
    validation_pictures: usize,
    /// How many of these the model was trained on, where that is recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    trained_on: Option<Familiar>,
}

/// How good probabilities are.
#[derive(Serialize)]
struct Figures {
    log_loss: f64,
    brier_score: f64,
    expected_calibration_error: f64,
}

impl<'a> Fitted<'a> {
    fn of(calibrated: &'a Calibrated) -> Self {
        let Calibrated {
            calibration: fitted,
            scaling,
            validation,
            familiar,
            path,
        } = calibrated;
        let figures = |probabilities: &[f32]| {
            let (classes, labels) = (&validation.classes, &validation.labels);
            let figures = Evaluation::new(classes, labels, probabilities, Vec::new());
            Figures {
                log_loss: figures.log_loss,
                brier_score: figures.brier_score,
                expected_calibration_error: figures.expected_calibration_error,
            }
        };
        let kept = scaling.verdict == Verdict::Better;
        let distances = fitted.density.distances(&validation.embeddings);
        let facts = &fitted.facts;
        let near = distances.iter().filter(|&&distance| distance <= facts.distance).count();
        Fitted {
            model: path,
            temperature: facts.temperature,
            kept,
            reason: scaling.verdict.to_string(),
            as_trained: figures(&validation.probabilities(1.0)),
            calibrated: kept.then(|| figures(&scaling.cross_fitted)),
            distance: facts.distance,
            answered: near as f64 / validation.len() as f64,
            embedding: fitted.density.dimension(),
            train_pictures: facts.train_images,
            validation_pictures: validation.len(),
            trained_on: *familiar,
        }
    }
}

fn described(fitted: &Fitted) -> String {
    let row = |name: &str, temperature: f64, figures: &Figures| {
        vec![
            name.to_string(),
            format!("{temperature:.3}"),
            fixed(figures.log_loss, 4),
            format!("{:.2} %", 100.0 * figures.expected_calibration_error),
        ]
    };
    let mut rows = vec![row("as trained", 1.0, &fitted.as_trained)];
    rows.extend(
        fitted
            .calibrated
            .iter()
            .map(|figures| row("calibrated", fitted.temperature, figures)),
    );
    let told = match fitted.kept {
        true => String::new(),
        false => format!("temperature 1, so probabilities stay as trained: {}\n", fitted.reason),
    };
    let known = familiar(fitted);
    format!(
        "{}{told}{known}answered up to distance {:.2}: {:.1} % of {} (embeddings of {} values, from {})\nwrote {}\n",
        table(
            &["validation", "temperature", "log loss", "calibration error"],
            1..4,
            rows.into_iter()
        ),
        fitted.distance,
        100.0 * fitted.answered,
        count(fitted.validation_pictures, "validation picture"),
        fitted.embedding,
        count(fitted.train_pictures, "training picture"),
        quoted(fitted.model)
    )
}

/// What the model has to do with the pictures, where that is not as it should be.
fn familiar(fitted: &Fitted) -> String {
    let count = |number: usize| count(number, "picture");
    match fitted.trained_on {
        None => "note: it is not recorded which pictures the model was trained on; these may be others\n".into(),
        Some(Familiar { train: 0, .. }) => {
            "note: the model was trained on none of these pictures: distances are measured from others\n".into()
        }
        Some(Familiar { validation, .. }) if validation > 0 => format!(
            "note: the model was trained on {} of those for validation: the temperature flatters it\n",
            count(validation)
        ),
        Some(Familiar { train, .. }) if train < fitted.train_pictures => format!(
            "note: the model was trained on {} of the {} for training\n",
            count(train),
            count(fitted.train_pictures)
        ),
        Some(_) => String::new(),
    }
}
