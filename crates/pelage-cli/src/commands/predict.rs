//! `pelage predict`.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use pelage::data::Progress;
use pelage::data::capture::Capture;
use pelage::data::output::Format;
use pelage::data::source::{self, Found};
use pelage::predict::{self, UNKNOWN};
use pelage::{Model, Prediction};
use serde::Serialize;

use super::compute::Computing;
use super::written::output;
use crate::failure::{Failure, Outcome};
use crate::progress::Task;
use crate::table::{count, left_out, some, table};
use crate::terminal::{answer, is_json};

/// Classify pictures
///
/// Prints one line per file, in the order given: the classes with their probabilities, or why it could not be read. The
/// exit code is 1 if no file could be read.
#[derive(Args)]
pub(super) struct Arguments {
    /// A run folder or a model file
    run: PathBuf,
    /// Pictures, folders, zips, or - for one picture on standard input
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Write path, class, probability and the probability of every class to a CSV file, or - for standard output
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Let --csv replace a file that is no table of this command
    #[arg(long, requires = "csv")]
    force: bool,
    /// Answer "unknown" below this calibrated confidence, 0 to 1, and if a picture is too far from the training set;
    /// needs `pelage calibrate`
    #[arg(long, value_name = "CONFIDENCE")]
    reject: Option<f64>,
    /// Add to the CSV file and the JSON document when and where each picture was taken, as its EXIF data say: the
    /// camera's time, and degrees north and east
    #[arg(long)]
    exif: bool,
    /// How many classes to show, most likely first
    #[arg(long, default_value_t = 5, value_name = "N")]
    top: usize,
    #[command(flatten)]
    computing: Computing,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    if arguments.exif && arguments.csv.is_none() && !is_json() {
        return Err(Failure::usage("--exif adds to a table or a JSON document").help("give --csv FILE, or --json"));
    }
    let force = arguments.force;
    let csv = arguments.csv.as_deref();
    let csv = csv
        .map(|file| output(file, Format::Table("path,class,probability,error"), force))
        .transpose()?;
    let device = arguments.computing.compute().open()?;
    let model = Model::open_on(&arguments.run, &device, arguments.reject)?;
    let (mut predictions, mut captures, mut passed_over) = (Vec::new(), Vec::new(), Vec::new());
    for path in &arguments.paths {
        if path == Path::new("-") {
            let mut bytes = Vec::new();
            std::io::stdin()
                .lock()
                .read_to_end(&mut bytes)
                .map_err(|failure| Failure::failed(format!("standard input: {failure}")))?;
            predictions.push(model.predict_bytes("-", &bytes));
            captures.push(Capture::of(&bytes));
            continue;
        }
        // What cannot be read takes nothing else with it.
        let shown = path.display().to_string();
        let Found { entries, left_out, .. } = match source::find(path) {
            Ok(found) if found.entries.is_empty() => {
                passed_over.extend(found.left_out);
                predictions.push(Prediction::failed(shown, "there are no files in it"));
                captures.push(Capture::default());
                continue;
            }
            Ok(found) => found,
            Err(failure) => {
                predictions.push(Prediction::failed(shown, failure.reason()));
                captures.push(Capture::default());
                continue;
            }
        };
        passed_over.extend(left_out);
        let (task, total) = (Task::new(), entries.len());
        let show = &mut |done| {
            task.show(Progress {
                done,
                total,
                what: "predicting",
            })
        };
        predictions.extend(predict::predict(&model, &entries, show));
        if arguments.exif {
            captures.extend(predict::captures(&entries));
        }
        task.finish();
    }
    let captures = arguments.exif.then_some(captures);
    let unreadable = predictions
        .iter()
        .filter(|prediction| prediction.error.is_some())
        .count();
    if let Some(csv) = &csv {
        csv.write(&predict::csv(&model, &predictions, captures.as_deref())?)?;
    }
    predictions
        .iter_mut()
        .for_each(|prediction| prediction.classes.truncate(arguments.top.max(1)));
    if unreadable == predictions.len() {
        let reasons = predictions
            .iter()
            .filter_map(|one| Some(format!("{}: {}", one.path, one.error.as_ref()?)));
        let reasons: Vec<_> = reasons.collect();
        let found = format!(
            "no picture could be read\n{}{}",
            some(reasons.into_iter(), 5),
            left_out(&passed_over)
        );
        return Err(Failure::failed(found.trim_end().to_string()));
    }
    if csv.is_some_and(|csv| csv.is_standard()) {
        return Ok(String::new());
    }
    let calibrated = match model.judge.temperature() {
        None => String::new(),
        // Its calibration tells how far a picture is from training, and no more.
        Some(1.0) => "probabilities are as trained: no temperature was known to make them better\n".into(),
        Some(temperature) => format!("probabilities are calibrated (temperature {temperature:.3})\n"),
    };
    if let (true, Some(captures)) = (is_json(), captures) {
        let taken = predictions.iter().zip(&captures).map(Taken::of);
        return Ok(answer(&taken.collect::<Vec<_>>(), |_| String::new())?);
    }
    Ok(answer(&predictions, |predictions| {
        described(&model, predictions, unreadable) + &calibrated + &left_out(&passed_over)
    })?)
}

/// A prediction, and when and where its picture was taken.
#[derive(Serialize)]
struct Taken<'a> {
    #[serde(flatten)]
    prediction: &'a Prediction,
    taken: Option<String>,
    latitude: Option<f64>,
    longitude: Option<f64>,
}

impl<'a> Taken<'a> {
    fn of((prediction, capture): (&'a Prediction, &Capture)) -> Self {
        let place = capture.place();
        Taken {
            prediction,
            taken: capture.time(),
            latitude: place.map(|place| place[0]),
            longitude: place.map(|place| place[1]),
        }
    }
}

/// The predictions as text.
pub(super) fn described(model: &Model, predictions: &[Prediction], unreadable: usize) -> String {
    let percent = |&(ref class, probability): &(String, f32)| format!("{class} {:.1} %", 100.0 * probability);
    let rows = predictions.iter().map(|prediction| {
        let (answer, rest) = match (&prediction.error, &prediction.doubt) {
            (Some(reason), _) => ("-".into(), reason.clone()),
            (None, Some(doubt)) => {
                let seen: Vec<_> = prediction.classes.iter().map(percent).collect();
                (UNKNOWN.into(), format!("{doubt}; {}", seen.join(", ")))
            }
            (None, None) => {
                let others: Vec<_> = prediction.classes.iter().skip(1).map(percent).collect();
                let first = prediction.classes.first().map(percent).unwrap_or_default();
                (first, others.join(", "))
            }
        };
        vec![prediction.path.clone(), answer, rest]
    });
    let mut text = table(&["picture", "class", "others"], 0..0, rows);
    let doubted = predictions.iter().any(|prediction| prediction.doubt.is_some());
    let named = model.facts.classes.iter().map(String::as_str);
    let mut totals: Vec<_> = named
        .chain(doubted.then_some(UNKNOWN))
        .map(|name| (name, 0usize))
        .collect();
    for answer in predictions.iter().filter_map(Prediction::answer) {
        if let Some((_, total)) = totals.iter_mut().find(|(name, _)| *name == answer) {
            *total += 1;
        }
    }
    if predictions.len() > 1 {
        let totals: Vec<_> = totals.iter().map(|(class, total)| format!("{class} {total}")).collect();
        text += &format!("{}: {}", count(predictions.len(), "picture"), totals.join(", "));
        text += &if unreadable > 0 {
            format!(", unreadable {unreadable}\n")
        } else {
            "\n".into()
        };
    }
    text
}
