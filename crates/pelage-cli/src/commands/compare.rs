//! `pelage compare`.

use std::path::{Path, PathBuf};

use clap::Args;
use pelage::bundle::{self, Model};
use pelage::compare::{self, Difference, Summary};
use pelage::data::catalog::Catalog;
use pelage::evaluate::{self, Embeddings, Evaluation};
use pelage::report::comparison::{Curve, comparison_svg};
use pelage::report::history::HistoryRow;
use pelage::report::png::svg_to_png;
use serde::Serialize;

use super::evaluate::score;
use super::use_threads;
use crate::failure::{Failure, Outcome, json};
use crate::table::{count, duration, table, thousands};

/// Several runs side by side, and whether their differences are more than luck
///
/// All runs are asked about the same pictures. Against the first run, each other one has its difference in accuracy with
/// the 95 % interval of a paired bootstrap, the pictures that only one of both tells right, and the p-value of McNemar's
/// exact test: how probable such a difference, or a larger one, is between two models that are equally good.
#[derive(Args)]
pub(super) struct Arguments {
    /// Run folders or model files; the first is what the others are compared with
    #[arg(required = true, num_args = 2.., value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// The pictures to compare on: an organised folder (its validation part is used), or any folder or zip of labelled
    /// pictures [default: the runs' own validation pictures]
    #[arg(long)]
    data: Option<PathBuf>,
    /// Draw validation loss and accuracy over the epochs of all runs, as .svg or .png
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// CPU threads [default: all]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    threads: usize,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// All that is said.
#[derive(Serialize)]
struct Report {
    pictures: usize,
    runs: Vec<Line>,
}

/// One run: what it tells of itself, and what it is worth on the pictures of the comparison.
#[derive(Serialize)]
struct Line {
    #[serde(flatten)]
    summary: Summary,
    accuracy: f64,
    log_loss: f64,
    /// None of the first run.
    #[serde(skip_serializing_if = "Option::is_none")]
    difference: Option<Difference>,
}

/// How a figure is written.
enum Format {
    Svg,
    Png,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let format = arguments.out.as_deref().map(format).transpose()?;
    use_threads(arguments.threads)?;
    let device = pelage::device::open("cpu")?;
    let load = |run: &PathBuf| bundle::load(run, &device);
    let models = arguments.runs.iter().map(load).collect::<pelage::Result<Vec<_>>>()?;
    let histories = arguments.runs.iter().map(|run| compare::history(run));
    let histories = histories.collect::<pelage::Result<Vec<_>>>()?;
    let catalog = match &arguments.data {
        Some(data) => evaluate::catalog(data)?,
        None => compare::common_pictures(&models.iter().map(|model| &model.facts).collect::<Vec<_>>())?,
    };
    let report = report(&arguments.runs, &models, &histories, &catalog)?;
    if let (Some(out), Some(format)) = (&arguments.out, format) {
        draw(out, format, &report, &histories)?;
    }
    if arguments.json {
        json(&report)
    } else {
        Ok(described(&report))
    }
}

fn report(
    runs: &[PathBuf],
    models: &[Model],
    histories: &[Option<Vec<HistoryRow>>],
    catalog: &Catalog,
) -> Result<Report, Failure> {
    let mut first: Option<(Vec<String>, Vec<bool>)> = None;
    let mut lines = Vec::new();
    for ((run, model), history) in runs.iter().zip(models).zip(histories) {
        let scores = score(model, catalog, Embeddings::Drop, "comparing")?;
        let evaluation = Evaluation::of(&scores);
        let right = compare::told_right(&scores);
        let difference = match &first {
            None => None,
            Some((names, _)) if *names != scores.names => {
                return Err(Failure::Failed("pictures changed while they were compared on".into()));
            }
            // Any seed will do; always the same, for the same answer.
            Some((_, first)) => Some(Difference::new(first, &right, 0)),
        };
        first.get_or_insert((scores.names, right));
        lines.push(Line {
            summary: Summary::new(run, &model.facts, history.as_deref()),
            accuracy: evaluation.accuracy,
            log_loss: evaluation.log_loss,
            difference,
        });
    }
    let pictures = first.map_or(0, |(names, _)| names.len());
    Ok(Report { pictures, runs: lines })
}

fn format(out: &Path) -> Result<Format, Failure> {
    let extension = out
        .extension()
        .map(|extension| extension.to_string_lossy().to_lowercase());
    match extension.as_deref() {
        Some("svg") => Ok(Format::Svg),
        Some("png") => Ok(Format::Png),
        _ => Err(Failure::Usage(format!(
            "--out {}: give a name that ends in .svg or .png",
            out.display()
        ))),
    }
}

fn draw(out: &Path, format: Format, report: &Report, histories: &[Option<Vec<HistoryRow>>]) -> Result<(), Failure> {
    let names = names(
        &report
            .runs
            .iter()
            .map(|line| line.summary.run.as_path())
            .collect::<Vec<_>>(),
    );
    let curves = report
        .runs
        .iter()
        .zip(histories)
        .zip(&names)
        .map(|((line, history), name)| Curve {
            name,
            history: history.as_deref().unwrap_or_default(),
            best_epoch: line.summary.best_epoch,
        });
    let title = format!(
        "{} on validation (ring and number: the epoch that was kept)",
        count(names.len(), "run")
    );
    let refused = |reason| Failure::Failed(format!("{}: cannot be drawn: {reason}", out.display()));
    let svg = comparison_svg(&title, &curves.collect::<Vec<_>>()).map_err(refused)?;
    let bytes = match format {
        Format::Svg => svg.into_bytes(),
        Format::Png => svg_to_png(&svg, 2.0).map_err(refused)?,
    };
    Ok(pelage::atomic::write(out, &bytes)?)
}

/// The last part of each path, or the whole path where that is another's too.
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

fn described(report: &Report) -> String {
    let percent = |share: f64| format!("{:.2} %", 100.0 * share);
    let rows = report.runs.iter().map(|line| {
        let own = &line.summary;
        let known = |value: Option<String>| value.unwrap_or_else(|| "-".into());
        vec![
            own.run.display().to_string(),
            own.architecture.to_string(),
            thousands(own.parameters),
            own.best_epoch.to_string(),
            known(own.epochs.map(|epochs| epochs.to_string())),
            known(own.seconds.map(duration)),
            format!("{:.4}", own.validation_loss),
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
    let signed = |share: f64| format!("{:+.2}", 100.0 * share);
    let rows = report.runs.iter().map(|line| {
        let mut row = vec![
            line.summary.run.display().to_string(),
            format!("{:.4}", line.log_loss),
            percent(line.accuracy),
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
        "accuracy",
        "difference",
        "95 % interval",
        "only first",
        "only this",
        "p",
    ];
    text += &format!(
        "on the same {}, against the first:\n",
        count(report.pictures, "picture")
    );
    text + &table(&head, 1..8, rows)
}

/// A p-value by its decimal logarithm, however small: `0.012`, `3.1e-9`, `1e-412`.
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

    #[test]
    fn runs_of_one_name_are_told_apart() {
        let paths = ["a/x", "b/x", "b/y"].map(Path::new);
        assert_eq!(names(&paths), ["a/x", "b/x", "y"]);
    }
}
