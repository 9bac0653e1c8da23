//! `pelage train`.

mod arguments;
mod flags;
mod folds;
mod lines;
mod ranks;
pub(super) mod rate;
mod settings;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Parser;
use pelage::runs::{Extension, fine_tune, free_folder};
use pelage::train::advice::{self, Advice, Majority};
use pelage::train::forecast::Forecast;
use pelage::train::history::HistoryRow;
use pelage::train::ranks::Ranks;
use pelage::train::{EndReason, Outcome as Trained, Samples, loss};
use pelage::{Config, Model, Recipe, Run};

use super::evaluate::{GROUPED, accuracy, near};
use crate::failure::{Failure, Outcome};
use crate::progress::{self, Detail, Task};
use crate::signals::{end_on_signal, interrupted, stop_on_signal};
use crate::table::{count, duration, fixed, left_out, some, thousands};
use crate::terminal::{is_json, quoted, tell};
use crate::usage;
pub(super) use arguments::config;
use arguments::extension;
pub(super) use arguments::{Arguments, Choosing};
pub(super) use lines::Lines;

/// What the arguments of `pelage train` ask for.
#[derive(Debug)]
pub enum Training {
    /// A new run, in this folder or in one of the next free name.
    New(Box<Config>, Option<PathBuf>),
    /// The run in this folder goes on.
    Resumed(PathBuf, Box<Extension>),
}

/// A command line that has nothing but these arguments.
#[derive(Parser)]
#[command(name = "pelage train")]
struct Alone {
    #[command(flatten)]
    arguments: Arguments,
}

/// Reads the arguments of `pelage train`, without the verb, and trains nothing.
///
/// # Errors
/// Wrong usage, as on the command line; what takes several runs: `--folds`, `--fine-tune`, `--learning-rate auto`.
pub fn training(arguments: Vec<OsString>) -> Result<Training, Failure> {
    let name = std::iter::once("pelage train".into());
    let Alone { arguments } = usage::parse(name.chain(arguments).collect()).map_err(|told| {
        told.err()
            .unwrap_or_else(|| Failure::usage("only settings are read here"))
    })?;
    if let Some(folder) = &arguments.resume {
        return Ok(Training::Resumed(folder.clone(), Box::new(extension(&arguments)?)));
    }
    if let Some(option) = arguments.of_several_runs() {
        return Err(
            Failure::usage(format!("{option} takes more than one run")).help("the command `pelage train` has it")
        );
    }
    Ok(Training::New(Box::new(config(&arguments)?), arguments.out))
}

pub(super) fn run(arguments: Arguments) -> Outcome {
    ranks::among(|ranks| {
        ranks::check(&arguments, ranks)?;
        match ranks.is_first() {
            true => first(&arguments, ranks),
            false => ranks::joined(&arguments, ranks),
        }
    })
}

/// As the only process, or the first of several.
fn first(arguments: &Arguments, ranks: &Ranks) -> Outcome {
    let lines = Lines::asked();
    if let Some(folder) = &arguments.resume {
        let task = Task::new();
        let run = Run::resume(folder, extension(arguments)?, &|progress| task.show(progress));
        task.finish();
        let (run, was_calibrated) = (run.map_err(failed)?, is_calibrated(folder));
        let ended = ended(&run, lines, ranks);
        if was_calibrated && !is_calibrated(folder) {
            let folder = quoted(folder);
            tell(format_args!(
                "note: the calibration was of the weights before, and is gone with them: `pelage calibrate {folder}`\n"
            ));
        }
        return ended;
    }
    let mut config = config(arguments)?;
    config.recipe.check_together(ranks.size())?;
    if arguments.finds_rate() && arguments.transferring.fine_tune {
        let told = "--learning-rate auto finds one rate, and --fine-tune trains by two";
        return Err(Failure::usage(told).help("give --learning-rate RATE"));
    }
    // Claimed before minutes of decoding, and kept from others until the run itself keeps it.
    let (_claimed, folder) = match &arguments.out {
        Some(out) => (None, out.clone()),
        None => {
            let claimed = free_folder(Path::new("runs"), &config.recipe)?;
            let folder = claimed.to_path_buf();
            (Some(claimed), folder)
        }
    };
    if let Some(count) = arguments.folds {
        return folds::run(config, usize::from(count), &folder, arguments, lines);
    }
    if arguments.finds_rate() {
        // Another's run is refused before the test, not after it.
        let _lock = Run::reserve(&folder).map_err(failed)?;
        config.recipe.learning_rate = rate::found(&config)?;
    }
    let again = again(&folder);
    let run = created(config, &folder, arguments.transferring.fine_tune, &again, lines)?;
    ended(&run, lines, ranks)
}

