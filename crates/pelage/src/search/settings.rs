//! A search: what is searched and how, and its folder.

use std::path::{Path, PathBuf};

use pelage_data::cache::CacheMode;
use pelage_data::lock::FolderLock;
use pelage_data::shown;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::journal::{Entry, Journal};
use super::journal_lock;
use super::pruner::{Plan, Pruner};
use super::sampler::Sampler;
use super::space::Space;
use super::study::Metric;
use crate::runs::Config;
use crate::runs::run::foreign;
use crate::{Error, Result, atomic};

/// How a search goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Which settings are tried next.
    pub sampler: Sampler,
    /// Which trials are cut short.
    pub pruner: Pruner,
    /// What is measured.
    pub metric: Metric,
    /// Most trials; without, as many as there is time for.
    pub trials: Option<usize>,
    /// Seed of what is tried. The trials have that of their recipe, all the same.
    pub seed: u64,
}

/// A search, in its folder.
#[derive(Debug)]
pub struct Search {
    /// Its folder.
    pub folder: PathBuf,
    /// How it goes.
    pub settings: Settings,
    /// What is searched.
    pub space: Space,
    /// The run whose settings are varied.
    pub base: Config,
}

/// The files in the folder.
const SEARCH: &str = "search.toml";
const SPACE: &str = "space.toml";
const JOURNAL: &str = "journal.log";

/// Settings that change what a validation loss means.
const INCOMPARABLE: [&str; 3] = ["loss", "label_smoothing", "class_weights"];

impl Search {
    /// Begins a search in `folder`.
    ///
    /// # Errors
    /// Settings out of their range, or that cannot be compared; a folder that holds a search already, or cannot be
    /// written.
    pub fn create(folder: &Path, mut base: Config, space: Space, settings: Settings) -> Result<Search> {
        base.validate()?;
        base.recipe.check_augmentation()?;
        check(settings.trials)?;
        let loses = settings.metric == Metric::ValidationLoss;
        if let Some(one) = space
            .settings
            .iter()
            .find(|one| loses && INCOMPARABLE.contains(&one.name.as_str()))
        {
            return Err(Error::Settings(format!(
                "validation losses with different values of {} are not compared; measure the validation accuracy",
                one.name
            )));
        }
        base.make_absolute()?;
        // Before images are looked at, which would be done on all threads there are, and those then stay.
        base.compute.open()?;
        // Images that are not there are no reason to begin.
        base.without_suspects(&|_| {})?;
        if base.compute.cache == CacheMode::Auto {
            // Decoded once for all trials.
            base.compute.cache = CacheMode::Disk;
        }
        {
            let _lock = FolderLock::take(folder)?;
            if folder.join(SEARCH).exists() {
                let told = "holds a search already; resume it, or choose another folder";
                return Err(Error::folder(folder, told));
            }
            // What a killed process has begun is no other's.
            if !folder.join(JOURNAL).exists()
                && let Some(name) = foreign(folder)?
            {
                let told = format!("holds {name} already; give a new folder for the search");
                return Err(Error::folder(folder, told));
            }
            pelage_data::source::mark(folder)?;
            let mut journal = Journal::open(&folder.join(JOURNAL))?;
            if journal.is_empty() {
                let name = folder
                    .file_name()
                    .unwrap_or(folder.as_os_str())
                    .to_string_lossy()
                    .into_owned();
                let metric = settings.metric;
                journal.append(vec![Entry::Study { name, metric }])?;
            }
            atomic::write(&folder.join(SPACE), space.to_toml().as_bytes())?;
            // Last: a folder with it is a search that can go on.
            write(folder, &settings, &base)?;
        }
        Ok(Search {
            folder: folder.to_path_buf(),
            settings,
            space,
            base,
        })
    }

    /// Opens the search in `folder`, to go on with up to `trials` trials, if another number is given.
    ///
    /// # Errors
    /// No search there, or one that cannot be read.
    pub fn open(folder: &Path, trials: Option<usize>) -> Result<Search> {
        check(trials)?;
        let mut search = Search::read(folder)?;
        journal_lock::sweep(&folder.join(JOURNAL));
        if trials.is_some() && trials != search.settings.trials {
            search.settings.trials = trials;
            write(folder, &search.settings, &search.base)?;
        }
        Ok(search)
    }

    /// The search in `folder`, to look at: nothing is written, whoever works on it.
    ///
    /// # Errors
    /// No search there, or one that cannot be read.
    pub fn read(folder: &Path) -> Result<Search> {
        let path = folder.join(SEARCH);
        if !path.exists() {
            return Err(Error::model(folder, format!("holds no search (no {SEARCH})")));
        }
        let read = |path: &Path| std::fs::read_to_string(path).map_err(Error::io(path));
        let refused = |failure: toml::de::Error| Error::Settings(format!("{}: {failure}", shown::path(&path)));
        let mut table: Table = read(&path)?.parse().map_err(refused)?;
        let base = match table.remove("run") {
            Some(Value::Table(base)) => Config::from_table(base).map_err(refused)?,
            _ => {
                return Err(Error::Settings(format!(
                    "{}: it has no table called run",
                    shown::path(&path)
                )));
            }
        };
        let settings: Settings = table.try_into().map_err(refused)?;
        let file = folder.join(SPACE);
        let told = |reason: String| Error::Settings(format!("{}: {reason}", shown::path(&file)));
        let space = Space::read(&read(&file)?, &base.recipe).map_err(told)?;
        Ok(Search {
            folder: folder.to_path_buf(),
            settings,
            space,
            base,
        })
    }

    /// Whether `folder` is that of a search.
    pub fn is_in(folder: &Path) -> bool {
        folder.join(SEARCH).is_file()
    }

    /// The file of its record.
    pub fn record(&self) -> PathBuf {
        self.folder.join(JOURNAL)
    }

    /// Its record.
    ///
    /// # Errors
    /// A file that cannot be read or written, or is damaged.
    pub fn journal(&self) -> Result<Journal> {
        Journal::open(&self.record())
    }

    /// The run folder of a trial.
    pub fn run(&self, number: usize) -> PathBuf {
        self.folder.join(format!("trial-{number}"))
    }

    pub(super) fn plan(&self) -> Plan {
        Plan {
            pruner: self.settings.pruner,
            epochs: self.base.recipe.epochs,
        }
    }
}

/// Refuses a search of no trials.
fn check(trials: Option<usize>) -> Result<()> {
    match trials {
        Some(0) => Err(Error::setting("trials", 0, "1 or more")),
        _ => Ok(()),
    }
}

fn write(folder: &Path, settings: &Settings, base: &Config) -> Result<()> {
    let refused = |failure: toml::ser::Error| Error::Settings(format!("cannot write the settings as TOML: {failure}"));
    let mut table = Table::try_from(settings).map_err(refused)?;
    table.insert("run".into(), Value::Table(base.to_table()?));
    Ok(atomic::write(&folder.join(SEARCH), table.to_string().as_bytes())?)
}
