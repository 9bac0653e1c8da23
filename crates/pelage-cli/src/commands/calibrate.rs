//! `pelage calibrate`.

use std::path::PathBuf;

use clap::Args;
use pelage::calibrate::{self, Calibrated};
use pelage::evaluate::{Evaluation, calibration};

use super::compute::Caching;
use crate::failure::Outcome;
use crate::progress::Task;
use crate::table::{count, table};

/// Calibrate a model's probabilities, and let it answer "unknown"
///
/// Fits one value on the validation pictures, the temperature, by which the logits are divided; and a density on the
/// embeddings of the training pictures, which tells how far a picture may lie from them (the Mahalanobis distance to
/// the nearest class) before the answer is "unknown". Both are kept beside the model; from then on `predict`,
/// `evaluate` and `submit` use them. `--reject` needs a calibration.
#[derive(Args)]
pub(super) struct Arguments {
    /// A run folder or a model file
    run: PathBuf,
    /// Pictures with a training and a validation part [default: those that the model was trained on]
    data: Option<PathBuf>,
    /// Share of the validation pictures that should be near enough to be answered, above 0 and at most 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.95)]
    coverage: f64,
    #[command(flatten)]
    caching: Caching,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let (task, compute) = (Task::new(), arguments.caching.compute());
    let (data, show) = (arguments.data.as_deref(), |progress| task.show(progress));
    let calibrated = calibrate::calibrate(&arguments.run, data, arguments.coverage, &compute, &show);
    task.finish();
    Ok(described(&calibrated?))
}

fn described(calibrated: &Calibrated) -> String {
    let Calibrated {
        calibration: fitted,
        validation,
        path,
    } = calibrated;
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
        "{}answered up to distance {:.2}: {:.1} % of {} (embeddings of {} values, from {})\nwrote {}\n",
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
