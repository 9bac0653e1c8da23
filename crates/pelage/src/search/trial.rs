//! A trial, trained to where it is looked at.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use pelage_data::Progress;
use pelage_data::cache::CacheMode;

use super::job::{Job, REASON};
use super::journal::{Entry, Journal};
use super::settings::Search;
use super::study::{Metric, State, Trial};
use super::told::Told;
use crate::runs::{Extension, Run, folder};
use crate::train::history::HistoryRow;
use crate::train::{Control, EndReason, Event, Recipe};
use crate::{Config, Error, Result};

impl Search {
    /// Trains a trial to where it is looked at; `opening` is held while its images are decoded.
    pub(super) fn train(
        &self,
        job: &Job,
        journal: &mut Journal,
        opening: &Mutex<()>,
        over: &dyn Fn() -> bool,
        progress: &(dyn Fn(Progress) + Sync),
        observe: &mut dyn FnMut(&Told) -> Control,
    ) -> Result<Control> {
        let (number, metric) = (job.number, self.settings.metric);
        // What the record lacks, if a process was killed between an epoch and its line.
        let done = folder::checkpoint(&self.run(number))?.map(|one| one.progress().history.clone());
        let done = values(&done.unwrap_or_default(), metric);
        journal.decide(|trials| Ok((added(&trials[number], &done), ())))?;
        let epochs = journal.trials()[number].epochs();
        let began = Told::Began {
            number,
            settings: self.space.texts(&job.parameters),
            from: epochs,
            to: job.target,
        };
        // It stays as it is, and whoever resumes the search begins with it.
        if observe(&began) == Control::Stop {
            return Ok(Control::Stop);
        }
        if epochs >= job.target && job.target < self.plan().epochs {
            return self.ended(journal, job, State::Waiting, None, observe);
        }
        let failed = |failure: Error| Some(failure.to_string());
        // A combination that no training can have is a failed trial, and so is one that diverges; what has another
        // cause ends the search.
        let recipe = match self.space.recipe(&self.base.recipe, &job.parameters) {
            Ok(recipe) => recipe,
            Err(refused) => return self.ended(journal, job, State::Failed, failed(refused), observe),
        };
        let run = {
            // Whoever comes next finds what the first has decoded, where that is kept for others.
            let shares = self.base.compute.cache == CacheMode::Disk;
            let _first = shares.then(|| opening.lock().unwrap_or_else(PoisonError::into_inner));
            self.opened(&self.run(number), recipe, progress)?
        };
        let (mut state, mut stopped, mut failure) = (None, Control::Continue, None);
        let trained = run.train(&mut |event| {
            if observe(&Told::Training { number, event }) == Control::Stop {
                stopped = Control::Stop;
            }
            if let Event::EpochEnd { history, .. } = event {
                match self.looked_at(journal, job, history) {
                    Ok(next) => state = next,
                    Err(unwritten) => failure = Some(unwritten),
                }
            }
            if state.is_none() && over() {
                state = Some(State::Waiting);
            }
            match state.is_some() || failure.is_some() || stopped == Control::Stop {
                true => Control::Stop,
                false => Control::Continue,
            }
        });
        if let Some(failure) = failure {
            return Err(failure);
        }
        let outcome = match trained {
            Ok(outcome) => outcome,
            Err(failure @ Error::Diverged { .. }) => {
                return self.ended(journal, job, State::Failed, failed(failure), observe);
            }
            Err(failure) => return Err(failure),
        };
        let done = values(&outcome.history, metric);
        journal.decide(|trials| Ok((added(&trials[number], &done), ())))?;
        let state = match outcome.reason {
            EndReason::Finished | EndReason::EarlyStop => Some(State::Complete),
            // Without a state it stays as it is, as above.
            EndReason::Interrupted => state,
        };
        if let Some(state) = state
            && self.ended(journal, job, state, None, observe)? == Control::Stop
        {
            stopped = Control::Stop;
        }
        Ok(stopped)
    }

