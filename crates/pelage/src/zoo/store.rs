//! The pretrained weights on this machine: one checked file per architecture, in the user's cache folder.

use std::fs::File;
use std::path::{Path, PathBuf};

use pelage_data::cache;
use pelage_data::preprocess::Preprocessing;
use pelage_data::shown;
use pelage_model::error::Wanted;
use pelage_model::networks::{Architecture, described};
use pelage_model::weights::Pretrained;
use serde::{Serialize, Serializer};

use super::fetch::{self, Patience};
use super::load::load;
use super::published::{self, Source, Weights};
use crate::{Error, Result, atomic};

/// The kept weights: `weights/<architecture>/<file>` in a cache folder. Clearing the image cache leaves them.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
}

/// A kept file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// The architecture of the weights.
    #[serde(serialize_with = "by_name")]
    pub architecture: Architecture,
    /// The file.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
}

/// What was removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Removed {
    /// The name under which it was kept.
    pub architecture: String,
    /// The file.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
}

/// The result of [`Store::add`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Added {
    /// The new file.
    #[serde(flatten)]
    pub kept: Kept,
    /// The earlier file that it replaced, if any.
    pub replaced: Option<PathBuf>,
    /// Number of classes of the head in the file; `None` if it holds only the backbone.
    pub classes: Option<usize>,
    /// How images become input for these weights.
    pub preprocessing: Preprocessing,
}

impl Default for Store {
    /// In the user's cache folder, see [`cache::default_dir`].
    fn default() -> Self {
        Store::new(&cache::default_dir())
    }
}

impl Store {
    /// In the cache folder `cache`, which need not exist.
    pub fn new(cache: &Path) -> Self {
        Store {
            folder: cache.join("weights"),
        }
    }

    /// The folder with one folder per architecture.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Checks that `file` holds the weights of `architecture` and keeps a copy of it, replacing an earlier one.
    ///
    /// # Errors
    /// As [`load`]; a file with a published name but other content; a store that cannot be written. The earlier file
    /// then stays.
    pub fn add(&self, file: &Path, architecture: Architecture) -> Result<Added> {
        self.keep(file, architecture, atomic::copy)
    }

    /// Downloads `weights` of `architecture` (see [`published()`]) and keeps them as [`Store::add`] does; if that very
    /// file is already kept, it downloads nothing. The only use of the network in pelage.
    ///
    /// # Errors
    /// As [`fetch::fetch`] and [`Store::add`]; the message says which file to get if this machine cannot download it.
    pub fn fetch(
        &self,
        architecture: Architecture,
        weights: &Weights,
        patience: &Patience,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<Added> {
        let kept = self.place(architecture.name()).join(&weights.file);
        if kept.is_file() && !weights.sha256.is_empty() && sha256(&kept)?.starts_with(weights.sha256) {
            let found = load(&kept, architecture)?;
            return Added::new(kept, None, found);
        }
        let download = self.folder.join("downloads").join(&weights.file);
        fetch::fetch(weights, &download, patience, progress).map_err(|failure| match failure {
            Error::Weights { reason, .. } => Error::Weights {
                reason,
                wanted: Some(Wanted {
                    downloadable: false,
                    ..wanted(architecture, weights)
                }),
            },
            other => other,
        })?;
        let added = self.keep(&download, architecture, atomic::rename);
        if added.is_err() {
            // Whatever it is, it is useless; the failure is what matters.
            let _ = std::fs::remove_file(&download);
        }
        added
    }

    fn keep(
        &self,
        file: &Path,
        architecture: Architecture,
        place: fn(&Path, &Path) -> pelage_data::Result<()>,
    ) -> Result<Added> {
        let found = load(file, architecture)?;
        check_name(file, architecture)?;
        let earlier = self.files(architecture.name())?;
        let folder = self.place(architecture.name());
        std::fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
        let path = folder.join(file.file_name().unwrap_or_default());
        place(file, &path)?;
        for old in earlier.iter().filter(|old| **old != path) {
            std::fs::remove_file(old).map_err(Error::io(old))?;
        }
        Added::new(path, earlier.into_iter().next(), found)
    }

    /// The kept file of `architecture`.
    ///
    /// # Errors
    /// If there is none: [`Error::Weights`], with the file to get.
    pub fn find(&self, architecture: Architecture) -> Result<PathBuf> {
        match self.files(architecture.name())?.into_iter().next() {
            Some(path) => {
                log::info!("weights: {} from {}", architecture.name(), shown::path(&path));
                Ok(path)
            }
            None => Err(self.missing(architecture)),
        }
    }

    /// Every kept file, in the order of [`Architecture::ALL`], and after these the networks that were added, by name.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn list(&self) -> Result<Vec<Kept>> {
        let mut kept = Vec::new();
        for architecture in Architecture::ALL.into_iter().chain(self.added()?) {
            if let Some(path) = self.files(architecture.name())?.into_iter().next() {
                kept.push(Kept::new(architecture, path)?);
            }
        }
        Ok(kept)
    }

