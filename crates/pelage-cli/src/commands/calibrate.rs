//! `pelage calibrate`.

use std::path::PathBuf;

use clap::Args;
use pelage::calibrate::{self, Calibrated};
use pelage::evaluate::Evaluation;
use pelage::evaluate::temperature::Verdict;

use super::compute::Caching;
use crate::failure::Outcome;
use crate::progress::Task;
use crate::table::{count, fixed, table};

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
        scaling,
        validation,
        path,
    } = calibrated;
    let figures = |probabilities: &[f32]| {
        let (classes, labels) = (&validation.classes, &validation.labels);
        Evaluation::new(classes, labels, probabilities, Vec::new())
    };
    let plain = figures(&validation.probabilities(1.0));
    let row = |name: &str, temperature: f64, figures: &Evaluation| {
        vec![
            name.to_string(),
            format!("{temperature:.3}"),
            fixed(figures.log_loss, 4),
            format!("{:.2} %", 100.0 * figures.expected_calibration_error),
        ]
    };
    let facts = &fitted.facts;
    let mut rows = vec![row("as trained", 1.0, &plain)];
    let told = match scaling.verdict {
        Verdict::Better => {
            // Each picture by a temperature fitted on others, so that the figures are not flattered.
            rows.push(row("calibrated", facts.temperature, &figures(&scaling.cross_fitted)));
            String::new()
        }
        verdict => format!("temperature 1, so probabilities stay as trained: {verdict}\n"),
    };
    let distances = fitted.density.distances(&validation.embeddings);
    let kept = distances.iter().filter(|&&distance| distance <= facts.distance).count();
    format!(
        "{}{told}answered up to distance {:.2}: {:.1} % of {} (embeddings of {} values, from {})\nwrote {}\n",
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
