//! What comes next in a search: a trial that somebody left, a paused one that is worth more, or a new one.

use pelage_data::lock::FolderLock;
use pelage_data::shown;
use serde_json::{Map, Value};

use super::choosing::Choosing;
use super::journal::Entry;
use super::settings::Search;
use super::space::Parameters;
use super::study::{PLANNED, State, Trial};
use crate::{Error, Result};

/// Failures, with nothing else, after which a search gives up.
const HOPELESS: usize = 10;
/// The note of why a trial failed.
pub(super) const REASON: &str = "failure";
/// That a trial has the settings of the base, unchanged.
pub(super) const BASELINE: &str = "baseline";

/// A trial in hand: nobody else takes it while its lock is held.
pub(super) struct Job {
    pub(super) number: usize,
    pub(super) parameters: Parameters,
    pub(super) target: usize,
    _lock: FolderLock,
}

/// What comes next.
pub(super) enum Next {
    Train(Job),
    Wait,
    Done,
}

impl Search {
    /// Decides what comes next, and says what to write down of it.
    pub(super) fn next(&self, trials: &[Trial]) -> Result<(Vec<Entry>, Next)> {
        self.check_space(trials)?;
        self.check_hope(trials)?;
        let (plan, metric) = (self.plan(), self.settings.metric);
        // What a process that has ended left.
        let running = || {
            trials
                .iter()
                .filter(|trial| trial.state == State::Running && trial.is_ours())
        };
        for trial in running() {
            if let Some(lock) = self.lock(trial.number)? {
                let noted = trial.notes.get(PLANNED).and_then(Value::as_u64);
                let target = noted.map_or(plan.target(trial.number, trial.epochs()), |target| target as usize);
                return Ok((Vec::new(), Next::Train(job(trial, target, lock))));
            }
        }
        // Who has just paused it holds it a moment longer.
        let mut is_held = false;
        if let Some(number) = plan.promoted(trials, metric) {
            match self.lock(number)? {
                Some(lock) => return Ok(self.resumed(&trials[number], lock)),
                None => is_held = true,
            }
        }
        let wanted = self.settings.trials.is_none_or(|most| trials.len() < most);
        if wanted && let Some((entry, job)) = self.new_trial(trials)? {
            return Ok((vec![entry], Next::Train(job)));
        }
        if is_held || running().next().is_some() {
            return Ok((Vec::new(), Next::Wait));
        }
        if let Some(number) = plan.last_resort(trials, metric) {
            return Ok(match self.lock(number)? {
                Some(lock) => self.resumed(&trials[number], lock),
                None => (Vec::new(), Next::Wait),
            });
        }
        let left = trials
            .iter()
            .filter(|trial| trial.state == State::Waiting && trial.is_ours());
        let given_up = left.map(|trial| Entry::State {
            number: trial.number,
            state: State::Pruned,
            value: None,
        });
        Ok((given_up.collect(), Next::Done))
    }

    /// Trials of another space say nothing here: their choices would be taken for others.
    fn check_space(&self, trials: &[Trial]) -> Result<()> {
        let known = |name: &String| self.space.settings.iter().find(|setting| setting.name == *name);
        let other = |trial: &&Trial| {
            let mut chosen = trial.distributions.iter();
            trial.is_ours() && chosen.any(|(name, one)| known(name).is_none_or(|known| known.distribution != *one))
        };
        match trials.iter().find(other) {
            None => Ok(()),
            Some(trial) => Err(Error::Settings(format!(
                "{}: the space is not the one that trial {} was chosen from; put it back, or begin another search",
                shown::path(&self.folder),
                trial.number
            ))),
        }
    }

    /// Where nothing has come to anything, more trials will not either.
    fn check_hope(&self, trials: &[Trial]) -> Result<()> {
        let mut failed = trials.iter().filter(|trial| trial.state == State::Failed);
        let nothing = trials.iter().all(|trial| trial.values.is_empty());
        match failed.clone().count() {
            count if count >= HOPELESS && nothing => {
                let last = failed
                    .next_back()
                    .and_then(|trial| trial.notes.get(REASON))
                    .and_then(Value::as_str);
                let last = last.unwrap_or("no reason is known");
                Err(Error::Settings(format!(
                    "all of {count} trials failed, the last one since {last}"
                )))
            }
            _ => Ok(()),
        }
    }

    fn resumed(&self, trial: &Trial, lock: FolderLock) -> (Vec<Entry>, Next) {
        let target = self.plan().target(trial.number, trial.epochs());
        let (number, state) = (trial.number, State::Running);
        let planned = Entry::Note {
            number,
            name: PLANNED,
            value: target.into(),
        };
        let entries = vec![
            planned,
            Entry::State {
                number,
                state,
                value: None,
            },
        ];
        (entries, Next::Train(job(trial, target, lock)))
    }

