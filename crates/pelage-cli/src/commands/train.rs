//! `pelage train`.

mod arguments;

use std::path::Path;

use pelage::train::run::{self, Extension, Run};
use pelage::train::transfer::{Transfer, Unfreeze};
use pelage::train::{EndReason, Outcome as Trained, Recipe};

use super::use_threads;
use crate::failure::{Failure, Outcome};
use crate::progress::{self, Task, Training};
use crate::table::{count, duration, some};
pub(super) use arguments::{Arguments, Choosing};
use arguments::{extension, recipe};

pub(super) fn run(arguments: Arguments) -> Outcome {
    let task = Task::new();
    let opened = match &arguments.resume {
        Some(folder) => {
            let extension = extension(&arguments)?;
            Run::resume(folder, extension, &|progress| task.show(progress))
        }
        None => {
            let recipe = recipe(&arguments)?;
            use_threads(recipe.threads)?;
            let free = || run::free_folder(Path::new("runs"), &recipe);
            let folder = arguments.out.clone().unwrap_or_else(free);
            let recipe = match arguments.transferring.fine_tune {
                true => head_first(recipe, &folder, &task)?,
                false => Some(recipe),
            };
            let Some(recipe) = recipe else {
                return Ok("interrupted; the same command goes on\n".into());
            };
            Run::create(recipe, &folder, &|progress| task.show(progress))
        }
    };
    task.finish();
    train(&opened?)
}

/// Trains the head of `recipe` on frozen features first, in a folder of its own, and gives the settings that go on from
/// there; none where that was interrupted. Two stages, the second at a lower rate, as in fastai (Howard and Gugger 2020).
fn head_first(mut recipe: Recipe, folder: &Path, task: &Task) -> Result<Option<Recipe>, Failure> {
    let at = folder.join("head");
    let Some(transfer) = &mut recipe.transfer else { return Ok(Some(recipe)) };
    let still = Transfer { unfreeze: Unfreeze::None, head_from: None, ..transfer.clone() };
    transfer.head_from = Some(at.clone());
    let head = Recipe {
        data: recipe.data.clone(),
        validation_split: recipe.validation_split,
        image_size: recipe.image_size,
        resize_filter: recipe.resize_filter,
        batch_size: recipe.batch_size,
        seed: recipe.seed,
        threads: recipe.threads,
        device: recipe.device.clone(),
        ..Recipe::transfer(recipe.model, still)
    };
    let run = match at.join("config.toml").exists() {
        true => Run::resume(&at, Extension::default(), &|progress| task.show(progress)),
        false => Run::create(head, &at, &|progress| task.show(progress)),
    };
    task.finish();
    let run = run?;
    let trained = trained(&run)?;
    eprint!("{}", described(&run, &trained));
    Ok((trained.reason != EndReason::Interrupted).then_some(recipe))
}

/// Trains `run` under bars, and says what came of it.
pub(super) fn train(run: &Run) -> Outcome {
    Ok(described(run, &trained(run)?))
}

fn trained(run: &Run) -> Result<Trained, Failure> {
    eprintln!("{}", run.describe());
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
            count(run.recipe.epochs, "epoch"),
            if run.recipe.patience > 0 {
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
            "stopped early: no better validation loss in {}",
            count(run.recipe.patience, "epoch")
        ),
        EndReason::Interrupted => format!("interrupted and saved; go on by `pelage train --resume {folder}`"),
    };
    if run.complete.is_some() {
        text += ", and nothing was left to do; go on all the same by `--epochs N` or `--patience N`";
    }
    if let Some(row) = best {
        text += &format!(
            "\nbest epoch {}: validation loss {:.4}, accuracy {:.2} %\n{folder}: best.safetensors, history.csv, curves.png\n\
             next: `pelage evaluate {folder} {}`, `pelage predict {folder} PICTURE`",
            row.epoch,
            row.validation_loss,
            100.0 * row.validation_accuracy,
            run.recipe.data.display()
        );
    }
    text + "\n"
}

