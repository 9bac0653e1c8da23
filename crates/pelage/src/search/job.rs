//! What comes next in a search: a trial that somebody left, a paused one that is worth more, or a new one.

use pelage_data::lock::FolderLock;
use pelage_data::shown;
use serde_json::{Map, Value};

use super::journal::Entry;
use super::sampler::Choosing;
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
        if let Some(number) = plan.promoted(trials, metric)
            && let Some(lock) = self.lock(number)?
        {
            return Ok(self.resumed(&trials[number], lock));
        }
        let wanted = self.settings.trials.is_none_or(|most| trials.len() < most);
        if wanted && let Some((entry, job)) = self.new_trial(trials)? {
            return Ok((vec![entry], Next::Train(job)));
        }
        if running().next().is_some() {
            return Ok((Vec::new(), Next::Wait));
        }
        if let Some(number) = plan.last_resort(trials, metric)
            && let Some(lock) = self.lock(number)?
        {
            return Ok(self.resumed(&trials[number], lock));
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
