//! A run: settings, their images, and the folder that keeps the results.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use burn::tensor::Device;
use pelage_data::Progress;
use pelage_data::catalog::Catalog;
use pelage_data::decode::Damaged;
use pelage_data::groups::GroupBy;
use pelage_data::lock::{self, Claimed, FolderLock};
use pelage_data::shown;

use super::config::Config;
use super::extension::Extension;
use super::folder::{self, Folder};
use super::own::{self, Images, Needed};
use super::record::Recorder;
use super::recorded;
use crate::train::advice::{self, Advice};
use crate::train::backbone::note_weights;
use crate::train::forecast::{self, Forecast};
use crate::train::keep::{Keep, Nothing};
use crate::train::ranks::Ranks;
use crate::train::{Control, Data, EndReason, Event, Outcome, Recipe, Sets, Start, fit, start};
use crate::{Error, Result, atomic};
use pelage_data::table;

/// The settings of a run, in its folder.
pub const CONFIG: &str = "config.toml";

/// A run that is ready to train.
pub struct Run {
    /// The settings, as in `config.toml`.
    pub config: Config,
    /// The images, or their features.
    pub data: Data,
    /// The network.
    pub start: Start,
    /// The run folder.
    pub folder: PathBuf,
    /// Why there is nothing left to train, if a resumed run was already complete.
    pub complete: Option<EndReason>,
    /// Of a resumed run: number of images that have been added to the source since it began. It goes on without them.
    pub added: usize,
    device: Device,
    leaked: OnceLock<usize>,
    /// None where another process writes the folder.
    lock: Option<FolderLock>,
}

impl Run {
    /// Opens the images of `config` and creates `folder` with `config.toml` and `split.csv`, the record of the images.
    /// `progress` reports decoding.
    ///
    /// # Errors
    /// Settings or images that training cannot use; a folder that already holds a run, that another process writes, or
    /// that cannot be written.
    pub fn create(config: Config, folder: impl AsRef<Path>, progress: &(dyn Fn(Progress) + Sync)) -> Result<Run> {
        let folder = folder.as_ref();
        config.validate()?;
        config.recipe.check_augmentation()?;
        // First of all: of two processes with one folder, one ends here.
        let lock = Run::reserve(folder)?;
        let (mut run, sets, dropped) = Run::opened(config, progress)?;
        pelage_data::source::mark(folder)?;
        run.config.record = Some(recorded::write(folder, &*sets.train, &*sets.validation, &dropped)?);
        write_unreadable(folder, &run.data)?;
        // Last: a folder with config.toml is a run that can be resumed.
        atomic::write(&folder.join(CONFIG), run.config.to_toml()?.as_bytes())?;
        Ok(Run {
            folder: folder.to_path_buf(),
            lock: Some(lock),
            ..run
        })
    }

    /// The run that another process creates by `config`, to train it together with that one. Nothing is written.
    ///
    /// # Errors
    /// As [`Run::create`], but for the folder.
    pub fn join(config: Config, progress: &(dyn Fn(Progress) + Sync)) -> Result<Run> {
        config.validate()?;
        config.recipe.check_augmentation()?;
        Run::opened(config, progress).map(|(run, ..)| run)
    }

    /// A new run without its folder, its images, and those that are left out as suspects.
    fn opened(mut config: Config, progress: &(dyn Fn(Progress) + Sync)) -> Result<(Run, Sets, Catalog)> {
        if let Some(transfer) = &mut config.recipe.transfer {
            note_weights(transfer)?;
        }
        let device = config.compute.open()?;
        config.make_absolute()?;
        config.damaged.set();
        let (split, dropped) = config.without_suspects(progress)?;
        let sets = config.sets(split, progress)?;
        let (start, data) = start::open(&config.recipe, &sets, config.compute.cache, &device, progress)?;
        let run = Run {
            config,
            data,
            start,
            folder: PathBuf::new(),
            complete: None,
            added: 0,
            device,
            leaked: OnceLock::new(),
            lock: None,
        };
        Ok((run, sets, dropped))
    }

    /// Keeps other processes from `folder`, where a run will be created, for as long as the lock lives.
    ///
    /// # Errors
    /// A folder that already holds a run, that another process writes, or that cannot be written.
    pub fn reserve(folder: &Path) -> Result<FolderLock> {
        let lock = FolderLock::take(folder)?;
        match folder.join(CONFIG).exists() {
            true => Err(Error::folder(
                folder,
                "holds a run already; resume it, or choose another folder",
            )),
            false => match foreign(folder)? {
                Some(name) => Err(Error::folder(
                    folder,
                    format!("holds {name} already, which is no run's; give a new folder for the run"),
                )),
                None => Ok(lock),
            },
        }
    }

