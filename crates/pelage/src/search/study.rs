//! What a journal tells: the trials of a search, each with its settings, its values so far, and its state.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::distribution::Distribution;
use super::space::Parameters;

/// Where a trial stands; the numbers are Optuna's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub enum State {
    /// Being trained, or left by a process that has ended.
    Running,
    /// Trained to its end.
    Complete,
    /// Given up for better ones.
    Pruned,
    /// Diverged, or refused.
    Failed,
    /// Paused, to be taken up again if it is worth it.
    Waiting,
}

impl From<State> for u8 {
    fn from(state: State) -> u8 {
        state as u8
    }
}

impl TryFrom<u8> for State {
    type Error = String;

    fn try_from(number: u8) -> Result<Self, String> {
        use State::{Complete, Failed, Pruned, Running, Waiting};
        let state = [Running, Complete, Pruned, Failed, Waiting]
            .into_iter()
            .nth(number.into());
        state.ok_or_else(|| format!("{number} is no state of a trial"))
    }
}

impl State {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            State::Running => "running",
            State::Complete => "complete",
            State::Pruned => "pruned",
            State::Failed => "failed",
            State::Waiting => "paused",
        }
    }

    /// Whether nothing more comes of it.
    pub fn is_finished(self) -> bool {
        matches!(self, State::Complete | State::Pruned | State::Failed)
    }
}

/// A trial.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// Counted from 0 within the search.
    pub number: usize,
    /// Where it stands.
    pub state: State,
    /// The chosen settings, as numbers inside their distributions.
    pub parameters: Parameters,
    /// These.
    pub distributions: BTreeMap<String, Distribution>,
    /// The metric after each epoch, of the weights that were best by then.
    pub values: BTreeMap<usize, f64>,
    /// What else is noted.
    pub notes: BTreeMap<String, Value>,
    /// When it began and when it ended, as in the journal.
    pub started: Option<String>,
    /// The same of its end.
    pub ended: Option<String>,
}

/// The note of a trial that says up to which epoch it was meant to be trained; every trial of ours has it.
pub(super) const PLANNED: &str = "epochs_planned";

impl Trial {
    /// One without settings, of these values, one an epoch.
    #[cfg(test)]
    pub(super) fn of(number: usize, state: State, values: &[f64]) -> Trial {
        Trial {
            number,
            state,
            parameters: BTreeMap::new(),
            distributions: BTreeMap::new(),
            values: (1..).zip(values.iter().copied()).collect(),
            notes: BTreeMap::new(),
            started: None,
            ended: None,
        }
    }

    /// Whether it is ours to train: Optuna's tools may add others, which are learnt from and left alone.
    pub fn is_ours(&self) -> bool {
        self.notes.contains_key(PLANNED)
    }

    /// Epochs done.
    pub fn epochs(&self) -> usize {
        self.values.keys().next_back().copied().unwrap_or(0)
    }

    /// The metric of its best weights.
    pub fn value(&self) -> Option<f64> {
        self.values.values().next_back().copied()
    }

    /// The metric after `epoch` epochs, if it has come so far.
    pub fn value_at(&self, epoch: usize) -> Option<f64> {
        self.values.get(&epoch).copied()
    }
}

pelage_data::choices! {
    /// What is measured.
    Metric {
        /// The lower, the better.
        ValidationLoss = "validation-loss",
        /// The higher, the better.
        ValidationAccuracy = "validation-accuracy",
    }
}

impl Metric {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Metric::ValidationLoss => "validation loss",
            Metric::ValidationAccuracy => "validation accuracy",
        }
    }

    /// `value` so that lower is better.
    pub fn score(self, value: f64) -> f64 {
        match self {
            Metric::ValidationLoss => value,
            Metric::ValidationAccuracy => -value,
        }
    }
}

/// The trials that have values, best first, however far they came: what is measured is a model either way. Failed ones
/// teach nothing.
pub fn best_first(trials: &[Trial], metric: Metric) -> Vec<&Trial> {
    let mut best: Vec<(f64, &Trial)> = trials
        .iter()
        .filter(|trial| trial.state != State::Failed)
        .filter_map(|trial| Some((metric.score(trial.value()?), trial)))
        .collect();
    best.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.number.cmp(&b.1.number)));
    best.into_iter().map(|(_, trial)| trial).collect()
}
