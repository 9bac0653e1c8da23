//! A run: a recipe, its pictures, and the folder that keeps what comes of them.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use pelage_data::cache::CacheMode;
use pelage_data::catalog::{self, Split};
use pelage_data::source::Progress;

use super::forecast::{self, Forecast};
use super::record::Recorder;
use super::start::open;
use super::{Control, Data, EndReason, Event, Outcome, Recipe, Start, checkpoint, fit};
use crate::{Error, Result, atomic, device};

/// A run that is ready to train.
pub struct Run {
    /// The settings, as `config.toml` has them.
    pub recipe: Recipe,
    /// The pictures, or their features.
    pub data: Data,
    /// The network.
    pub start: Start,
    /// The run folder.
    pub folder: PathBuf,
    /// Why there is nothing left to train, where a resumed run was complete already.
    pub complete: Option<EndReason>,
    device: Device,
}

/// What `--resume` may change about a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extension {
    /// More (or fewer) epochs.
    pub epochs: Option<usize>,
    /// Another patience.
    pub patience: Option<usize>,
    /// Another place for decoded pictures; the weights do not depend on it.
    pub cache: Option<CacheMode>,
}

impl Run {
    /// Opens the pictures of `recipe` and makes `folder` with `config.toml` and, where pelage split the pictures, the
    /// split as `split.csv`. `progress` hears of decoding.
    ///
    /// # Errors
    /// Settings or pictures that training cannot work with; a folder that holds a run already, or cannot be written.
    pub fn create(mut recipe: Recipe, folder: &Path, progress: &(dyn Fn(Progress) + Sync)) -> Result<Run> {
        recipe.validate()?;
        if folder.join("config.toml").exists() {
            return Err(Error::Input(format!(
                "{0} holds a run already; go on with it by `--resume {0}`, or give another --out",
                folder.display()
            )));
        }
        if let Some(transfer) = &mut recipe.transfer {
            transfer.note_weights()?;
        }
        let split = catalog::open_dataset(&recipe.data, recipe.validation_split, recipe.seed)?;
        let device = device::open(&recipe.device)?;
        let (start, data) = open(&recipe, &split, &device, progress)?;
        std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
        if recipe.validation_split.is_some() {
            atomic::write(&folder.join("split.csv"), manifest(&split)?.as_slice())?;
        }
        write_unreadable(folder, &data)?;
        // Last: a folder with config.toml is a run that can be resumed.
        atomic::write(&folder.join("config.toml"), recipe.to_toml()?.as_bytes())?;
        Ok(Run {
            recipe,
            data,
            start,
            folder: folder.to_path_buf(),
            complete: None,
            device,
        })
    }

    /// Opens a run that was interrupted, to go on just where its last checkpoint stands.
    ///
    /// # Errors
    /// No run there, or settings or pictures that do not fit any more.
    pub fn resume(folder: &Path, extension: Extension, progress: &(dyn Fn(Progress) + Sync)) -> Result<Run> {
        let config = folder.join("config.toml");
        if !config.exists() {
            return Err(Error::Input(format!(
                "{} holds no run to resume (no config.toml)",
                folder.display()
            )));
        }
        let written = Recipe::read(&config)?;
        let mut recipe = written.clone();
        recipe.epochs = extension.epochs.unwrap_or(recipe.epochs);
        recipe.patience = extension.patience.unwrap_or(recipe.patience);
        recipe.cache = extension.cache.unwrap_or(recipe.cache);
        recipe.validate()?;
        let complete = checkpoint::load(folder)?.and_then(|snapshot| snapshot.progress().finished(&recipe));
        let split = catalog::open_dataset(&recipe.data, recipe.validation_split, recipe.seed)?;
        let device = device::open(&recipe.device)?;
        let (start, data) = open(&recipe, &split, &device, progress)?;
        if recipe != written {
            atomic::write(&config, recipe.to_toml()?.as_bytes())?;
        }
        Ok(Run {
            recipe,
            data,
            start,
            folder: folder.to_path_buf(),
            complete,
            device,
        })
    }