    /// Removes what is kept under `name`, a network of ours or one that was added, whether it can be read or not, and
    /// says what it was.
    ///
    /// # Errors
    /// If there is none: as [`Store::find`], or with the names that there are; a folder that cannot be written.
    pub fn remove(&self, name: &str) -> Result<Removed> {
        let ours = Architecture::ALL.into_iter().find(|known| known.name() == name);
        let files = match ours.is_some() || described::check_name(name).is_ok() {
            true => self.files(name)?,
            // It may be no name of a folder in the store.
            false => Vec::new(),
        };
        let Some(path) = files.into_iter().next() else {
            return Err(match ours {
                Some(architecture) => self.missing(architecture),
                None => self.unknown(name)?,
            });
        };
        let bytes = path.metadata().map_err(Error::io(&path))?.len();
        let folder = self.place(name);
        std::fs::remove_dir_all(&folder).map_err(Error::io(&folder))?;
        Ok(Removed {
            architecture: name.into(),
            path,
            bytes,
        })
    }

    pub(super) fn place(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The files kept under `name`, newest first: a kill may leave the one that was being replaced.
    pub(super) fn files(&self, name: &str) -> Result<Vec<PathBuf>> {
        let folder = self.place(name);
        let read = || -> std::io::Result<Vec<_>> {
            let mut files = Vec::new();
            for entry in std::fs::read_dir(&folder)? {
                let entry = entry?;
                let metadata = entry.metadata()?;
                if metadata.is_file() && !atomic::is_unfinished(&entry.path()) {
                    files.push((metadata.modified()?, entry.path()));
                }
            }
            Ok(files)
        };
        match read() {
            Ok(mut files) => {
                files.sort();
                Ok(files.into_iter().rev().map(|(_, path)| path).collect())
            }
            Err(absent) if absent.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(failure) => Err(Error::io(folder)(failure)),
        }
    }

    /// The error that says how to get weights of `architecture`.
    fn missing(&self, architecture: Architecture) -> Error {
        let known = published::entry(architecture).weights;
        let first = published(architecture, None).ok().or_else(|| known.first().cloned());
        let none = match known.is_empty() {
            true if architecture.is_backbone() => "; none are known that can be downloaded, so bring a file of them",
            true => "; none are published",
            false => "",
        };
        Error::Weights {
            reason: format!(
                "there are no pretrained weights of {} in {}{none}",
                architecture.name(),
                shown::path(&self.place(architecture.name()))
            ),
            wanted: first.map(|weights| wanted(architecture, &weights)),
        }
    }
}

impl Added {
    pub(super) fn new(path: PathBuf, replaced: Option<PathBuf>, found: Pretrained) -> Result<Self> {
        let Pretrained {
            architecture,
            classes,
            preprocessing,
            ..
        } = found;
        Ok(Added {
            kept: Kept::new(architecture, path)?,
            replaced,
            classes,
            preprocessing,
        })
    }
}

/// What a description of a network is in a document: its name.
fn by_name<S: Serializer>(architecture: &Architecture, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_str(architecture.name())
}

impl Kept {
    pub(super) fn new(architecture: Architecture, path: PathBuf) -> Result<Self> {
        let bytes = path.metadata().map_err(Error::io(&path))?.len();
        Ok(Kept {
            architecture,
            path,
            bytes,
        })
    }
}

/// The published weights of `architecture` in the file `file`, by default the first that can be downloaded.
///
/// # Errors
/// If there are none.
pub fn published(architecture: Architecture, file: Option<&str>) -> Result<Weights> {
    let (name, mut known) = (architecture.name(), published::entry(architecture).weights);
    let wanted = |weights: &Weights| match file {
        Some(file) => weights.file == file,
        None => weights.is_download(),
    };
    if let Some(index) = known.iter().position(wanted) {
        return Ok(known.swap_remove(index));
    }
    let files: Vec<_> = known.iter().map(|weights| weights.file.as_str()).collect();
    Err(Error::Settings(match (file, files.is_empty()) {
        (Some(file), false) => format!(
            "no published weights of {name} are called {file}; known: {}",
            files.join(", ")
        ),
        _ => format!("no known weights of {name} can be downloaded"),
    }))
}

/// `weights` for an error message.
fn wanted(architecture: Architecture, weights: &Weights) -> Wanted {
    Wanted {
        architecture: architecture.name(),
        file: weights.file.clone(),
        source: weights.source.to_string(),
        downloadable: matches!(weights.source, Source::Url(_)),
    }
}

/// Published files have the beginning of their SHA-256 in the name; a file with such a name must have that content.
fn check_name(file: &Path, architecture: Architecture) -> Result<()> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let promised = |weights: &Weights| weights.file == name && name.contains(weights.sha256);
    let Some(weights) = published::entry(architecture).weights.into_iter().find(promised) else {
        return Ok(());
    };
    let found = sha256(file)?;
    match found.starts_with(weights.sha256) {
        true => Ok(()),
        false => Err(Error::model(
            file,
            format!("is damaged, or another file of that name: its SHA-256 is {found}; download it again"),
        )),
    }
}

fn sha256(file: &Path) -> Result<String> {
    File::open(file).and_then(fetch::sha256).map_err(Error::io(file))
}
