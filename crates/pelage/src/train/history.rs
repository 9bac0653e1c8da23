//! One row of a run's history.

use serde::{Deserialize, Serialize};

/// One epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistoryRow {
    /// Counted from 1.
    pub epoch: usize,
    /// Steps done at its end, over the whole run.
    pub step: u64,
    /// Learning rate of its last step.
    pub learning_rate: f64,
    /// Mean loss over its (augmented) training images, each computed before its step's update.
    pub train_loss: f64,
    /// Accuracy on them, 0 to 1.
    pub train_accuracy: f64,
    /// Mean loss over the validation images after the epoch.
    pub validation_loss: f64,
    /// Accuracy on them, 0 to 1.
    pub validation_accuracy: f64,
    /// Seconds for training and validation.
    pub seconds: f64,
    /// Images (training and validation) per second.
    pub images_per_second: f64,
}
