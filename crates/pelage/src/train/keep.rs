//! What becomes of a run's checkpoints and best weights.

use pelage_model::networks::Network;

use super::checkpoint::Snapshot;
use super::progress::Progress;
use crate::{Error, Result};

/// Keeps what training would not lose: in a run folder, or in memory.
pub trait Keep {
    /// Called from time to time, and after every epoch. `take` copies the state out; one that keeps no checkpoints need
    /// not call it.
    ///
    /// # Errors
    /// Whatever the keeping can fail with; training then ends.
    fn checkpoint(&mut self, take: &dyn Fn() -> Snapshot) -> Result<()>;

    /// Called where an epoch has the lowest validation loss so far: the network to predict with, and where the run stands.
    ///
    /// # Errors
    /// As [`Keep::checkpoint`].
    fn best(&mut self, network: Network, progress: &Progress) -> Result<()>;

    /// The error for a checkpoint that cannot be gone on from.
    fn refused(&self, reason: String) -> Error {
        Error::Settings(reason)
    }
}
