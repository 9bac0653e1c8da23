//! Training events, as data.

use super::history::HistoryRow;

/// Classes above which there is no confusion matrix after every epoch: it has the square of them in cells.
pub const CONFUSED_CLASSES: usize = 1000;

/// A training event.
#[derive(Clone, Debug)]
pub enum Event {
    /// An epoch starts, or continues after a resume.
    EpochStart {
        /// Counted from 1.
        epoch: usize,
        /// The recipe's number of epochs.
        epochs: usize,
        /// Batches in an epoch.
        batches: usize,
        /// Batches already done, if a run resumes in mid-epoch.
        done: usize,
    },
    /// A step was done: one batch, or as many as are accumulated.
    Batch {
        /// Batches done in this epoch.
        batch: usize,
        /// Batches in an epoch.
        batches: usize,
        /// Images in the batches of this step.
        images: usize,
        /// Mean loss over the images of the epoch so far.
        loss: f64,
        /// Accuracy on the images of the epoch so far, 0 to 1.
        accuracy: f64,
        /// Steps done over the whole run.
        step: u64,
        /// Learning rate of this step.
        learning_rate: f64,
    },
    /// A head was solved to its optimum, in place of batches.
    Solved {
        /// The strength of regularization that cross-validation chose, see [`crate::logistic::fit`].
        strength: f64,
        /// Mean loss on training images, each predicted by a fit without it; none if there were too few to choose by.
        cross_validated: Option<f64>,
    },
    /// A batch was validated.
    Validation {
        /// Images done.
        images: usize,
        /// Images in total.
        total: usize,
    },
    /// An epoch and its validation are done and saved.
    EpochEnd {
        /// One row per epoch so far; the last is this one's.
        history: Vec<HistoryRow>,
        /// The epoch (from 1) with the lowest validation loss.
        best_epoch: Option<usize>,
        /// The recipe's number of epochs.
        epochs: usize,
        /// Whether these are the best weights so far.
        improved: bool,
        /// How many validation images of each class (first index) were called which (second); none of more classes
        /// than [`CONFUSED_CLASSES`].
        confusion_matrix: Option<Vec<Vec<usize>>>,
    },
}

/// An observer's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Continue.
    Continue,
    /// Save and stop after this step.
    Stop,
}
