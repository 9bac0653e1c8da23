//! What is known of a table or a part of one, in a file of JSON beside it.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::decode::Limits;
use crate::shard::Shard;
use crate::{Error, Result, atomic};

/// What a table is made of and by: tables of one origin, but for the shard, belong together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The program with its version, and what it does.
    pub made_by: String,
    /// All that its rows depend on, by name.
    pub settings: BTreeMap<String, String>,
    /// How many files there are, of all shards.
    pub files: usize,
    /// The hash of their names in order.
    pub names: String,
    /// Which of them have a row here.
    pub shard: Shard,
}

/// The same, and of a whole table what it holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    #[serde(flatten)]
    pub(super) origin: Origin,
    /// The table's length in bytes.
    pub(super) bytes: Option<u64>,
    /// The hash of its bytes.
    pub(super) content: Option<String>,
    /// The hash of a file that belongs to it.
    #[serde(default)]
    pub(super) beside: Option<String>,
}

impl Record {
    /// That of a table which grows.
    pub(super) fn new(origin: Origin) -> Record {
        Record {
            origin,
            bytes: None,
            content: None,
            beside: None,
        }
    }

    /// Reads one; none where there is none.
    pub(super) fn read(path: &Path) -> Result<Option<Record>> {
        let text = match std::fs::read(path) {
            Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(Error::io(path))?,
        };
        let damaged = |failure| Error::data(path, format!("not a record of a table ({failure})"));
        serde_json::from_slice(&text).map(Some).map_err(damaged)
    }

    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_vec_pretty(self).map_err(|failure| Error::data(path, failure.to_string()))?;
        atomic::write(path, &[&text[..], b"\n"].concat())
    }

    /// Whether it is that of a whole table.
    pub(super) fn is_whole(&self) -> bool {
        self.content.is_some()
    }

    /// Notes what the whole table `file` and the file `beside` it hold.
    pub(super) fn end(&mut self, mut file: &File, beside: Option<&Path>) -> std::io::Result<()> {
        let mut hasher = blake3::Hasher::new();
        std::io::copy(&mut file, &mut hasher)?;
        self.bytes = Some(hasher.count());
        self.content = Some(hasher.finalize().to_hex().to_string());
        self.beside = beside.map(hash).transpose()?;
        Ok(())
    }

    /// Refuses the table at `path` if it is not of this origin.
    pub(super) fn check(&self, origin: &Origin, path: &Path) -> Result<()> {
        match self.origin.difference(origin) {
            None => Ok(()),
            Some(reason) => Err(Error::OtherOrigin {
                path: path.into(),
                reason,
            }),
        }
    }
}

/// The hash of a file's bytes.
pub(super) fn hash(path: &Path) -> std::io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    std::io::copy(&mut File::open(path)?, &mut hasher)?;
    Ok(hasher.finalize().to_hex().to_string())
}

impl Origin {
    /// That of what this version `does` with files of these `names`, of which one shard has rows.
    pub fn new(does: &str, settings: &[(&str, String)], names: impl Iterator<Item = String>, shard: Shard) -> Origin {
        let (mut hasher, mut files) = (blake3::Hasher::new(), 0);
        for name in names {
            hasher.update(name.as_bytes()).update(b"\0");
            files += 1;
        }
        let Limits {
            max_pixels, damaged, ..
        } = Limits::default();
        // All tables depend on how images are decoded.
        let decoding = [
            ("max_pixels", max_pixels.to_string()),
            ("damaged", format!("{damaged:?}").to_lowercase()),
        ];
        let settings = settings.iter().chain(&decoding);
        let settings = settings.map(|(name, value)| (name.to_string(), value.clone()));
        Origin {
            made_by: format!("pelage {} ({does})", env!("CARGO_PKG_VERSION")),
            settings: settings.collect(),
            files,
            names: hasher.finalize().to_hex().to_string(),
            shard,
        }
    }

    /// In what this differs from another, in words.
    fn difference(&self, other: &Origin) -> Option<String> {
        if self.shard != other.shard {
            return Some(format!("it is part {} of its table, not {}", self.shard, other.shard));
        }
        self.difference_beside_shard(other)
    }

    /// The same, where they are parts of one table.
    pub(super) fn difference_beside_shard(&self, other: &Origin) -> Option<String> {
        if self.made_by != other.made_by {
            return Some(format!("it is made by {}, not by {}", self.made_by, other.made_by));
        }
        let names = self.settings.keys().chain(other.settings.keys());
        for name in names {
            let [own, others] = [self, other].map(|origin| origin.settings.get(name).map_or("none", String::as_str));
            if own != others {
                return Some(match own.len().max(others.len()) > 40 || name == "model" {
                    true => format!("it is made with another {name}"),
                    false => format!("it is made with {name} {own}, not {others}"),
                });
            }
        }
        if (self.files, &self.names) != (other.files, &other.names) {
            return Some(match self.files == other.files {
                true => "the pictures have other names or another order".into(),
                false => format!("it is made of {} files, and here are {}", self.files, other.files),
            });
        }
        None
    }
}
