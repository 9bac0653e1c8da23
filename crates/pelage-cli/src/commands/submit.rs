//! `pelage submit`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use pelage::data::output::Format;
use pelage::submit::write::Submission;
use pelage::submit::{self, Columns, Layout, Unreadable};
use serde::Serialize;

use super::compute::Computing;
use super::written::output;
use crate::failure::Outcome;
use crate::progress::Task;
use crate::table::{count, thousands};
use crate::terminal::{answer, quoted, tell};

/// Write a Kaggle submission: an id and a probability, or a class, for every picture of a test set
///
/// An id is the number in a picture's file name, and lines are in numeric order; `--sample` takes ids and columns
/// from a competition's template instead, and is needed where names are no numbers. A calibrated model's
/// temperature is used. With `--reject` a picture that is "unknown" gets equal probabilities (0.5 for two classes),
/// since Kaggle wants a value for every id; with `--label class` it keeps the most likely class. A file that Kaggle
/// would refuse is not written: with a duplicated id, or one without a picture.
#[derive(Args)]
pub(super) struct Arguments {
    /// A run folder or a model file
    run: PathBuf,
    /// The test set: a folder, a zip or a tar
    source: PathBuf,
    /// The file to write, or - for standard output
    #[arg(long, value_name = "FILE", default_value = "submission.csv")]
    out: PathBuf,
    /// Replace a file that is no table with these columns
    #[arg(long)]
    force: bool,
    /// Take ids, their order and the columns from this template: an id, and one more column or one for each class; ids
    /// are paths in the source, file names, or these without extension
    #[arg(long, value_name = "FILE")]
    sample: Option<PathBuf>,
    /// What to write beside the id [default: probability, or what the template holds]
    #[arg(long)]
    label: Option<Label>,
    /// The class whose probability is written [default: the second of two]
    #[arg(long, value_name = "CLASS")]
    positive: Option<String>,
    /// Clip probabilities to CLIP to 1 - CLIP, so that no single mistake costs too much log loss [default: 0.01 divided
    /// by the number of classes: 0.005 for two]
    #[arg(long)]
    clip: Option<f64>,
    /// Treat answers below this calibrated confidence, 0 to 1, and pictures too far from the training set as unknown;
    /// needs `pelage calibrate`
    #[arg(long, value_name = "CONFIDENCE")]
    reject: Option<f64>,
    /// Give unreadable pictures equal probabilities (or the first class) instead of refusing
    #[arg(long)]
    fill_unreadable: bool,
    #[command(flatten)]
    computing: Computing,
}

#[derive(Clone, Copy, ValueEnum)]
enum Label {
    /// The probability of one class
    Probability,
    /// The name of the most likely class
    Class,
}

/// What was written.
#[derive(Serialize)]
struct Written {
    file: PathBuf,
    columns: String,
    #[serde(rename = "pictures")]
    images: usize,
    clip: Option<f64>,
    temperature: Option<f64>,
    unknown: usize,
    unreadable: usize,
}

pub(super) fn run(arguments: Arguments) -> Outcome {
    let (task, compute) = (Task::new(), arguments.computing.compute());
    let heading = submit::heading(arguments.sample.as_deref())?;
    let out = output(&arguments.out, Format::Table(&heading), arguments.force)?;
    let submission = Submission {
        run: arguments.run,
        source: arguments.source,
        sample: arguments.sample,
        label: arguments.label.map(|label| match label {
            Label::Probability => submit::Label::Probability,
            Label::Class => submit::Label::Class,
        }),
        positive: arguments.positive,
        clip: arguments.clip,
        reject: arguments.reject,
        unreadable: match arguments.fill_unreadable {
            true => Unreadable::Fill,
            false => Unreadable::Refuse,
        },
    };
    let written = submission.write(&out, &compute, &|progress| task.show(progress));
    task.finish();
    let submit::write::Written {
        layout,
        classes,
        clip,
        temperature,
        unknown,
        unreadable,
    } = written?;
    let written = Written {
        file: arguments.out,
        columns: described_columns(&layout, &classes),
        images: layout.images.len(),
        clip,
        temperature,
        unknown,
        unreadable,
    };
    if out.is_standard() {
        tell(described(&written));
        Ok(String::new())
    } else {
        Ok(answer(&written, described)?)
    }
}

fn described_columns(layout: &Layout, classes: &[String]) -> String {
    let header = layout.header.join(", ");
    match &layout.columns {
        Columns::Probability(class) => format!("{header} (probability of {})", classes[*class]),
        Columns::Class => format!("{header} (name of the class)"),
        Columns::EachClass(_) => format!("{header} (probability of each class)"),
    }
}

fn described(written: &Written) -> String {
    let images = count(written.images, "picture");
    let mut text = format!("wrote {}: {images}, {}", quoted(&written.file), written.columns);
    if let Some(clip) = written.clip {
        text += &format!(" from {clip} to {}", 1.0 - clip);
    }
    if let Some(temperature) = written.temperature.filter(|temperature| *temperature != 1.0) {
        text += &format!(", calibrated (temperature {temperature:.3})");
    }
    for (number, what) in [(written.unknown, "unknown"), (written.unreadable, "unreadable")] {
        if number > 0 {
            text += &format!("; {} {what}", thousands(number as u64));
        }
    }
    text + "\n"
}
