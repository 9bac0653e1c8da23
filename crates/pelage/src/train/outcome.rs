//! How training ended.

use super::history::HistoryRow;

/// The result of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// One row per epoch.
    pub history: Vec<HistoryRow>,
    /// The epoch (from 1) with the lowest validation loss, whose weights are kept; `None` before the end of the first
    /// epoch.
    pub best_epoch: Option<usize>,
    /// Why it ended.
    pub reason: EndReason,
}

/// Why training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// All epochs of the recipe are done.
    Finished,
    /// The validation loss did not improve for `patience` epochs.
    EarlyStop,
    /// The observer asked to stop; the checkpoint says where to continue.
    Interrupted,
}

impl std::fmt::Display for EndReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            EndReason::Finished => "all epochs done",
            EndReason::EarlyStop => "no improvement for as many epochs as the patience",
            EndReason::Interrupted => "interrupted",
        })
    }
}
