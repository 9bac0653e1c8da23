//! The decoded pictures of a catalog at training size: decoded once, kept in memory or in a file, or decoded each time.

mod disk;

use std::borrow::Cow;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::catalog::{Catalog, Item};
use crate::preprocess::Preprocessing;
use crate::source::Progress;
use crate::{Error, Result};

pub use disk::{clear, fingerprint};

/// Where decoded pictures are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CacheMode {
    /// In memory where they take under 512 MiB and under half of what is free, else in a file.
    #[default]
    Auto,
    /// Nowhere: decoded each time.
    Off,
    /// In memory.
    Ram,
    /// In a file in the cache folder.
    Disk,
}

impl std::str::FromStr for CacheMode {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "auto" => Ok(CacheMode::Auto),
            "off" => Ok(CacheMode::Off),
            "ram" => Ok(CacheMode::Ram),
            "disk" => Ok(CacheMode::Disk),
            other => Err(format!("'{other}' is none of auto, off, ram, disk")),
        }
    }
}

/// A picture that was skipped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreadable {
    /// Where it is.
    pub path: String,
    /// Why.
    pub reason: String,
}

/// The readable pictures of a catalog.
pub struct Pictures {
    items: Vec<Item>,
    classes: Vec<String>,
    unreadable: Vec<Unreadable>,
    preprocessing: Preprocessing,
    store: Store,
}

enum Store {
    Off,
    Ram(Vec<Vec<u8>>),
    Disk(disk::Cached),
}

impl Pictures {
    /// Decodes every picture once, in parallel, and keeps it as `mode` says; `cache_dir` is used by the disk cache.
    ///
    /// # Errors
    /// More than a tenth unreadable, a class with no readable picture left, a cache folder that cannot be written.
    pub fn open(
        catalog: &Catalog,
        preprocessing: &Preprocessing,
        mode: CacheMode,
        cache_dir: &Path,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Pictures> {
        let (bytes, total) = (catalog.items.len() * preprocessing.len(), catalog.items.len());
        let done = AtomicUsize::new(0);
        let counted = |item: &Item| {
            let decoded = read(item, preprocessing);
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            progress(Progress {
                done,
                total,
                what: "decoding",
            });
            decoded
        };
        let (results, store) = match resolve(mode, bytes) {
            CacheMode::Off => {
                let results = catalog.items.par_iter().map(|item| counted(item).map(drop)).collect();
                (results, Store::Off)
            }
            CacheMode::Disk => {
                let (results, cached) = disk::open(catalog, preprocessing, cache_dir, &counted)?;
                (results, Store::Disk(cached))
            }
            CacheMode::Ram | CacheMode::Auto => {
                let decoded: Vec<_> = catalog.items.par_iter().map(counted).collect();
                let results = decoded
                    .iter()
                    .map(|one| one.as_ref().map(drop).map_err(Clone::clone))
                    .collect();
                (results, Store::Ram(decoded.into_iter().flatten().collect()))
            }
        };
        let (mut items, mut unreadable) = (Vec::with_capacity(total), Vec::new());
        let results: Vec<std::result::Result<(), String>> = results;
        for (item, result) in catalog.items.iter().zip(results) {
            match result {
                Ok(()) => items.push(item.clone()),
                Err(reason) => unreadable.push(Unreadable {
                    path: item.location.to_string(),
                    reason,
                }),
            }
        }
        let pictures = Pictures {
            items,
            classes: catalog.classes.clone(),
            unreadable,
            preprocessing: preprocessing.clone(),
            store,
        };
        pictures.check(catalog)?;
        Ok(pictures)
    }

    fn check(&self, catalog: &Catalog) -> Result<()> {
        check_unreadable(&self.unreadable, catalog.items.len())?;
        let mut left = vec![0usize; self.classes.len()];
        self.items.iter().for_each(|item| left[item.label] += 1);
        match catalog
            .counts()
            .iter()
            .zip(&left)
            .position(|(had, left)| *had > 0 && *left == 0)
        {
            Some(class) => Err(Error::Data(format!(
                "none of the pictures of class '{}' can be read; replace them, or remove the class:{}",
                self.classes[class],
                examples(&self.unreadable)
            ))),
            None => Ok(()),
        }
    }

    /// Readable pictures.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The class of picture `i`.
    pub fn label(&self, i: usize) -> usize {
        self.items[i].label
    }

    /// The name of picture `i`, relative to its source.
    pub fn name(&self, i: usize) -> &str {
        &self.items[i].name
    }

    /// Class names; a label is an index into them.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The pictures that were skipped, with reasons.
    pub fn unreadable(&self) -> &[Unreadable] {
        &self.unreadable
    }

    /// How the pictures were brought to size.
    pub fn preprocessing(&self) -> &Preprocessing {
        &self.preprocessing
    }

    /// Picture `i`: `height * width * 3` bytes of RGB.
    ///
    /// # Errors
    /// Where a file has changed or gone since [`Pictures::open`].
    pub fn pixels(&self, i: usize) -> Result<Cow<'_, [u8]>> {
        match &self.store {
            Store::Ram(pictures) => Ok(Cow::Borrowed(&pictures[i])),
            Store::Off => read(&self.items[i], &self.preprocessing)
                .map(Cow::Owned)
                .map_err(|reason| Error::Data(format!("{}: {reason}", self.items[i].location))),
            Store::Disk(cached) => {
                let mut bytes = vec![0; self.preprocessing.len()];
                cached.read(i, &mut bytes)?;
                Ok(Cow::Owned(bytes))
            }
        }
    }
}

/// More than a tenth unreadable is no accident to pass over.
pub(crate) fn check_unreadable(unreadable: &[Unreadable], total: usize) -> Result<()> {
    if unreadable.len() * 10 > total {
        return Err(Error::Data(format!(
            "{} of {total} pictures cannot be read, more than a tenth; see them all by `pelage inspect`, and remove or \
             replace them:{}",
            unreadable.len(),
            examples(unreadable)
        )));
    }
    Ok(())
}

fn examples(unreadable: &[Unreadable]) -> String {
    unreadable
        .iter()
        .take(5)
        .map(|one| format!("\n  {}: {}", one.path, one.reason))
        .collect()
}

/// One picture at size, or why not.
fn read(item: &Item, preprocessing: &Preprocessing) -> std::result::Result<Vec<u8>, String> {
    let bytes = item.location.read().map_err(|failure| failure.reason())?;
    preprocessing.decode(&bytes)
}

fn resolve(mode: CacheMode, bytes: usize) -> CacheMode {
    match mode {
        CacheMode::Auto if bytes < 512 << 20 && bytes < available_memory() / 2 => CacheMode::Ram,
        CacheMode::Auto => CacheMode::Disk,
        chosen => chosen,
    }
}

/// Free memory in bytes as Linux tells it; elsewhere 4 GiB is assumed.
fn available_memory() -> usize {
    let told = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("MemAvailable:"))?.to_string();
        line.split_whitespace().nth(1)?.parse::<usize>().ok()
    });
    told.map_or(4 << 30, |kilobytes| kilobytes << 10)
}

/// The user's cache folder: `PELAGE_CACHE`, else `pelage` in the platform's place for caches.
pub fn default_dir() -> std::path::PathBuf {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(std::path::PathBuf::from)
    };
    set("PELAGE_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|folder| folder.join("pelage")))
        .or_else(|| set("LOCALAPPDATA").map(|folder| folder.join("pelage")))
        .or_else(|| set("HOME").map(|folder| folder.join(".cache/pelage")))
        .unwrap_or_else(|| std::env::temp_dir().join("pelage-cache"))
}