/// Whether the model of a run has a calibration, which better weights do not take over.
fn is_calibrated(run: &Path) -> bool {
    Model::open(run).is_ok_and(|model| model.judge.calibration().is_some())
}

/// How to go on with what is not yet a run that can be resumed.
fn again(folder: &Path) -> String {
    format!(
        "interrupted; the same command with `--out {}` resumes\n",
        quoted(folder)
    )
}

/// The run by `config` in `folder`, whose head has been trained first where everything is to be fine-tuned.
fn created(mut config: Config, folder: &Path, fine_tune: bool, again: &str, lines: Lines) -> Result<Run, Failure> {
    let task = Task::new();
    let show = |progress| task.show(progress);
    if fine_tune {
        let (head, whole) = fine_tune::head_first(config, folder, &show).map_err(failed)?;
        config = whole;
        task.finish();
        if let Some(head) = head {
            tell(described(
                &head,
                &trained(&head, Some(again.into()), lines, &Ranks::alone())?,
            ));
        }
    }
    let run = Run::create(config, folder, &show);
    task.finish();
    run.map_err(failed)
}

/// Trains `run`; its description is the result, or where lines are wanted, these are.
fn ended(run: &Run, lines: Lines, ranks: &Ranks) -> Outcome {
    let described = described(run, &trained(run, None, lines, ranks)?);
    match is_json() {
        true => {
            tell(described);
            lines.end()
        }
        false => Ok(described),
    }
}

/// The error of opening a run, with what to type where the folder is in the way.
fn failed(error: pelage::Error) -> Failure {
    match &error {
        pelage::Error::Folder { path, .. } if path.join("config.toml").exists() => Failure::usage(error.to_string())
            .help(format!("`pelage train --resume {}`, or another --out", quoted(path))),
        _ => error.into(),
    }
}

/// Trains `run` under progress bars, and describes the result.
pub(super) fn train(run: &Run, lines: Lines) -> Outcome {
    Ok(described(run, &trained(run, None, lines, &Ranks::alone())?))
}

/// Trains `run`; where a signal ends it, the failure says how to go on: by `again`, or by resuming it.
fn trained(run: &Run, again: Option<String>, lines: Lines, ranks: &Ranks) -> Result<Trained, Failure> {
    tell(format_args!("{}\n", run.describe()));
    if !ranks.is_alone() {
        let size = ranks.size();
        tell(format_args!(
            "{size} processes train together, each on its part of every batch\n"
        ));
    }
    lines.started(run);
    let Recipe { model, transfer, .. } = &run.config.recipe;
    if transfer.is_none() && model.is_backbone() {
        let (name, data) = (model.name(), quoted(run.config.shown_data()));
        let note = format!(
            "note: {name} starts from random weights, and needs many pictures; from pretrained ones: `pelage train \
             {data} --backbone {name}`\n"
        );
        lines.note(&note);
        tell(note);
    }
    let unreadable = || {
        run.data
            .train
            .unreadable()
            .iter()
            .chain(run.data.validation.unreadable())
    };
    let skipped: Vec<_> = unreadable()
        .map(|one| format!("{}: {}", one.path, one.reason))
        .collect();
    if !skipped.is_empty() {
        let listed = run.folder.join("unreadable.csv");
        tell(format_args!(
            "{} skipped, see {}:\n{}",
            count(skipped.len(), "file"),
            quoted(&listed),
            some(skipped.into_iter(), 5)
        ));
    }
    tell(left_out(run.data.train.left_out()));
    if run.added > 0 {
        let added = count(run.added, "picture");
        tell(format_args!(
            "{added} added since the run began: it goes on without them\n"
        ));
    }
    // What is told at the end is looked for here, where it can fail.
    let advice = run.advice()?;
    if run.complete.is_none() {
        for advice in advice {
            let note = advised(&advice, run);
            lines.note(&note);
            tell(note);
        }
        // What one process takes says little of several.
        if !run.config.recipe.is_solved() && ranks.is_alone() {
            let forecast = run.forecast()?;
            lines.forecast(&forecast, run.config.recipe.epochs);
            tell(forecasted(&forecast, &run.config.recipe));
        }
    }
    stop_on_signal();
    let detail = match run.data.train {
        Samples::Images(_) => Detail::EachEpoch,
        Samples::Features(_) => Detail::Whole,
    };
    let mut display = progress::Training::new(detail);
    let train = || {
        run.train_among(ranks, &mut |event| {
            lines.observe(event);
            display.observe(event)
        })
    };
    // Here too, so that what is on the screen is finished.
    let trained = pelage::device::caught(train).and_then(|trained| trained);
    end_on_signal();
    display.finish();
    let trained = trained.map_err(|failure| stopped(failure, run))?;
    lines.finished(run, &trained);
    match (trained.reason, interrupted()) {
        (EndReason::Interrupted, Some(signal)) => {
            let kept = again.unwrap_or_else(|| described(run, &trained));
            Err(Failure::interrupted(signal, kept))
        }
        _ => Ok(trained),
    }
}

