//! What happens in training, as data.

use super::history::HistoryRow;

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// An epoch begins (or goes on after a resume).
    EpochStart {
        /// Counted from 1.
        epoch: usize,
        /// How many the recipe asks for.
        epochs: usize,
        /// Batches in an epoch.
        batches: usize,
        /// Batches of it done already, where a run goes on in mid-epoch.
        done: usize,
    },
    /// A batch was learnt.
    Batch {
        /// Batches done in this epoch.
        batch: usize,
        /// Batches in an epoch.
        batches: usize,
        /// Pictures in this batch.
        images: usize,
        /// Mean loss over the epoch's pictures so far.
        loss: f64,
        /// Share of the epoch's pictures so far told right.
        accuracy: f64,
        /// Steps done over the whole run.
        step: u64,
        /// Learning rate of this step.
        learning_rate: f64,
    },
    /// A batch was validated.
    Validation {
        /// Pictures done.
        images: usize,
        /// Pictures in all.
        total: usize,
    },
    /// An epoch and its validation are done and saved.
    EpochEnd {
        /// One row an epoch so far; the last is this one's.
        history: Vec<HistoryRow>,
        /// The epoch (from 1) with the lowest validation loss.
        best_epoch: Option<usize>,
        /// How many the recipe asks for.
        epochs: usize,
        /// Whether these are the best weights so far.
        improved: bool,
    },
}

/// What an observer answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Go on.
    Continue,
    /// Save and stop after this step.
    Stop,
}
