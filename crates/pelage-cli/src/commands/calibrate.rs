//! `pelage calibrate`.

use std::path::{Path, PathBuf};

use clap::Args;
use pelage::bundle;
use pelage::confidence::{self, Calibration};
use pelage::data::catalog::{self, Split};
use pelage::evaluate::{Embeddings, Evaluation, Scores, calibration};
use pelage::train::Recipe;

use super::evaluate::score;
use super::use_threads;
use crate::failure::{Failure, Outcome};
use crate::table::{count, table};

/// Make a model's probabilities honest, and let it tell what it has never seen
///
/// Fits on the validation pictures one number, the temperature, by which the logits are divided; and from what the model
/// sees in the training pictures how far a picture may lie from them (the Mahalanobis distance of its embedding to the
/// nearest class) before the answer is "unknown". Both are kept beside the model, and `predict`, `evaluate` and `submit`
/// use them from then on. Without a calibration there is no `--reject`.
#[derive(Args)]
pub(super) struct Arguments {
    /// A run folder or a model file
    run: PathBuf,
    /// Pictures with a training and a validation part [default: those that the model was trained on]
    data: Option<PathBuf>,
    /// Share of the validation pictures that are near enough to be answered, above 0 and at most 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.95)]
    coverage: f64,
    /// CPU threads [default: all]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    threads: usize,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    use_threads(arguments.threads)?;
    let device = pelage::device::open("cpu")?;
    // Before the model is loaded: were it replaced in between, the calibration would not be taken for the new one's.
    let hash = confidence::model_hash(&arguments.run);
    let model = bundle::load(&arguments.run, &device)?;
    confidence::check(&model, arguments.coverage, &device)?;
    let split = split(arguments.data.as_deref(), &model.facts.training.recipe)?;
    let validation = score(&model, &split.validation, Embeddings::Keep, "validation")?;
    let train = score(&model, &split.train, Embeddings::Keep, "training")?;
    let fitted = Calibration::fit(&train, &validation, arguments.coverage, hash?)?;
    let path = fitted.save_beside(&arguments.run)?;
    Ok(described(&fitted, &validation, &path))
}

fn split(data: Option<&Path>, recipe: &Recipe) -> Result<Split, Failure> {
    let open = |data: &Path, split| catalog::open_dataset(data, split, recipe.seed);
    match data {
        Some(data) => open(data, None)
            .or_else(|failure| match recipe.validation_split {
                Some(_) => open(data, recipe.validation_split),
                None => Err(failure),
            })
            .map_err(Failure::from),
        None if !recipe.data.exists() => Err(Failure::Usage(format!(
            "the pictures that the model was trained on are not at {}, seen from here; name them after the run",
            recipe.data.display()
        ))),
        None => Ok(open(&recipe.data, recipe.validation_split)?),
    }
}

fn described(fitted: &Calibration, validation: &Scores, path: &Path) -> String {
    let figures = |probabilities: &[f32]| {
        let (classes, labels) = (&validation.classes, &validation.labels);
        Evaluation::new(classes, labels, probabilities, Vec::new())
    };
    // Fitted on one half for the other, so that the figures are not flattered.
    let (plain, scaled) = (
        figures(&validation.probabilities(1.0)),
        figures(&calibration::cross_fitted(validation)),
    );
    let row = |name: &str, temperature: f64, figures: &Evaluation| {
        vec![
            name.to_string(),
            format!("{temperature:.3}"),
            format!("{:.4}", figures.log_loss),
            format!("{:.2} %", 100.0 * figures.expected_calibration_error),
        ]
    };
    let facts = &fitted.facts;
    let rows = [row("before", 1.0, &plain), row("after", facts.temperature, &scaled)];
    let distances = fitted.density.distances(&validation.embeddings);
    let kept = distances.iter().filter(|&&distance| distance <= facts.distance).count();
    format!(
        "{}answered up to distance {:.2}: {:.1} % of {} ({} numbers an embedding, from {})\nwrote {}\n",
        table(
            &["validation", "temperature", "log loss", "calibration error"],
            1..4,
            rows.into_iter()
        ),
        facts.distance,
        100.0 * kept as f64 / validation.len() as f64,
        count(validation.len(), "validation picture"),
        fitted.density.dimension(),
        count(facts.train_images, "training picture"),
        path.display()
    )
}