    /// How long it will take, measured on a few steps.
    ///
    /// # Errors
    /// Pictures that cannot be read any more.
    pub fn forecast(&self) -> Result<Forecast> {
        forecast::forecast(&self.recipe, &self.start, &self.data, &self.device)
    }

    /// Trains to the end or until `observe` asks to stop; everything is kept in the folder.
    ///
    /// # Errors
    /// See [`fit`]; and a full disk.
    pub fn train(&self, observe: &mut dyn FnMut(&Event) -> Control) -> Result<Outcome> {
        let mut recorder = Recorder::open(&self.folder, &self.recipe)?;
        recorder.log(&self.describe())?;
        let mut failure = None;
        let mut record = |event: &Event| {
            let control = observe(event);
            match recorder.observe(event) {
                Ok(()) => control,
                Err(unwritable) => {
                    failure = Some(unwritable);
                    Control::Stop
                }
            }
        };
        let outcome = fit(
            &self.recipe,
            &self.start,
            &self.data,
            &self.folder,
            &self.device,
            &mut record,
        );
        match (outcome, failure) {
            (_, Some(failure)) => Err(failure),
            (Err(failure), None) => {
                // What went wrong belongs into the log; that the log cannot be written either matters less.
                let _ = recorder.log(&format!("failed: {failure}"));
                Err(failure)
            }
            (Ok(outcome), None) => {
                recorder.end(&outcome)?;
                Ok(outcome)
            }
        }
    }

    /// What is trained on what, in a few lines.
    pub fn describe(&self) -> String {
        let (train, validation) = (&self.data.train, &self.data.validation);
        let model = self.recipe.model.name();
        let what = match &self.recipe.transfer {
            None => model.to_string(),
            Some(transfer) => {
                let weights = transfer
                    .weights
                    .as_ref()
                    .map_or("random weights".into(), |path| path.display().to_string());
                format!("{model} from {weights}, unfrozen: {},", String::from(transfer.unfreeze))
            }
        };
        format!(
            "pelage {}: {} on {}, {} classes ({}), {} training and {} validation pictures, {} unreadable",
            env!("CARGO_PKG_VERSION"),
            what,
            self.recipe.data.display(),
            train.classes().len(),
            train.classes().join(", "),
            train.len(),
            validation.len(),
            train.unreadable().len() + validation.unreadable().len()
        )
    }
}

/// A name for a new run in `parent`: the model's, and the first number that is free.
pub fn free_folder(parent: &Path, recipe: &Recipe) -> PathBuf {
    let numbered = |number: usize| parent.join(format!("{}-{number}", recipe.model.name()));
    (1..)
        .map(numbered)
        .find(|folder| !folder.exists())
        .unwrap_or_else(|| parent.to_path_buf())
}

/// `unreadable.csv`, where there is anything to tell.
fn write_unreadable(folder: &Path, data: &Data) -> Result<()> {
    let skipped = || data.train.unreadable().iter().chain(data.validation.unreadable());
    if skipped().next().is_none() {
        return Ok(());
    }
    let rows = skipped().map(|one| [one.path.clone(), one.reason.clone()]);
    atomic::write(&folder.join("unreadable.csv"), &table(["path", "reason"], rows)?)
}

fn manifest(split: &Split) -> Result<Vec<u8>> {
    let sets = [("train", &split.train), ("validation", &split.validation)];
    let rows = sets.into_iter().flat_map(|(set, catalog)| {
        let row = move |item: &catalog::Item| [item.name.clone(), catalog.classes[item.label].clone(), set.to_string()];
        catalog.items.iter().map(row)
    });
    table(["path", "class", "set"], rows)
}

fn table<const N: usize>(head: [&str; N], rows: impl Iterator<Item = [String; N]>) -> Result<Vec<u8>> {
    let failed = |failure: csv::Error| Error::Input(format!("cannot write a table: {failure}"));
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(head).map_err(failed)?;
    for row in rows {
        writer.write_record(&row).map_err(failed)?;
    }
    writer
        .into_inner()
        .map_err(|failure| failed(failure.into_error().into()))
}
