//! `pelage train`.

mod arguments;
mod settings;

use std::path::Path;

use pelage::model::networks::BACKBONES;
use pelage::runs::{fine_tune, free_folder};
use pelage::train::recipe::ClassWeights;
use pelage::train::{EndReason, Outcome as Trained};
use pelage::{Recipe, Run};

use super::evaluate::accuracy;
use crate::failure::{Failure, Outcome};
use crate::progress::{self, Task, Training};
use crate::table::{count, duration, some};
pub(super) use arguments::{Arguments, Choosing};
use arguments::{config, extension};

pub(super) fn run(arguments: Arguments) -> Outcome {
    let task = Task::new();
    let show = |progress| task.show(progress);
    let opened = match &arguments.resume {
        Some(folder) => Run::resume(folder, extension(&arguments)?, &show),
        None => {
            let mut config = config(&arguments)?;
            let free = || free_folder(Path::new("runs"), &config.recipe);
            let folder = arguments.out.clone().unwrap_or_else(free);
            if arguments.transferring.fine_tune {
                let (head, whole) = fine_tune::head_first(config, &folder, &show).map_err(failed)?;
                config = whole;
                task.finish();
                if let Some(head) = head {
                    let trained = trained(&head)?;
                    eprint!("{}", described(&head, &trained));
                    if trained.reason == EndReason::Interrupted {
                        let out = folder.display();
                        return Ok(format!("interrupted; the same command with `--out {out}` resumes\n"));
                    }
                }
            }
            Run::create(config, &folder, &show)
        }
    };
    task.finish();
    train(&opened.map_err(failed)?)
}

/// The error of opening a run, with what to type where the folder is in the way.
fn failed(error: pelage::Error) -> Failure {
    match &error {
        pelage::Error::Folder { path, .. } if path.join("config.toml").exists() => Failure::Usage(format!(
            "{error}: `pelage train --resume {}`, or another --out",
            path.display()
        )),
        _ => error.into(),
    }
}

/// Trains `run` under progress bars, and describes the result.
pub(super) fn train(run: &Run) -> Outcome {
    Ok(described(run, &trained(run)?))
}

fn trained(run: &Run) -> Result<Trained, Failure> {
    eprintln!("{}", run.describe());
    let Recipe { model, transfer, .. } = &run.config.recipe;
    if transfer.is_none() && BACKBONES.contains(model) {
        let (name, data) = (model.name(), run.config.data.display());
        eprintln!(
            "{name} starts from random weights, and needs many pictures; from pretrained ones: `pelage train {data} \
             --backbone {name}`"
        );
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
        eprint!(
            "{} skipped, see {}:\n{}",
            count(skipped.len(), "file"),
            listed.display(),
            some(skipped.into_iter(), 5)
        );
    }
    if run.complete.is_none() {
        let forecast = run.forecast()?;
        eprintln!(
            "forecast: {:.0} images/s, {} an epoch, {} for {} at most{}",
            forecast.train_images_per_second,
            duration(forecast.epoch_seconds),
            duration(forecast.total_seconds),
            count(run.config.recipe.epochs, "epoch"),
            if run.config.recipe.patience > 0 {
                " (early stopping may end it sooner)"
            } else {
                ""
            }
        );
    }
    progress::stop_on_signal();
    let mut display = Training::new();
    let trained = run.train(&mut |event| display.observe(event));
    display.finish();
    Ok(trained?)
}

fn described(run: &Run, trained: &Trained) -> String {
    let folder = run.folder.display();
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
    // Each picture's loss is multiplied by its class's weight: no mean over the pictures.
    let weighted = match run.config.recipe.class_weights {
        ClassWeights::None => "",
        ClassWeights::Balanced => "class-weighted ",
    };
    if let Some(row) = best {
        text += &format!(
            "\nbest epoch {}: {weighted}validation loss {:.4}, {}\n\
             {folder}: best.safetensors, history.csv, curves.png\n\
             next: `pelage evaluate {folder} {}`, `pelage predict {folder} PICTURE`",
            row.epoch,
            row.validation_loss,
            accuracy(row.validation_accuracy, run.data.validation.len()),
            run.config.data.display()
        );
    }
    text + "\n"
}
