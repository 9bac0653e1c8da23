//! Runs and searches as their folders tell: what training has written so far, whoever trains. Nothing here is ever
//! written to, and training waits for nothing.

mod searches;
mod status;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pelage::search::Search;
pub(crate) use searches::Read;
pub use searches::{Best, SearchStatus, Trials};
pub use status::{Confusion, State, Status};

/// How old what is told may be.
const FRESH: Duration = Duration::from_secs(1);

/// Run folders, and folders of them.
#[derive(Clone, Debug, Default)]
pub struct Runs {
    folders: Vec<PathBuf>,
    latest: Arc<Mutex<Option<(Instant, Told)>>>,
    searches: Arc<Mutex<Searches>>,
}

/// Every run, in the order of their names.
pub(crate) type Told = Arc<Vec<Status>>;
/// Every search, in the order of their names.
pub(crate) type ToldSearches = Arc<Vec<SearchStatus>>;

/// The searches as they were last read.
#[derive(Debug, Default)]
struct Searches {
    latest: Option<(Instant, ToldSearches)>,
    read: HashMap<PathBuf, Arc<Read>>,
}

impl Runs {
    /// Those in `folders`, now and whenever it is asked for.
    pub fn new(folders: Vec<PathBuf>) -> Self {
        Runs {
            folders,
            latest: Arc::default(),
            searches: Arc::default(),
        }
    }

    /// Whether `path` is one to list here: a folder, but not one with a model.
    pub fn is_source(path: &Path) -> bool {
        path.is_dir() && !path.join(pelage::model::paths::BEST).exists()
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
            self.found(is_run)
                .into_iter()
                .filter_map(|(name, folder)| Status::of(name, &folder))
                .collect(),
        );
        *latest = Some((Instant::now(), Arc::clone(&told)));
        told
    }

    /// The same of the searches; only those whose records have changed are read again.
    pub(crate) fn read_searches(&self) -> ToldSearches {
        let mut searches = self.searches.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, told)) = &searches.latest
            && at.elapsed() < FRESH
        {
            return told.clone();
        }
        let mut before = std::mem::take(&mut searches.read);
        let mut told = Vec::new();
        for (name, folder) in self.found(Search::is_in) {
            if let Some(read) = Read::of(&folder, before.remove(&folder)) {
                told.push(read.status(name));
                searches.read.insert(folder, read);
            }
        }
        let told = Arc::new(told);
        searches.latest = Some((Instant::now(), Arc::clone(&told)));
        told
    }

    /// The search that is listed under `name`, as it was last read.
    pub(crate) fn search(&self, name: &str) -> Option<Arc<Read>> {
        self.read_searches();
        let (_, folder) = self.found(Search::is_in).into_iter().find(|(found, _)| found == name)?;
        let searches = self.searches.lock().unwrap_or_else(PoisonError::into_inner);
        searches.read.get(&folder).cloned()
    }

    /// Whether there are runs, or at least no searches, to show instead.
    pub(crate) fn offered(&self) -> [bool; 2] {
        let [runs, searches] = [is_run, Search::is_in].map(|is| !self.found(is).is_empty());
        [!self.folders.is_empty() && (runs || !searches), searches]
    }

    /// The folder of a run that is listed under `name`.
    pub(crate) fn folder(&self, name: &str) -> Option<PathBuf> {
        self.found(is_run)
            .into_iter()
            .find(|(found, _)| found == name)
            .map(|(_, folder)| folder)
    }

    /// The folders that are what is looked for, or lie in one that is served, by their names.
    fn found(&self, is: fn(&Path) -> bool) -> Vec<(String, PathBuf)> {
        let mut found = Vec::new();
        for folder in &self.folders {
            let inner = std::fs::read_dir(folder)
                .into_iter()
                .flatten()
                .flatten()
                .map(|entry| entry.path());
            let inner = std::iter::once(folder.clone()).chain(inner);
            found.extend(inner.filter(|path| is(path)).map(|path| {
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

fn is_run(path: &Path) -> bool {
    path.join("config.toml").is_file()
}
