//! `pelage predict`.

mod answers;
mod inputs;

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use pelage::Model;
use pelage::data::Progress;
use pelage::data::growing::{Found, Growing, Opened};
use pelage::data::output::{Format, Output};
use pelage::data::shard::Shard;
use pelage::data::shown;
use pelage::predict::{self, BATCH};
use pelage::quantize;

use super::compute::{Computing, Precise};
use super::written::{all_there, earlier, output};
use crate::failure::{Failure, Outcome};
use crate::progress::Task;
use crate::signals;
use crate::terminal::{is_json, quoted};
use answers::Answers;
pub(super) use answers::described;
use inputs::Input;

/// What a table of predictions begins with.
pub(super) const HEADING: &str = "path,class,probability,error";

/// Classify pictures
///
/// Prints one line per file, in the order given: the classes with their probabilities, or why it could not be read.
/// The exit code is 1 if no file could be read, or one that is named here is not there. Of very many pictures, a
/// table by --csv is written as it comes, and goes on by --resume after an interruption; --shard lets several
/// processes share the work.
#[derive(Args)]
pub(super) struct Arguments {
    /// A run folder or a model file
    run: PathBuf,
    /// Pictures, folders, zips, tars, or - for one picture on standard input
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Write path, class, probability and the probability of every class to a CSV file, or - for standard output
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Let --csv replace a file that is no table of this command, or an unfinished one
    #[arg(long, requires = "csv")]
    force: bool,
    /// Only part I of N, by the order of the pictures: 1/8 to 8/8; `pelage merge` puts the tables together
    #[arg(long, value_name = "I/N", requires = "csv")]
    shard: Option<Shard>,
    /// Go on with the table of an interrupted call; begin where there is none, and do nothing where it is whole
    #[arg(long, requires = "csv", conflicts_with = "force")]
    resume: bool,
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
    precise: Precise,
    #[command(flatten)]
    computing: Computing,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    if arguments.exif && arguments.csv.is_none() && !is_json() {
        return Err(Failure::usage("--exif adds to a table or a JSON document").help("give --csv FILE, or --json"));
    }
    if arguments.resume && is_json() {
        return Err(
            Failure::usage("a JSON document would not hold what was predicted before").help("leave --json out"),
        );
    }
    let csv = arguments.csv.as_deref();
    let csv = csv
        .map(|file| output(file, Format::Table(HEADING), arguments.force))
        .transpose()?;
    let device = arguments.computing.compute().open()?;
    let model = quantize::open(&arguments.run, &device, arguments.reject, arguments.precise.precision)?;
    let (inputs, passed_over) = inputs::find(&arguments.paths)?;
    let own = &inputs[arguments.shard.unwrap_or(Shard::WHOLE).range(inputs.len())];
    let mut answers = Answers::new(&model, arguments.top, csv.as_ref());
    let (mut rows, done) = match &csv {
        None => (Rows::Nowhere, 0),
        Some(csv) => match open(arguments, &model, &inputs, own, csv, &mut answers)? {
            Some(opened) => opened,
            None => return Ok(format!("{} is whole already\n", quoted(csv.path()))),
        },
    };
    let (task, total) = (Task::new(), own.len());
    for (chunk, first) in own[done..].chunks(BATCH).zip((done..).step_by(BATCH)) {
        let predictions = model.predict_each(chunk, Input::name, Input::prepared);
        let captures = arguments.exif.then(|| inputs::captures(chunk));
        rows.add(|| predict::rows(&model, &predictions, captures.as_deref()))?;
        if matches!(rows, Rows::Enough) {
            task.finish();
            return Ok(String::new());
        }
        answers.add(predictions, captures);
        task.show(Progress {
            done: first + chunk.len(),
            total,
            what: "predicting",
        });
        if let (Rows::Growing(_), Some(signal)) = (&rows, signals::interrupted()) {
            task.finish();
            let kept = "interrupted; what was predicted is kept, and the same call with `--resume` goes on";
            return Err(Failure::interrupted(signal, kept));
        }
    }
    task.finish();
    rows.finish()?;
    let told = answers.told(&passed_over)?;
    let missing = own.iter().filter(|input| input.is_missing()).map(Input::name);
    all_there(told, missing.collect())
}

/// Where rows go.
enum Rows<'a> {
    Nowhere,
    /// To standard output, a pipe or a device.
    Through(Box<dyn Write>, &'a Output),
    /// Whoever reads them has enough.
    Enough,
    Growing(Growing),
}

impl Rows<'_> {
    fn add(&mut self, rows: impl FnOnce() -> pelage::Result<Vec<u8>>) -> Result<(), Failure> {
        match self {
            Rows::Nowhere | Rows::Enough => Ok(()),
            Rows::Through(to, csv) => {
                let rows = rows()?;
                match to.write_all(&rows).and_then(|()| to.flush()) {
                    Err(failure) if csv.is_enough(&failure) => {
                        *self = Rows::Enough;
                        Ok(())
                    }
                    Err(failure) => Err(Failure::failed(format!("{}: {failure}", shown::path(csv.path())))),
                    Ok(()) => Ok(()),
                }
            }
            Rows::Growing(growing) => Ok(growing.add(&rows()?)?),
        }
    }

    fn finish(self) -> Result<(), Failure> {
        match self {
            Rows::Growing(growing) => Ok(growing.finish()?),
            Rows::Nowhere | Rows::Through(..) | Rows::Enough => Ok(()),
        }
    }
}

/// Opens the table, for the inputs that are its `own` among all; how many rows it has. None where it is whole.
fn open<'a>(
    arguments: &Arguments,
    model: &Model,
    all: &[Input],
    own: &[Input],
    csv: &'a Output,
    answers: &mut Answers,
) -> Result<Option<(Rows<'a>, usize)>, Failure> {
    let heading = predict::heading(model, arguments.exif)?;
    let is_kept = arguments.resume || arguments.shard.is_some();
    let Some(file) = csv.file() else {
        if is_kept {
            return Err(Failure::usage("--shard and --resume want a file to go on with").help("give --csv FILE"));
        }
        let mut rows = Rows::Through(csv.through()?, csv);
        rows.add(|| Ok(heading))?;
        return Ok(Some((rows, 0)));
    };
    if is_kept && all.iter().any(|input| matches!(input, Input::Standard(_))) {
        return Err(Failure::usage("standard input cannot be read again").help("leave --shard and --resume out"));
    }
    let earlier = earlier(arguments.resume, arguments.force);
    signals::stop_on_signal();
    let names = all.iter().map(Input::name);
    let shard = arguments.shard.unwrap_or(Shard::WHOLE);
    let computing = [
        ("device", arguments.computing.compute().device),
        ("exif", arguments.exif.to_string()),
        (
            "reject",
            arguments.reject.map_or("none".into(), |least| least.to_string()),
        ),
    ];
    let origin = predict::origin(model, &computing, names, shard)?;
    let opened = Growing::open(file, &heading, origin, earlier, is_kept, &mut |row, cells| {
        let name = own.get(row).map(|input| predict::path_cell(&input.name()));
        if name.is_none() || name.as_deref() != cells.get(0) {
            return Found::Unexpected;
        }
        answers.count(cells.get(1).unwrap_or_default(), cells.get(3).unwrap_or_default());
        Found::Expected
    })?;
    Ok(match opened {
        Opened::Whole => None,
        Opened::From(done, growing) => Some((Rows::Growing(growing), done)),
    })
}
