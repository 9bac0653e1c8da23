//! `pelage evaluate`.

use std::path::{Path, PathBuf};

use clap::Args;
use console::Term;
use pelage::data::output::Format;
use pelage::evaluate::metrics::wilson;
use pelage::evaluate::rejection::Rejection;
use pelage::evaluate::{self, Calibrated, Evaluation, Labelled, NearCopies, Report, Wanted};
use pelage::quantize;

use super::compute::{Caching, Precise};
use super::written::output;
use crate::failure::Outcome;
use crate::options::LABEL_LEVEL;
use crate::progress::Task;
use crate::table::{count, fits, fixed, grid, left_out, some, table, thousands};
use crate::terminal::{answer, columns, quoted};

/// Evaluate a model on labelled pictures
///
/// Prints loss, accuracy, area under the ROC curve, precision, recall and F1 of each class, and the confusion matrix;
/// for a calibrated model also the quality of its probabilities after calibration.
#[derive(Args)]
pub(super) struct Arguments {
    /// A run folder or a model file
    run: PathBuf,
    /// An organized folder (its validation part is used, else its test part; never its training part), or any folder,
    /// zip or tar of labelled pictures (all that the run was not trained on) [default: those that it was validated on]
    data: Option<PathBuf>,
    #[arg(long, value_name = "N", requires = "data", help = LABEL_LEVEL)]
    label_level: Option<usize>,
    /// Also score the pictures that the run was trained on, where DATA has no parts
    #[arg(long, requires = "data")]
    with_training: bool,
    /// Answer "unknown" below this calibrated confidence, 0 to 1, and if a picture is too far from the training set;
    /// shows the accuracy of the other answers, and at several coverages. Needs `pelage calibrate`
    #[arg(long, value_name = "CONFIDENCE")]
    reject: Option<f64>,
    #[command(flatten)]
    precise: Precise,
    #[command(flatten)]
    caching: Caching,
    /// Write the confusion matrix to a CSV file, or - for standard output
    #[arg(long, value_name = "FILE")]
    confusion: Option<PathBuf>,
    /// Let --confusion replace a file that is no confusion matrix, or a run's own
    #[arg(long, requires = "confusion")]
    force: bool,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let confusion = arguments.confusion.as_deref();
    let confusion = confusion
        .map(|file| output(file, Format::Table("class,called "), arguments.force))
        .transpose()?;
    let (task, compute) = (Task::new(), arguments.caching.compute());
    let show = |progress| task.show(progress);
    let level = arguments.label_level;
    let wanted = match arguments.data.as_deref().map(|path| Labelled { path, level }) {
        None => Wanted::Validated,
        Some(data) if arguments.with_training => Wanted::All(data),
        Some(data) => Wanted::Unseen(data),
    };
    let (run, device, precision) = (&arguments.run, compute.open()?, arguments.precise.precision);
    let report = quantize::open(run, &device, arguments.reject, precision)
        .and_then(|model| evaluate::of(&model, run, wanted, &compute, &show));
    task.finish();
    let report = report?;
    if let Some(file) = confusion {
        file.write(&report.evaluation.confusion_csv()?)?;
        if file.is_standard() {
            return Ok(String::new());
        }
    }
    let data = arguments.data.as_deref();
    Ok(answer(&report, |report| everything(report, data))?)
}

fn everything(report: &Report, data: Option<&Path>) -> String {
    let mut text = told(report, data);
    text += &described(&report.evaluation);
    if report.is_grouped {
        text += &format!("{GROUPED}\n");
    }
    let scaled = report
        .calibrated
        .as_ref()
        .filter(|calibrated| calibrated.temperature != 1.0);
    text += &scaled.map_or(String::new(), described_calibrated);
    if scaled.is_some() && data.is_none() {
        text += "(the temperature was fitted on these pictures, unless `pelage calibrate` was given others; what it \
                 printed then, from folds, flatters less)\n";
    }
    text += &report.rejection.as_ref().map_or(String::new(), described_rejection);
    text + &left_out(&report.left_out)
}

