//! `pelage compare`.

use std::path::PathBuf;

use clap::Args;
use pelage::compare::{self, Line, Report};

use super::compute::Caching;
use super::evaluate::flattered;
use super::figure::Replacing;
use crate::failure::Outcome;
use crate::options::LABEL_LEVEL;
use crate::progress::Task;
use crate::table::{count, duration, fixed, signed, table, thousands};
use crate::terminal::{answer, quoted, tell};

/// Compare runs, and whether their differences are more than luck
///
/// All runs are evaluated on the same pictures: accuracy with its 95 % interval, log loss as trained and, of a
/// calibrated model, as calibrated. Each is compared with the first: the difference in accuracy with the
/// 95 % interval of a paired bootstrap, the pictures that only one of the two classifies correctly, and the p-value of
/// McNemar's exact test: the probability of such a difference, or a larger one, between two equally good models.
#[derive(Args)]
pub(super) struct Arguments {
    /// Run folders or model files; the others are compared with the first
    #[arg(required = true, num_args = 2.., value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// The pictures to compare on: an organized folder (its validation part is used, else its test part), or any
    /// folder, zip or tar of labelled pictures (all that no run was trained on) [default: the runs' own validation
    /// pictures]
    #[arg(long)]
    data: Option<PathBuf>,
    #[arg(long, value_name = "N", requires = "data", help = LABEL_LEVEL)]
    label_level: Option<usize>,
    /// Draw validation loss and accuracy over the epochs of all runs, as .svg or .png
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    replacing: Replacing,
    #[command(flatten)]
    caching: Caching,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let out = arguments.out.as_deref();
    let figure = out.map(|out| arguments.replacing.figure(out)).transpose()?;
    let (task, compute) = (Task::new(), arguments.caching.compute());
    let (data, level) = (arguments.data.as_deref(), arguments.label_level);
    let report = compare::compare(&arguments.runs, data, level, &compute, &|progress| task.show(progress));
    task.finish();
    let report = report?;
    if let Some(figure) = figure {
        let is_standard = figure.is_standard();
        figure.write(report.svg()?)?;
        if is_standard {
            tell(described(&report));
            return Ok(String::new());
        }
    }
    Ok(answer(&report, described)?)
}

fn described(report: &Report) -> String {
    let percent = |share: f64| format!("{:.2} %", 100.0 * share);
    let rows = report.runs.iter().map(|line| {
        let own = &line.summary;
        let known = |value: Option<String>| value.unwrap_or_else(|| "-".into());
        vec![
            quoted(&own.run),
            own.architecture.to_string(),
            thousands(own.parameters),
            own.best_epoch.to_string(),
            known(own.epochs.map(|epochs| epochs.to_string())),
            known(own.seconds.map(duration)),
            fixed(own.validation_loss, 4),
            percent(own.validation_accuracy),
        ]
    });
    let head = [
        "run",
        "architecture",
        "parameters",
        "best epoch",
        "epochs",
        "time",
        "validation loss",
        "accuracy",
    ];
    let mut text = table(&head, 2..8, rows);
    let signed = |share: f64| signed(100.0 * share, 2);
    let rows = report.runs.iter().map(|line| {
        let mut row = vec![
            quoted(&line.summary.run),
            fixed(line.log_loss, 4),
            calibrated(line),
            accuracy(line),
        ];
        row.extend(line.difference.map_or(["-"; 5].map(String::from), |difference| {
            let (low, high) = difference.interval;
            [
                signed(difference.accuracy),
                format!("{} to {}", signed(low), signed(high)),
                difference.only_first.to_string(),
                difference.only_this.to_string(),
                p_value(difference.log10_p),
            ]
        }));
        row
    });
    let head = [
        "run",
        "log loss",
        "calibrated",
        "accuracy (95 % interval)",
        "difference",
        "95 % interval",
        "only first",
        "only this",
        "p",
    ];
    text += &told(report);
    text += &format!("on the same {}, against the first:\n", count(report.images, "picture"));
    text + &table(&head, 1..9, rows)
}

/// Which pictures these are.
fn told(report: &Report) -> String {
    let mut text = match report.trained_out {
        0 => String::new(),
        out => format!("left out: {} that a run was trained on\n", count(out, "picture")),
    };
    if report.trained_in > 0 {
        let into = thousands(report.trained_in as u64);
        text += &format!("a run was trained on {into} of these: the figures flatter it\n");
    }
    for line in &report.runs {
        text += &flattered(line.near_copies, &format!("{}: ", quoted(&line.summary.run)));
    }
    for run in &report.unrecorded {
        text += &format!(
            "it is not recorded which of these {} was trained on: the figures may flatter it\n",
            quoted(run)
        );
    }
    text
}

/// The accuracy, with what other pictures of the same kind might give.
fn accuracy(line: &Line) -> String {
    let [low, high] = line.accuracy_interval.map(|end| 100.0 * end);
    format!("{:.2} % ({low:.1} to {high:.1})", 100.0 * line.accuracy)
}

/// The log loss after calibration; the same as before where no temperature was known to be better.
fn calibrated(line: &Line) -> String {
    let calibrated = line.calibrated.as_ref();
    calibrated.map_or_else(|| "-".into(), |calibrated| fixed(calibrated.log_loss, 4))
}

/// A p-value from its decimal logarithm, however small: `0.012`, `3.1e-9`, `1e-412`.
fn p_value(log10: f64) -> String {
    if log10 > -3.0 {
        return format!("{:.3}", 10f64.powf(log10));
    }
    let exponent = log10.floor();
    format!("{:.1}e{exponent}", 10f64.powf(log10 - exponent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_values_are_readable_however_small() {
        assert_eq!(p_value(0.0), "1.000");
        assert_eq!(p_value(0.012f64.log10()), "0.012");
        assert_eq!(p_value(3.14e-9f64.log10()), "3.1e-9");
        assert_eq!(p_value(-411.5), "3.2e-412");
    }
}
