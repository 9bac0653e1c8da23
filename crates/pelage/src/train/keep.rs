//! Where a run's checkpoints and best weights go.

use pelage_model::networks::Network;

use super::checkpoint::Snapshot;
use super::progress::Progress;
use crate::{Error, Result};

/// Keeps nothing: where another process does.
pub struct Nothing;

impl Keep for Nothing {
    fn checkpoint(&mut self, _take: &dyn Fn() -> Snapshot) -> Result<()> {
        Ok(())
    }

    fn best(&mut self, _networks: Vec<Network>, _progress: &Progress) -> Result<()> {
        Ok(())
    }
}

/// Keeps the results of training: in a run folder, or in memory.
pub trait Keep {
    /// Called from time to time, and after every epoch. `take` copies the state; a `Keep` without checkpoints need not
    /// call it.
    ///
    /// # Errors
    /// Any failure of keeping it; training then ends.
    fn checkpoint(&mut self, take: &dyn Fn() -> Snapshot) -> Result<()>;

    /// Called after an epoch with the lowest validation loss so far, with the networks to predict with, one unless
    /// backbones are joined, and the progress.
    ///
    /// # Errors
    /// As [`Keep::checkpoint`].
    fn best(&mut self, networks: Vec<Network>, progress: &Progress) -> Result<()>;

    /// The error for a checkpoint that cannot be resumed from.
    fn refused(&self, reason: String) -> Error {
        Error::model("checkpoint", reason)
    }
}
