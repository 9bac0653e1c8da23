//! How one search stands, as its record tells.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use pelage::search::study::State as Trial;
use pelage::search::{Report, Search};
use serde::Serialize;

use super::status::{PATIENCE, State, seconds, written};

/// A search as its folder tells.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SearchStatus {
    /// The name of its folder.
    pub name: String,
    /// Whether somebody works on it, or how it ended.
    pub state: State,
    /// What is measured.
    pub metric: &'static str,
    /// How settings are chosen.
    pub sampler: &'static str,
    /// How trials are cut short.
    pub pruner: &'static str,
    /// The data set, as its settings name it.
    pub data: String,
    /// The most trials, where it has a number of them.
    pub most: Option<usize>,
    /// How many trials there are of each state.
    pub trials: Trials,
    /// The best so far.
    pub best: Option<Best>,
    /// When it last wrote, in seconds since 1970.
    pub updated: u64,
}

impl SearchStatus {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

/// How many trials there are of each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Trials {
    /// Being trained, or left by a process that has ended.
    pub running: usize,
    /// Trained to their end.
    pub complete: usize,
    /// Paused, to be taken up again if they are worth it.
    pub paused: usize,
    /// Given up for better ones.
    pub pruned: usize,
    /// Diverged, or refused.
    pub failed: usize,
}

/// The best trial.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Best {
    /// Its number.
    pub trial: usize,
    /// The metric of its best weights.
    pub value: f64,
    /// Epochs done.
    pub epochs: usize,
}

/// What was read of a search, until its record changes.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) search: Search,
    pub(crate) report: Report,
    /// The length of the record, and when it was written.
    stamp: Option<(u64, SystemTime)>,
}

impl Read {
    /// The search in `folder`, read anew if its record is not what it was `before`; none that cannot be read.
    pub(super) fn of(folder: &Path, before: Option<Arc<Read>>) -> Option<Arc<Read>> {
        let stamp = |path: PathBuf| {
            let about = path.metadata().ok()?;
            Some((about.len(), about.modified().ok()?))
        };
        if let Some(before) = before
            && stamp(before.search.record()) == before.stamp
        {
            return Some(before);
        }
        let search = Search::read(folder).ok()?;
        // Before it is read: what is added meanwhile is read the next time.
        let stamp = stamp(search.record());
        let report = search.report().ok()?;
        Some(Arc::new(Read { search, report, stamp }))
    }

    pub(super) fn status(&self, name: String) -> SearchStatus {
        let Read { search, report, .. } = self;
        let mut trials = Trials::default();
        let mut updated = written(&search.record()).unwrap_or(0.0);
        for row in &report.trials {
            *match row.state {
                state if state == Trial::Running.name() => {
                    // Its epochs may be long.
                    let files = ["log.txt", "history.csv", pelage::runs::folder::CHECKPOINT];
                    let signs = files.iter().filter_map(|file| written(&row.run.join(file)));
                    updated = signs.fold(updated, f64::max);
                    &mut trials.running
                }
                state if state == Trial::Complete.name() => &mut trials.complete,
                state if state == Trial::Pruned.name() => &mut trials.pruned,
                state if state == Trial::Failed.name() => &mut trials.failed,
                _ => &mut trials.paused,
            } += 1;
        }
        let silent = seconds(SystemTime::now()) - updated;
        let state = match trials {
            Trials { running: 1.., .. } if silent < PATIENCE => State::Running,
            Trials { running: 1.., .. } => State::Stopped,
            Trials { paused: 1.., .. } => State::Interrupted,
            _ => State::Finished,
        };
        let best = report.trials.first();
        SearchStatus {
            name,
            state,
            metric: report.metric,
            sampler: report.sampler,
            pruner: report.pruner,
            data: search.base.data.display().to_string(),
            most: search.settings.trials,
            trials,
            best: best.and_then(|row| {
                Some(Best {
                    trial: row.trial,
                    value: row.value?,
                    epochs: row.epochs,
                })
            }),
            updated: updated as u64,
        }
    }
}