    /// The run by `recipe` in `folder`, begun or resumed.
    pub(super) fn opened(&self, folder: &Path, recipe: Recipe, progress: &(dyn Fn(Progress) + Sync)) -> Result<Run> {
        if folder.join("config.toml").exists() {
            return Run::resume(folder, Extension::default(), progress);
        }
        let config = Config {
            recipe,
            ..self.base.clone()
        };
        Run::create(config, folder, progress)
    }

    /// Writes down an epoch; the state in which the trial is to stop, if it is.
    fn looked_at(&self, journal: &mut Journal, job: &Job, history: &[HistoryRow]) -> Result<Option<State>> {
        let (plan, metric) = (self.plan(), self.settings.metric);
        let done = values(history, metric);
        journal.decide(|trials| {
            let entries = added(&trials[job.number], &done);
            let epoch = done.len();
            let hopeless = |value: &f64| plan.is_hopeless(trials, metric, job.number, epoch, *value);
            let state = match epoch {
                _ if epoch >= plan.epochs => None,
                _ if done.last().is_some_and(hopeless) => Some(State::Pruned),
                _ if epoch >= job.target => Some(State::Waiting),
                _ => None,
            };
            Ok((entries, state))
        })
    }

    fn ended(
        &self,
        journal: &mut Journal,
        job: &Job,
        state: State,
        reason: Option<String>,
        observe: &mut dyn FnMut(&Told) -> Control,
    ) -> Result<Control> {
        let number = job.number;
        let noted = reason.clone().map(|reason| Entry::Note {
            number,
            name: REASON,
            value: reason.into(),
        });
        let value = journal.trials()[number].value();
        let complete = value.filter(|_| state == State::Complete);
        let state_now = Entry::State {
            number,
            state,
            value: complete,
        };
        journal.append(noted.into_iter().chain([state_now]).collect())?;
        let epochs = journal.trials()[number].epochs();
        Ok(observe(&Told::Ended {
            number,
            state,
            epochs,
            value,
            reason,
        }))
    }
}

/// The metric after each epoch: that of the weights which are kept, those with the lowest validation loss so far.
pub(super) fn values(history: &[HistoryRow], metric: Metric) -> Vec<f64> {
    let mut kept: Option<&HistoryRow> = None;
    let mut values = Vec::with_capacity(history.len());
    for row in history {
        let best = kept
            .filter(|kept| kept.validation_loss <= row.validation_loss)
            .unwrap_or(row);
        kept = Some(best);
        values.push(match metric {
            Metric::ValidationLoss => best.validation_loss,
            Metric::ValidationAccuracy => best.validation_accuracy,
        });
    }
    values
}

/// The epochs that the record of a trial lacks.
fn added(trial: &Trial, values: &[f64]) -> Vec<Entry> {
    let rows = (1..).zip(values).filter(|(epoch, _)| *epoch > trial.epochs());
    let entry = |(epoch, &value): (usize, &f64)| Entry::Epoch {
        number: trial.number,
        epoch,
        value,
    };
    rows.map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metric_is_that_of_the_weights_which_are_kept() {
        let row = |(epoch, loss, accuracy): (usize, f64, f64)| HistoryRow {
            epoch,
            step: 0,
            learning_rate: 0.1,
            train_loss: 1.0,
            train_accuracy: 0.5,
            validation_loss: loss,
            validation_accuracy: accuracy,
            seconds: 1.0,
            images_per_second: 1.0,
        };
        let history = [(1, 0.6, 0.7), (2, 0.7, 0.9), (3, 0.5, 0.8), (4, 0.5, 0.1)].map(row);
        assert_eq!(values(&history, Metric::ValidationLoss), [0.6, 0.6, 0.5, 0.5]);
        assert_eq!(values(&history, Metric::ValidationAccuracy), [0.7, 0.7, 0.8, 0.8]);
        assert!(values(&[], Metric::ValidationLoss).is_empty());
    }
}