    /// A new trial: the first has the settings of the base.
    fn new_trial(&self, trials: &[Trial]) -> Result<Option<(Entry, Job)>> {
        let number = trials.len();
        let choosing = Choosing {
            space: &self.space,
            base: &self.base.recipe,
            metric: self.settings.metric,
            seed: self.settings.seed,
            by_time: self.settings.trials.is_none(),
        };
        let (base, unchanged) = self.space.of(&self.base.recipe);
        let parameters = match number {
            0 => base,
            _ => match self.settings.sampler.next(&choosing, trials, number)? {
                Some(parameters) => parameters,
                None => return Ok(None),
            },
        };
        let target = self.plan().target(number, 0);
        let mut notes = Map::from_iter([(PLANNED.to_string(), target.into())]);
        if number == 0 {
            notes.insert(BASELINE.into(), unchanged.into());
        }
        let settings = self
            .space
            .settings
            .iter()
            .filter(|one| parameters.contains_key(&one.name));
        let entry = Entry::Trial {
            distributions: settings
                .map(|one| (one.name.clone(), one.distribution.clone()))
                .collect(),
            parameters: parameters.clone(),
            notes,
        };
        // Before it stands in the record, so that nobody takes it for one that was left.
        let lock = self.lock(number)?.ok_or_else(|| {
            Error::folder(
                &self.folder,
                format!("trial {number} is not in its record, and yet somebody trains it"),
            )
        })?;
        Ok(Some((
            entry,
            Job {
                number,
                parameters,
                target,
                _lock: lock,
            },
        )))
    }

    /// The right to train a trial; none where another process has it.
    fn lock(&self, number: usize) -> Result<Option<FolderLock>> {
        match FolderLock::take(&self.folder.join("working").join(number.to_string())) {
            Ok(lock) => Ok(Some(lock)),
            Err(pelage_data::Error::Busy { .. }) => Ok(None),
            Err(failure) => Err(failure.into()),
        }
    }
}

/// Why a trial failed.
pub(super) fn reason(trial: &Trial) -> Option<&str> {
    trial.notes.get(REASON).and_then(Value::as_str)
}

fn job(trial: &Trial, target: usize, lock: FolderLock) -> Job {
    Job {
        number: trial.number,
        parameters: trial.parameters.clone(),
        target,
        _lock: lock,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::super::pruner::Pruner;
    use super::super::sampler::Sampler;
    use super::super::settings::Settings;
    use super::super::space::Space;
    use super::super::study::Metric;
    use super::*;
    use crate::runs::Config;

    /// A search of so many trials, of three epochs at most.
    fn search(folder: &Path, trials: usize) -> Search {
        let mut base = Config::new("data");
        base.recipe.epochs = 3;
        let settings = Settings {
            sampler: Sampler::Random,
            pruner: Pruner::Hyperband,
            metric: Metric::ValidationLoss,
            trials: Some(trials),
            seed: 0,
        };
        Search {
            folder: folder.to_path_buf(),
            settings,
            space: Space::read("[learning_rate]\nlow = 0.001\nhigh = 0.1\n", &base.recipe).unwrap(),
            base,
        }
    }

    fn trial(number: usize, state: State, values: &[f64]) -> Trial {
        Trial {
            notes: BTreeMap::from([(PLANNED.into(), 1.into())]),
            ..Trial::of(number, state, values)
        }
    }

    #[test]
    fn a_paused_trial_that_somebody_holds_still_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let plan = search(folder.path(), 1).plan();
        // Those that pause after an epoch: of three the best goes on, and one alone does as the last resort.
        let pausing: Vec<usize> = (1..).filter(|&number| plan.bracket(number) == 0).take(3).collect();
        let (best, last) = (pausing[0], pausing[2]);
        for many in [3, 1] {
            let mut trials: Vec<_> = (0..=last).map(|number| trial(number, State::Failed, &[])).collect();
            trials[0] = trial(0, State::Complete, &[0.9; 3]);
            for &number in &pausing[..many] {
                trials[number] = trial(number, State::Waiting, &[0.01 * number as f64]);
            }
            let search = search(folder.path(), trials.len());
            assert_eq!(plan.promoted(&trials, search.settings.metric).is_some(), many == 3);
            let held = FolderLock::take(&folder.path().join(format!("working/{best}"))).unwrap();
            let (entries, next) = search.next(&trials).unwrap();
            assert!(entries.is_empty() && matches!(next, Next::Wait), "{many}: {entries:?}");
            drop(held);
            let (entries, next) = search.next(&trials).unwrap();
            assert!(
                matches!(&next, Next::Train(job) if job.number == best),
                "{many}: {entries:?}"
            );
        }
    }
}
