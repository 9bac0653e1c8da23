//! Training, into a run folder or in memory.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pelage::data::dataset::split;
use pelage::data::memory::InMemory;
use pelage::draw::curves::curves_svg;
use pelage::runs::{self, free_folder};
use pelage::train::history::HistoryRow;
use pelage::train::{self as training, EndReason};
use pelage::{Config, Control, Event, Run};
use pelage_cli::Training;
use pyo3::prelude::*;
use serde_json::json;

use crate::errors::{failed, refused, told};
use crate::inputs::{Input, pictures};
use crate::model::Model;
use crate::work::{Watch, watched};

/// Trains by the `arguments` of `pelage train`; `hear` gets events as JSON. Returns the run folder and why it ended:
/// `finished`, `early_stop` or `interrupted`.
#[pyfunction]
#[pyo3(signature = (arguments, hear))]
pub(crate) fn train(
    py: Python<'_>,
    arguments: Vec<OsString>,
    hear: Option<Bound<'_, PyAny>>,
) -> PyResult<(PathBuf, &'static str)> {
    let asked = pelage_cli::training(arguments).map_err(|failure| refused(&failure))?;
    let work = |watch: &Watch| {
        let progress = |progress: pelage::data::Progress| {
            watch.tell(
                json!({
                    "event": "progress", "what": progress.what, "done": progress.done, "total": progress.total,
                })
                .to_string(),
            );
        };
        let run = match asked {
            Training::Resumed(folder, extension) => Run::resume(folder, *extension, &progress)?,
            Training::New(config, Some(folder)) => Run::create(*config, folder, &progress)?,
            Training::New(config, None) => {
                let claimed = free_folder(Path::new("runs"), &config.recipe)?;
                Run::create(*config, &*claimed, &progress)?
            }
        };
        watch.tell(
            json!({
                "event": "started", "run": run.folder, "classes": run.data.train.classes(),
                "train_pictures": run.data.train.len(), "validation_pictures": run.data.validation.len(),
                "epochs": run.config.recipe.epochs,
            })
            .to_string(),
        );
        let outcome = run.train(&mut |event| observe(watch, event))?;
        Ok((run.folder.clone(), outcome.reason))
    };
    let (folder, reason) = watched(py, hear.as_ref(), work)?.map_err(failed)?;
    let reason = match reason {
        EndReason::Finished => "finished",
        EndReason::EarlyStop => "early_stop",
        EndReason::Interrupted => "interrupted",
    };
    Ok((folder, reason))
}

/// Trains on `images`, each with the number of its class, by the `arguments` of `pelage train`, and returns the model
/// of the best epoch. The share `validation` of each class is set aside to measure by.
#[pyfunction]
#[pyo3(signature = (images, labels, classes, arguments, validation, hear))]
pub(crate) fn train_in_memory(
    py: Python<'_>,
    images: Vec<Input>,
    labels: Vec<usize>,
    classes: Vec<String>,
    mut arguments: Vec<OsString>,
    validation: f64,
    hear: Option<Bound<'_, PyAny>>,
) -> PyResult<Model> {
    // Where a folder would be named.
    arguments.insert(0, ".".into());
    let asked = pelage_cli::training(arguments).map_err(|failure| refused(&failure))?;
    let Training::New(config, None) = asked else {
        return Err(told("training in memory has no run folder"));
    };
    let of_a_folder = config.validation_split.is_some()
        || config.group_by.is_some()
        || config.drop_suspects.is_some()
        || config.label_level.is_some()
        || config.tensorboard;
    if of_a_folder {
        return Err(told(
            "in memory there is neither a folder to split nor one to write; leave such settings out",
        ));
    }
    let work = |watch: &Watch| {
        config.damaged.set();
        let pictures = pictures(images);
        if pictures.len() != labels.len() {
            let (images, labels) = (pictures.len(), labels.len());
            return Err(pelage::Error::Settings(format!(
                "{images} pictures were given, and {labels} labels"
            )));
        }
        let mut memory = InMemory::new(classes);
        for (one, label) in pictures.into_iter().zip(labels) {
            let (name, image) = one.image().map_err(pelage::Error::Unreadable)?;
            memory.push(name, label, image)?;
        }
        let sets = split(Arc::new(memory), validation, config.recipe.seed)?.into();
        let device = config.compute.open()?;
        let observe = &mut |event: &Event| observe(watch, event);
        Ok(training::train(&config.recipe, &sets, config.compute.cache, &device, observe)?.0)
    };
    Ok(Model::of(watched(py, hear.as_ref(), work)?.map_err(failed)?))
}

fn observe(watch: &Watch, event: &Event) -> Control {
    let told = match event {
        Event::EpochStart {
            epoch, epochs, batches, ..
        } => Some(json!({"event": "epoch_start", "epoch": epoch, "epochs": epochs, "batches": batches})),
        Event::Batch {
            batch,
            batches,
            loss,
            accuracy,
            ..
        } => Some(json!({
            "event": "batch", "batch": batch, "batches": batches, "loss": loss, "accuracy": accuracy,
        })),
        Event::EpochEnd {
            history,
            epochs,
            improved,
            ..
        } => history.last().map(|row| {
            let mut told = json!({"event": "epoch", "epochs": epochs, "improved": improved});
            if let (Some(told), Ok(serde_json::Value::Object(row))) = (told.as_object_mut(), serde_json::to_value(row))
            {
                told.extend(row);
            }
            told
        }),
        Event::Solved {
            strength,
            cross_validated,
        } => Some(json!({"event": "solved", "strength": strength, "cross_validated": cross_validated})),
        Event::Validation { .. } => None,
    };
    if let Some(told) = told {
        watch.tell(told.to_string());
    }
    match watch.is_stopped() {
        true => Control::Stop,
        false => Control::Continue,
    }
}

/// The epochs of a run, as JSON; none if there are none yet.
#[pyfunction]
pub(crate) fn history(run: PathBuf) -> PyResult<String> {
    let rows = runs::history::of(&run).map_err(failed)?.unwrap_or_default();
    serde_json::to_string(&rows).map_err(told)
}

/// The epoch whose weights a run keeps, as JSON: `null` if there is none yet.
#[pyfunction]
pub(crate) fn best(run: PathBuf) -> PyResult<String> {
    let recipe = Config::read(&run.join("config.toml")).map_err(failed)?.recipe;
    let rows = runs::history::of(&run).map_err(failed)?.unwrap_or_default();
    serde_json::to_string(&runs::history::best(&recipe, &rows)).map_err(told)
}

/// The curves of `rows`, epochs as JSON as `history` has them, as SVG; `best` is marked.
#[pyfunction]
#[pyo3(signature = (title, rows, best))]
pub(crate) fn curves(title: &str, rows: &str, best: Option<usize>) -> PyResult<String> {
    let rows: Vec<HistoryRow> = serde_json::from_str(rows).map_err(told)?;
    curves_svg(title, &rows, best).map_err(told)
}