/// Which pictures these are.
fn told(report: &Report, data: Option<&Path>) -> String {
    let data = data.map(quoted);
    let (out, into) = (report.trained_out, report.trained_in);
    let mut text = match (report.part, data) {
        (_, None) => "the pictures that the run was validated on\n".to_string(),
        (Some(part), Some(data)) => format!("{} part of {data}\n", part.name()),
        (None, Some(data)) if out > 0 => format!(
            "of {data} those that the run was not trained on; {} it was are left out (`--with-training` takes all)\n",
            count(out, "picture") + " that"
        ),
        (None, Some(data)) => format!("all of {data}, which has no validation part\n"),
    };
    if report.unrecorded {
        text += "it is not recorded which of these the model was trained on: the figures may flatter it\n";
    }
    if into > 0 {
        text += &format!(
            "the run was trained on {} of these: the figures flatter it\n",
            thousands(into as u64)
        );
    }
    text + &flattered(report.near_copies, "")
}

/// What an interval over pictures takes no notice of.
pub(super) const GROUPED: &str =
    "the pictures of a group are alike, and the interval takes each for itself: it is too narrow";

/// That a figure is flattered, where it is; `whose` says of which run.
pub(super) fn flattered(near_copies: Option<NearCopies>, whose: &str) -> String {
    match near_copies {
        None | Some(NearCopies { found: 0, .. }) => String::new(),
        Some(NearCopies { found, of }) => format!("flattered: {whose}{} in training\n", near(found, of)),
    }
}

/// `3 of 40 validation pictures have near copies`.
pub(super) fn near(found: usize, images: usize) -> String {
    let has = if found == 1 {
        "has a near copy"
    } else {
        "have near copies"
    };
    let images = count(images, "validation picture");
    format!("{} of {images} {has}", thousands(found as u64))
}

fn described_calibrated(calibrated: &Calibrated) -> String {
    format!(
        "calibrated (temperature {:.3}): log loss {}, Brier score {:.4}, calibration error {:.2} %\n",
        calibrated.temperature,
        fixed(calibrated.log_loss, 4),
        calibrated.brier_score,
        100.0 * calibrated.expected_calibration_error
    )
}

fn described_rejection(rejection: &Rejection) -> String {
    let percent = |share: f64| format!("{:.2} %", 100.0 * share);
    let rows = rejection.coverage.iter().map(|at| {
        let threshold = format!("{:.4}", at.threshold);
        vec![percent(at.coverage), threshold, percent(at.accuracy)]
    });
    format!(
        "answered {}, accuracy {}; unknown {}: {} not sure enough, {} too far from training\n{}\
         area under accuracy over coverage, by confidence alone: {:.4}\n",
        count(rejection.answered, "picture"),
        percent(rejection.accuracy),
        thousands((rejection.unsure + rejection.far) as u64),
        thousands(rejection.unsure as u64),
        thousands(rejection.far as u64),
        table(&["coverage", "from confidence", "accuracy"], 0..3, rows),
        rejection.area_under_coverage
    )
}

/// The largest number of classes that are all shown.
const MATRIX: usize = 20;
/// Number of classes, or pairs of these, that are shown of more.
const WORST: usize = 10;

/// Numbers of pictures by what they are and what they were called.
fn matrix(evaluation: &Evaluation) -> String {
    let called = evaluation.classes.iter().map(|class| format!("called {}", class.name));
    let names: Vec<_> = std::iter::once("confusion matrix".to_string()).chain(called).collect();
    let head: Vec<_> = names.iter().map(String::as_str).collect();
    let rows = evaluation.classes.iter().zip(&evaluation.confusion_matrix);
    let rows = rows.map(|(class, row)| {
        let numbers = row.iter().map(|number| thousands(*number as u64));
        std::iter::once(format!("is {}", class.name)).chain(numbers).collect()
    });
    grid(&head, 1..head.len(), rows)
}