/// The failure of a run; where a device failed, what was trained before is kept.
fn stopped(error: pelage::Error, run: &Run) -> Failure {
    let of_device = matches!(error, pelage::Error::Device { .. } | pelage::Error::DeviceMemory { .. });
    let failure = Failure::from(error);
    match of_device {
        true => failure.help(format!(
            "`pelage train --resume {}` goes on from the last checkpoint, also on another device",
            quoted(&run.folder)
        )),
        false => failure,
    }
}

/// How long the run will take, in one line.
fn forecasted(forecast: &Forecast, recipe: &Recipe) -> String {
    format!(
        "forecast: {:.0} images/s, {} an epoch, {} for {} at most{}\n",
        forecast.train_images_per_second,
        duration(forecast.epoch_seconds),
        duration(forecast.total_seconds),
        count(recipe.epochs, "epoch"),
        if recipe.patience > 0 {
            " (early stopping may end it sooner)"
        } else {
            ""
        }
    )
}

/// A piece of advice in one line.
fn advised(advice: &Advice, run: &Run) -> String {
    match advice {
        Advice::Leaked { leaked, images } => format!(
            "note: {} in training, which flatters every accuracy; {} keeps such pictures on one side\n",
            near(*leaked, *images),
            match run.config.is_split() {
                true => "`--group-by near-duplicates`",
                false => "`pelage organize SOURCE --out DATA --group-by near-duplicates`",
            }
        ),
        Advice::Few { least } => format!(
            "note: {} in the smallest class is little to learn from with random weights; a pretrained network needs \
             less: `pelage train {} --backbone efficientnet_lite0` (`pelage models`)\n",
            count(*least, "training picture"),
            quoted(run.config.shown_data())
        ),
        Advice::Uneven {
            least: (small, few),
            most: (large, many),
        } => format!(
            "note: {large} has {}, {small} {}; `--class-weights balanced` makes up for it, or more pictures\n",
            count(*many, "training picture"),
            thousands(*few as u64)
        ),
        Advice::Vague { images, margin } => format!(
            "note: with {} an accuracy is certain only to about {:.0} points either way\n",
            count(*images, "validation picture"),
            100.0 * margin
        ),
    }
}

fn described(run: &Run, trained: &Trained) -> String {
    let folder = quoted(&run.folder);
    let best = trained
        .best_epoch
        .and_then(|best| trained.history.iter().find(|row| row.epoch == best));
    let mut text = match trained.reason {
        EndReason::Finished => "done".to_string(),
        EndReason::EarlyStop => format!(
            "stopped early: no improvement of the validation loss in {}",
            count(run.config.recipe.patience, "epoch")
        ),
        EndReason::Interrupted => format!("interrupted and saved; resume by `pelage train --resume {folder}`"),
    };
    if run.complete.is_some() {
        text += ", and nothing was left to do; continue anyway by `--epochs N` or `--patience N`";
    }
    if let (Some(row), Some(most)) = (best, Majority::of_validation(&run.data)) {
        let Majority { class, share, pictures } = most;
        if advice::is_no_better(row.validation_accuracy, pictures, share) {
            text += &format!(
                "\nnot shown to be better than calling every picture {class}, which is right for {:.2} % of the {}",
                100.0 * share,
                count(pictures, "validation picture")
            );
        }
    }
    let flattered = match run.leaked().unwrap_or(0) {
        0 => String::new(),
        leaked => format!("\nflattered: {} in training", near(leaked, run.data.validation.len())),
    };
    let grouped = match run.config.group_by {
        Some(_) => format!("\n{GROUPED}"),
        None => String::new(),
    };
    // No mean over the pictures of what `evaluate` calls log loss.
    let kind = loss::adjectives(&run.config.recipe);
    // Averaged weights, or those of another size, are kept though an earlier loss was lower.
    let is_lowest = |row: &HistoryRow| {
        trained
            .history
            .iter()
            .all(|one| one.validation_loss >= row.validation_loss)
    };
    if let Some(row) = best {
        let best = if is_lowest(row) { "best" } else { "kept" };
        text += &format!(
            "\n{best} epoch {}: {kind}validation loss {}, {}{flattered}{grouped}\n\
             {folder}: best.safetensors, history.csv, curves.png\n\
             next: `pelage evaluate {folder}`, `pelage predict {folder} PICTURE`",
            row.epoch,
            fixed(row.validation_loss, 4),
            accuracy(row.validation_accuracy, run.data.validation.len())
        );
    }
    text + "\n"
}