    /// Opens an interrupted run, to continue exactly from its last checkpoint.
    ///
    /// # Errors
    /// No run there, settings or images that no longer fit, or a run that another process trains.
    pub fn resume(folder: impl AsRef<Path>, extension: Extension, progress: &(dyn Fn(Progress) + Sync)) -> Result<Run> {
        let folder = folder.as_ref();
        Run::check_there(folder)?;
        let lock = FolderLock::take(folder)?;
        atomic::sweep(folder);
        Run::resumed(folder, extension, Some(lock), progress)
    }

    /// The run that another process resumes, to go on together with that one. Nothing is written.
    ///
    /// # Errors
    /// As [`Run::resume`].
    pub fn join_resumed(folder: &Path, extension: Extension, progress: &(dyn Fn(Progress) + Sync)) -> Result<Run> {
        Run::check_there(folder)?;
        Run::resumed(folder, extension, None, progress)
    }

    fn check_there(folder: &Path) -> Result<()> {
        match folder.join(CONFIG).exists() {
            true => Ok(()),
            false => Err(Error::model(folder, "holds no run to resume (no config.toml)")),
        }
    }

    /// The run in `folder`, to go on with.
    fn resumed(
        folder: &Path,
        extension: Extension,
        lock: Option<FolderLock>,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Run> {
        let path = folder.join(CONFIG);
        let written = Config::read(&path)?;
        extension.check(&written)?;
        let config = extension.of(written.clone());
        config.validate()?;
        // The same images are readable as when it began.
        if Damaged::current() == Damaged::Take && config.damaged != Damaged::Take {
            let allowed = "as when the run began, which skips damaged images";
            return Err(Error::setting("damaged", Damaged::Take.name(), allowed));
        }
        config.damaged.set();
        let device = config.compute.open()?;
        let snapshot = folder::checkpoint(folder)?;
        match &snapshot {
            Some(_) => log::info!("run: {} goes on from its checkpoint", shown::path(folder)),
            None => log::info!("run: {} has no checkpoint, and begins anew", shown::path(folder)),
        }
        let complete = snapshot.and_then(|snapshot| snapshot.progress().finished(&config.recipe));
        let Images { split, added, .. } = own::of_run(folder, &config, Needed::All)?;
        let sets = config.sets(split, progress)?;
        let (start, data) = start::open(&config.recipe, &sets, config.compute.cache, &device, progress)?;
        if config != written && lock.is_some() {
            atomic::write(&path, config.to_toml()?.as_bytes())?;
        }
        Ok(Run {
            config,
            data,
            start,
            folder: folder.to_path_buf(),
            complete,
            added,
            device,
            leaked: OnceLock::new(),
            lock,
        })
    }

    /// How many validation images look like training images, looked for once; none where they were split by that.
    ///
    /// # Errors
    /// A damaged file of the cache.
    pub fn leaked(&self) -> Result<usize> {
        if self.config.group_by == Some(GroupBy::NearDuplicates) {
            return Ok(0);
        }
        match self.leaked.get() {
            Some(&leaked) => Ok(leaked),
            None => advice::leaked(&self.data).map(|leaked| *self.leaked.get_or_init(|| leaked)),
        }
    }

    /// What the data suggest.
    ///
    /// # Errors
    /// As [`Run::leaked`].
    pub fn advice(&self) -> Result<Vec<Advice>> {
        Ok(advice::advice(&self.config.recipe, &self.data, self.leaked()?))
    }

    /// Estimates the duration, measured on a few steps.
    ///
    /// # Errors
    /// Images that can no longer be read.
    pub fn forecast(&self) -> Result<Forecast> {
        forecast::forecast(&self.config.recipe, &self.start, &self.data, &self.device)
    }

    /// Trains to the end or until `observe` asks to stop; the folder keeps everything.
    ///
    /// # Errors
    /// See [`fit`]; and a full disk.
    pub fn train(&self, observe: &mut dyn FnMut(&Event) -> Control) -> Result<Outcome> {
        self.train_among(&Ranks::alone(), observe)
    }

    /// The same as one of several processes, see [`fit`]: the first of them has created or resumed the run, and the
    /// others have joined it.
    ///
    /// # Errors
    /// As [`Run::train`]; ranks that cannot train together, or another one that has failed.
    pub fn train_among(&self, ranks: &Ranks, observe: &mut dyn FnMut(&Event) -> Control) -> Result<Outcome> {
        let (recipe, start) = (&self.config.recipe, &self.start);
        let fit = |from, keep: &mut dyn Keep, observe: &mut dyn FnMut(&Event) -> Control| {
            fit(recipe, start, &self.data, &self.device, from, keep, observe, ranks)
        };
        if self.lock.is_none() {
            // A new run has no folder here.
            let from = match self.folder.as_os_str().is_empty() {
                true => None,
                false => folder::checkpoint(&self.folder)?,
            };
            return fit(from, &mut Nothing, observe);
        }
        let mut recorder = Recorder::open(&self.folder, &self.config, self.data.validation.classes())?;
        recorder.log(&self.describe())?;
        if !ranks.is_alone() {
            recorder.log(&format!("{} processes train together", ranks.size()))?;
        }
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
        let mut keep = Folder {
            path: &self.folder,
            config: &self.config,
            data: &self.data,
            leaked: self.leaked.get().copied(),
        };
        let outcome = folder::checkpoint(&self.folder).and_then(|from| fit(from, &mut keep, &mut record));
        match (outcome, failure) {
            (_, Some(failure)) => Err(failure),
            (Err(failure), None) => {
                // The failure belongs in the log; failing to write that matters less.
                let _ = recorder.log(&format!("failed: {failure}"));
                Err(failure)
            }
            (Ok(outcome), None) => {
                recorder.end(&outcome)?;
                Ok(outcome)
            }
        }
    }

    /// A description of the run for the log: network, data, settings.
    pub fn describe(&self) -> String {
        let (train, validation) = (&self.data.train, &self.data.validation);
        let model = self.config.recipe.name();
        let data = self.config.shown_data();
        let what = match &self.config.recipe.transfer {
            None => model,
            Some(transfer) => {
                let of = |path: &Option<PathBuf>| match path {
                    Some(path) => shown::path(path),
                    None => "random weights".into(),
                };
                let beside = transfer.beside.iter().map(|beside| of(&beside.weights));
                let weights: Vec<_> = std::iter::once(of(&transfer.weights)).chain(beside).collect();
                let unfrozen = String::from(transfer.unfreeze);
                format!("{model} from {}, unfrozen: {unfrozen},", weights.join(" and "))
            }
        };
        format!(
            "pelage {}: {} on {}, {} classes ({}), {} training and {} validation pictures, {} unreadable",
            env!("CARGO_PKG_VERSION"),
            what,
            shown::path(data),
            train.classes().len(),
            train.classes().join(", "),
            train.len(),
            validation.len(),
            train.unreadable().len() + validation.unreadable().len()
        )
    }
}

/// A folder for a new run in `parent`, created for this process alone: named after the network, with the first free
/// number.
///
/// # Errors
/// A folder that cannot be written.
pub fn free_folder(parent: &Path, recipe: &Recipe) -> Result<Claimed> {
    let numbered = |number: usize| parent.join(format!("{}-{number}", recipe.name()));
    Ok(lock::first_free((1..).map(numbered))?)
}

/// What is in `folder` that no run has begun to write there; what a run is written into is passed over as pictures.
///
/// # Errors
/// A folder that cannot be read.
pub fn foreign(folder: &Path) -> Result<Option<String>> {
    let children = std::fs::read_dir(folder).map_err(Error::io(folder))?;
    let is_own = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // Hidden are marks, locks and what is being written.
        let is_head = || name == HEAD && (path.join(CONFIG).exists() || matches!(foreign(path), Ok(None)));
        BEGUN.contains(&&*name) || name.starts_with('.') || is_head()
    };
    let paths = children.flatten().map(|child| child.path());
    let foreign = paths.filter(|path| !is_own(path)).min();
    Ok(foreign.and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned())))
}

/// The folder of the first stage of fine-tuning.
pub(super) const HEAD: &str = "head";

/// What a run writes before its settings.
const BEGUN: [&str; 2] = ["split.csv", "unreadable.csv"];

/// Writes `unreadable.csv`, if there is anything to list.
fn write_unreadable(folder: &Path, data: &Data) -> Result<()> {
    let skipped = || data.train.unreadable().iter().chain(data.validation.unreadable());
    if skipped().next().is_none() {
        return Ok(());
    }
    let head = ["path", "reason"].map(String::from);
    let rows = skipped().map(|one| [one.path.clone(), one.reason.clone()]);
    let table = table::csv(std::iter::once(head).chain(rows))?;
    Ok(atomic::write(&folder.join("unreadable.csv"), &table)?)
}
