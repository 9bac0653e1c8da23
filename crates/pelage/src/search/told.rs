//! What a search tells while it goes on.

use super::study::State;
use crate::train::Event;

/// What a search tells while it goes on.
#[derive(Debug)]
pub enum Told<'a> {
    /// A trial begins, or goes on.
    Began {
        /// Its number.
        number: usize,
        /// Its settings, in the order of the space.
        settings: Vec<(String, String)>,
        /// Epochs that it has done.
        from: usize,
        /// Epochs after which it is looked at.
        to: usize,
    },
    /// It is trained.
    Training {
        /// Its number.
        number: usize,
        /// What happens.
        event: &'a Event,
    },
    /// It has come to where it is looked at, or to its end.
    Ended {
        /// Its number.
        number: usize,
        /// How it stands now.
        state: State,
        /// Epochs done.
        epochs: usize,
        /// The metric of its best weights.
        value: Option<f64>,
        /// Why it failed.
        reason: Option<String>,
    },
    /// Others have trials in hand on which it depends what comes next.
    Waiting,
}

/// How work on a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// All trials are done.
    Done,
    /// The observer asked to stop.
    Stopped,
    /// The time is over.
    OutOfTime,
}
