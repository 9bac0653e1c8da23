//! Runs as their folders tell: what training has written so far, whoever trains. Nothing here is ever written to, and
//! training waits for nothing.

mod status;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

pub use status::{Confusion, State, Status};

/// How old what is told may be.
const FRESH: Duration = Duration::from_secs(1);

/// Run folders, and folders of them.
#[derive(Clone, Debug, Default)]
pub struct Runs {
    folders: Vec<PathBuf>,
    latest: Arc<Mutex<Option<(Instant, Told)>>>,
}

/// Every run, in the order of their names.
pub(crate) type Told = Arc<Vec<Status>>;

impl Runs {
    /// Those in `folders`, now and whenever it is asked for.
    pub fn new(folders: Vec<PathBuf>) -> Self {
        Runs {
            folders,
            latest: Arc::default(),
        }
    }

    /// Whether `path` is one to list here: a folder, but not one with a model.
    pub fn is_source(path: &Path) -> bool {
        path.is_dir() && !path.join(pelage::model::paths::BEST).exists()
    }

    /// Whether there are folders to look into.
    pub(crate) fn is_empty(&self) -> bool {
        self.folders.is_empty()
    }

    /// Reads the files, at most once a second for all who ask.
    pub(crate) fn read(&self) -> Told {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, told)) = &*latest
            && at.elapsed() < FRESH
        {
            return told.clone();
        }
        let told = Arc::new(
            self.found()
                .into_iter()
                .filter_map(|(name, folder)| Status::of(name, &folder))
                .collect(),
        );
        *latest = Some((Instant::now(), Arc::clone(&told)));
        told
    }

    /// The folder of a run that is listed under `name`.
    pub(crate) fn folder(&self, name: &str) -> Option<PathBuf> {
        self.found()
            .into_iter()
            .find(|(found, _)| found == name)
            .map(|(_, folder)| folder)
    }

    fn found(&self) -> Vec<(String, PathBuf)> {
        let mut found = Vec::new();
        for folder in &self.folders {
            let inner = std::fs::read_dir(folder)
                .into_iter()
                .flatten()
                .flatten()
                .map(|entry| entry.path());
            let inner = std::iter::once(folder.clone()).chain(inner);
            found.extend(inner.filter(|path| path.join("config.toml").is_file()).map(|path| {
                let real = path.canonicalize().unwrap_or_else(|_| path.clone());
                (
                    real.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                    path,
                )
            }));
        }
        found.sort_by(|a, b| pelage::data::source::natural_order(&a.0, &b.0));
        found.dedup_by(|a, b| a.0 == b.0);
        found
    }
}
