//! What each setting has to do with how good a trial is: permutation importance (Breiman 2001) on a random forest that
//! predicts the place of a trial among all, from its settings.
//!
//! A place, and not the metric: a loss that exploded would drown all others. Trials that paused have theirs by what
//! they had come to, mostly behind those that went on.

use serde::Serialize;

use super::forest::{Kind, permutation_importance};
use super::space::{Setting, Space};
use super::study::{Metric, State, Trial, best_first};

/// Fewer trials tell nothing.
pub const FEWEST: usize = 10;

/// A setting, and its share of what can be told from all.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Importance {
    /// The setting.
    pub setting: String,
    /// Its share, 0 to 1; all shares together are 1.
    pub share: f64,
}

/// The settings, the most important first; none of too few trials, or where nothing tells anything.
pub fn importance(space: &Space, trials: &[Trial], metric: Metric) -> Vec<Importance> {
    let mut places: Vec<&Trial> = best_first(trials, metric);
    let good = places.len();
    places.extend(trials.iter().filter(|trial| trial.state == State::Failed));
    if places.len() < FEWEST {
        return Vec::new();
    }
    // All that failed share a place.
    let last = (places.len() - 1).max(1) as f64;
    let truth: Vec<f64> = (0..places.len()).map(|place| place.min(good) as f64 / last).collect();
    let rows: Vec<Vec<f64>> = places
        .iter()
        .map(|trial| space.settings.iter().map(|one| column(one, trial)).collect())
        .collect();
    let kind = |one: &Setting| match one.distribution.choices() {
        Some(_) => Kind::Choice,
        None => Kind::Ordered,
    };
    let kinds: Vec<Kind> = space.settings.iter().map(kind).collect();
    let found = permutation_importance(&rows, &truth, &kinds, 0);
    let sum: f64 = found.iter().map(|one| one.max(0.0)).sum();
    if sum <= 0.0 {
        return Vec::new();
    }
    let named = space.settings.iter().zip(found).map(|(setting, one)| Importance {
        setting: setting.name.clone(),
        share: one.max(0.0) / sum,
    });
    let mut named: Vec<Importance> = named.collect();
    named.sort_by(|a, b| b.share.total_cmp(&a.share));
    named
}

/// What a trial has of a setting; below all values where it does not apply.
fn column(setting: &Setting, trial: &Trial) -> f64 {
    let (low, high) = setting.distribution.bounds();
    match trial.parameters.get(&setting.name) {
        Some(value) if setting.distribution.is_log() => value.ln(),
        Some(value) => *value,
        None => low - (high - low).max(1.0),
    }
}
