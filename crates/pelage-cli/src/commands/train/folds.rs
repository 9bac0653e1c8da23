//! `pelage train --folds N`.

use std::path::{Path, PathBuf};

use pelage::data::catalog::Fold;
use pelage::folds::{self, Report};
use pelage::runs::Extension;
use pelage::train::ranks::Ranks;
use pelage::{Config, Run};

use super::arguments::Arguments;
use super::lines::Lines;
use super::{again, created, failed, rate, trained};
use crate::commands::evaluate::{GROUPED, accuracy, flattered};
use crate::failure::{Failure, Outcome};
use crate::progress::Task;
use crate::table::{count, fixed, table};
use crate::terminal::{is_json, quoted, tell};

/// Trains a run for each of `folds` folds, or goes on with those that are there, and tells what they say together.
pub(super) fn run(mut config: Config, folds: usize, folder: &Path, arguments: &Arguments, lines: Lines) -> Outcome {
    if arguments.finds_rate() {
        config.recipe.learning_rate = match folds::begun(folder).map_err(failed)? {
            Some((begun, _)) => begun.recipe.learning_rate,
            None => {
                let fold = Fold::all(folds).map_err(Failure::usage)?.first().copied();
                rate::found(&Config { fold, ..config.clone() })?
            }
        };
    }
    let planned = folds::planned(&config, folds, folder).map_err(failed)?;
    let (again, total) = (again(folder), planned.len());
    let mut runs: Vec<PathBuf> = Vec::new();
    for (at, settings) in planned {
        tell(format_args!("fold {} of {total}\n", runs.len() + 1));
        let run = match at.join("config.toml").exists() {
            true => resumed(&at, &settings)?,
            false => created(settings, &at, arguments.transferring.fine_tune, &again, lines)
                .inspect_err(|_| folds::forget(folder))?,
        };
        if run.complete.is_none() {
            trained(&run, Some(again.clone()), lines, &Ranks::alone())?;
        }
        runs.push(at);
    }
    let task = Task::new();
    let report = folds::together(&runs, folder, &config.compute, &|progress| task.show(progress));
    task.finish();
    let report = report?;
    lines.folds(folder, &report);
    let text = described(&report, config.recipe.is_solved(), config.group_by.is_some());
    match is_json() {
        true => {
            tell(text);
            lines.end()
        }
        false => Ok(text),
    }
}

/// A run that was begun before, which computes where it is asked to now.
fn resumed(folder: &Path, settings: &Config) -> Result<Run, Failure> {
    let extension = Extension {
        device: Some(settings.compute.device.clone()),
        threads: Some(settings.compute.threads),
        cache: Some(settings.compute.cache),
        ..Extension::default()
    };
    let task = Task::new();
    let run = Run::resume(folder, extension, &|progress| task.show(progress));
    task.finish();
    run.map_err(failed)
}

fn described(report: &Report, is_solved: bool, is_grouped: bool) -> String {
    let flattered = flattered(report.near_copies, "");
    let grouped = match is_grouped {
        true => format!("{GROUPED}\n"),
        false => String::new(),
    };
    let percent = |share: f64| format!("{:.2} %", 100.0 * share);
    let rows = report.folds.iter().map(|fold| {
        vec![
            quoted(&fold.run),
            fold.images.to_string(),
            percent(fold.accuracy),
            fixed(fold.log_loss, 4),
        ]
    });
    let together = &report.together;
    let predictions = quoted(&report.predictions);
    let chosen = match is_solved {
        true => "",
        false => "the epoch of each run was chosen by its own fold, which flatters a little\n",
    };
    let model = match &report.model {
        Some(model) => {
            let model = quoted(model);
            format!("{model}: the mean of all runs, as one model: `pelage predict {model} PICTURE`\n")
        }
        None => "the runs have too many networks for one model of all of them\n".into(),
    };
    format!(
        "{}mean of the folds: {}, standard deviation {:.2} points\n\
         each picture by the run that was not trained on it: {} on {}, log loss {}; always the most frequent class: \
         {}\n\
         {flattered}{grouped}{chosen}{predictions}: all predictions\n{model}",
        table(&["run", "pictures", "accuracy", "log loss"], 1..4, rows),
        percent(report.mean_accuracy),
        100.0 * report.standard_deviation,
        accuracy(together.accuracy, together.images),
        count(together.images, "picture"),
        fixed(together.log_loss, 4),
        percent(together.majority_share),
    )
}