/// The pairs of classes that are confused most, where the matrix cannot be read.
fn confused(evaluation: &Evaluation) -> String {
    let pairs = evaluation.most_confused();
    let name = |class: usize| evaluation.classes[class].name.clone();
    let rows = pairs.iter().take(WORST).map(|pair| {
        let of = evaluation.classes[pair.label].support;
        let count = format!("{} of {}", thousands(pair.count as u64), thousands(of as u64));
        vec![name(pair.label), name(pair.predicted), count]
    });
    let more = pairs.len().saturating_sub(WORST);
    let more = match more {
        0 => String::new(),
        more => format!(
            "and {} more; the whole matrix: `--confusion FILE.csv`\n",
            count(more, "pair")
        ),
    };
    match pairs.is_empty() {
        true => String::new(),
        false => table(&["most confused: is", "called", "pictures"], 2..3, rows) + &more,
    }
}

/// An accuracy on so many pictures, with its interval.
pub(super) fn accuracy(share: f64, images: usize) -> String {
    let [low, high] = wilson(share, images).map(|end| 100.0 * end);
    format!(
        "accuracy {:.2} % (95 % interval {low:.1} to {high:.1} %)",
        100.0 * share
    )
}

/// The evaluation as text.
pub(super) fn described(evaluation: &Evaluation) -> String {
    let mut text = format!(
        "{}: {}, log loss {}{}, Brier score {:.4}, calibration error {:.2} %\n",
        count(evaluation.images, "picture"),
        accuracy(evaluation.accuracy, evaluation.images),
        fixed(evaluation.log_loss, 4),
        evaluation.auc.map_or(String::new(), |auc| format!(", AUC {auc:.4}")),
        evaluation.brier_score,
        100.0 * evaluation.expected_calibration_error,
    );
    text += &format!(
        "always the most frequent class: accuracy {:.2} %",
        100.0 * evaluation.majority_share
    );
    text += &match evaluation.is_uneven() {
        true => format!(
            "; balanced accuracy of this model {:.2} %\n",
            100.0 * evaluation.balanced_accuracy
        ),
        false => "\n".into(),
    };
    let mut classes: Vec<_> = evaluation.classes.iter().zip(evaluation.called()).collect();
    let left_out = classes.len().saturating_sub(MATRIX);
    if left_out > 0 {
        classes.sort_by(|(a, _), (b, _)| (a.support == 0).cmp(&(b.support == 0)).then(a.f1.total_cmp(&b.f1)));
        classes.truncate(WORST);
    }
    let rows = classes.into_iter().map(|(class, called)| {
        let shares = class.known(called);
        let shares = shares.map(|share| share.map_or("-".into(), |share| format!("{share:.4}")));
        [
            vec![class.name.clone()],
            shares.to_vec(),
            vec![thousands(class.support as u64)],
        ]
        .concat()
    });
    text += &table(&["class", "precision", "recall", "F1", "pictures"], 1..5, rows);
    if left_out > 0 {
        let all = evaluation.classes.len();
        text += &format!("the {WORST} classes of {all} with the lowest F1; all of them: `--json`, `pelage report`\n");
    }
    text += &match matrix(evaluation) {
        matrix
            if evaluation.classes.len() <= MATRIX && fits(&matrix, columns(&Term::stdout()).unwrap_or(usize::MAX)) =>
        {
            matrix
        }
        _ => confused(evaluation),
    };
    if !evaluation.unreadable.is_empty() {
        text += &format!(
            "{} could not be read, not counted here:\n",
            count(evaluation.unreadable.len(), "file")
        );
        text += &some(
            evaluation
                .unreadable
                .iter()
                .map(|one| format!("{}: {}", one.path, one.reason)),
            10,
        );
    }
    text
}
