//! The checkpoint and the best model of a run, in its folder.

use std::path::{Path, PathBuf};

use pelage_model::networks::Network;
use pelage_model::paths;

use super::config::Config;
use crate::train::checkpoint::Snapshot;
use crate::train::facts::{NEAR_COPIES, facts};
use crate::train::progress::Progress;
use crate::train::{Data, Keep};
use crate::{Error, Model, Result, atomic, save};

/// The name of the checkpoint in a run folder.
pub const CHECKPOINT: &str = "last.safetensors";

/// Keeps everything in files, each written atomically.
pub struct Folder<'a> {
    /// The run folder.
    pub path: &'a Path,
    /// The run's settings.
    pub config: &'a Config,
    /// The run's images, or their features.
    pub data: &'a Data,
    /// How many validation images look like training images, if that was looked for.
    pub leaked: Option<usize>,
}

impl Keep for Folder<'_> {
    fn checkpoint(&mut self, take: &dyn Fn() -> Snapshot) -> Result<()> {
        let path = checkpoint_path(self.path);
        let bytes = take().encode().map_err(|reason| Error::model(&path, reason))?;
        Ok(atomic::write(&path, &bytes)?)
    }

    fn best(&mut self, networks: Vec<Network>, progress: &Progress) -> Result<()> {
        let path = self.path.join(paths::BEST);
        let settings = serde_json::to_value(self.config.to_table()?)
            .map_err(|failure| Error::model(&path, failure.to_string()))?;
        let mut facts = facts(&self.config.recipe, progress, self.data, settings);
        if let Some(leaked) = self.leaked {
            facts.training[NEAR_COPIES] = leaked.into();
        }
        save(&Model::new(networks, facts), &path)
    }

    fn refused(&self, reason: String) -> Error {
        Error::model(checkpoint_path(self.path), reason)
    }
}

/// The checkpoint of the run in `folder`; `None` if there is none yet.
///
/// # Errors
/// A damaged checkpoint.
pub fn checkpoint(folder: &Path) -> Result<Option<Snapshot>> {
    let path = checkpoint_path(folder);
    if !path.exists() {
        return Ok(None);
    }
    let bytes = std::fs::read(&path).map_err(Error::io(&path))?;
    let snapshot = Snapshot::decode(&bytes).map_err(|reason| Error::model(&path, reason))?;
    Ok(Some(snapshot))
}

fn checkpoint_path(folder: &Path) -> PathBuf {
    folder.join(CHECKPOINT)
}
