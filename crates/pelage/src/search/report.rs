//! What a search has found so far, as people and programs read it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::confirm::Confirmed;
use super::importance::{Importance, importance};
use super::job::{BASELINE, reason};
use super::journal::Journal;
use super::settings::Search;
use super::study::{State, Trial, best_first};
use crate::Result;
use crate::evaluate::metrics::wilson;
use crate::runs::own::majority;
use crate::runs::run::CONFIG;
use crate::runs::{Config, history};
use crate::train::advice::{Majority, is_no_better};

/// A search so far.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Its folder.
    pub folder: PathBuf,
    /// What is measured.
    pub metric: &'static str,
    /// How settings are chosen.
    pub sampler: &'static str,
    /// How trials are cut short.
    pub pruner: &'static str,
    /// The trials, best first, then those without a value.
    pub trials: Vec<Row>,
    /// The settings that differ among the trials, in the order of the space.
    pub differing: Vec<String>,
    /// How much each setting matters; empty where too few trials tell.
    pub importance: Vec<Importance>,
    /// The accuracy of the best trial beside what needs no model; `None` as long as there is none.
    pub chance: Option<Chance>,
    /// The best settings, trained again with other seeds, where they were.
    pub confirmed: Option<Confirmed>,
}

/// An accuracy, and what it is no better than if it may be luck.
#[derive(Clone, Debug, Serialize)]
pub struct Chance {
    /// Of the weights that the best trial keeps, 0 to 1.
    pub accuracy: f64,
    /// Its 95 % interval.
    pub accuracy_interval: [f64; 2],
    /// The most frequent class of the validation images.
    #[serde(flatten)]
    pub majority: Majority,
    /// Whether the interval is above the share of that class.
    pub is_better: bool,
}

/// A trial.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Its number, from 0.
    pub trial: usize,
    /// How it stands.
    pub state: &'static str,
    /// The metric of its best weights.
    pub value: Option<f64>,
    /// Epochs done.
    pub epochs: usize,
    /// Its settings.
    pub settings: BTreeMap<String, String>,
    /// Its run folder.
    pub run: PathBuf,
    /// Whether these are the settings that the search began from, unchanged.
    pub is_baseline: bool,
    /// Why it failed.
    pub failure: Option<String>,
}

impl Search {
    /// What it has found so far, without what [`Search::confirmed`] tells.
    ///
    /// # Errors
    /// A record that cannot be read.
    pub fn report(&self) -> Result<Report> {
        let journal = Journal::read(&self.record())?;
        let (trials, metric) = (journal.trials(), self.settings.metric);
        let best = best_first(trials, metric);
        let rest = trials
            .iter()
            .filter(|trial| trial.state == State::Failed || trial.values.is_empty());
        let rows: Vec<_> = best.into_iter().chain(rest).map(|trial| self.row(trial)).collect();
        let differs = |name: &&String| {
            let values = trials
                .iter()
                .map(|trial| trial.parameters.get(*name).map(|value| value.to_bits()));
            let mut values: Vec<_> = values.collect();
            values.dedup();
            values.len() > 1
        };
        let names = self.space.settings.iter().map(|setting| &setting.name);
        Ok(Report {
            folder: self.folder.clone(),
            metric: metric.name(),
            sampler: self.settings.sampler.name(),
            pruner: self.settings.pruner.name(),
            differing: names.filter(differs).cloned().collect(),
            importance: importance(&self.space, trials, metric),
            chance: rows.first().and_then(chance),
            confirmed: None,
            trials: rows,
        })
    }

    fn row(&self, trial: &Trial) -> Row {
        Row {
            trial: trial.number,
            state: trial.state.name(),
            value: trial.value(),
            epochs: trial.epochs(),
            settings: self.space.texts(&trial.parameters).into_iter().collect(),
            run: self.run(trial.number),
            is_baseline: trial.notes.get(BASELINE).and_then(serde_json::Value::as_bool) == Some(true),
            failure: reason(trial).map(String::from),
        }
    }
}

/// How the run of a trial does beside the most frequent class of the images that it was validated on.
fn chance(row: &Row) -> Option<Chance> {
    row.value?;
    let Config { recipe, record, .. } = Config::read(&row.run.join(CONFIG)).ok()?;
    let history = history::of(&row.run).ok()??;
    let accuracy = history::best(&recipe, &history)?.validation_accuracy;
    let majority = majority(&row.run, record.as_deref())?;
    Some(Chance {
        accuracy,
        accuracy_interval: wilson(accuracy, majority.pictures),
        is_better: !is_no_better(accuracy, majority.pictures, majority.share),
        majority,
    })
}

impl Chance {
    /// In a sentence.
    pub fn note(&self) -> String {
        let [low, high] = self.accuracy_interval.map(|end| 100.0 * end);
        let Majority { class, share, pictures } = &self.majority;
        let beside = match self.is_better {
            true => "always answering",
            false => "it is not shown to be better: always answering",
        };
        format!(
            "The accuracy of the best trial is {:.2} % (95 % interval {low:.1} to {high:.1} %); {beside} {class} is \
             right for {:.2} % of the {pictures} validation pictures.",
            100.0 * self.accuracy,
            100.0 * share
        )
    }
}

impl Report {
    /// What is to be thought of the best trial, in a few sentences.
    pub fn note(&self) -> String {
        match &self.chance {
            Some(chance) => format!("{} {}", self.selection(), chance.note()),
            None => self.selection(),
        }
    }

    /// How much of its value is luck.
    fn selection(&self) -> String {
        let Some(best) = self.trials.first().and_then(|row| Some((row, row.value?))) else {
            return "No trial has come to anything yet.".into();
        };
        let (row, value) = best;
        let valued = self.trials.iter().filter(|row| row.value.is_some()).count();
        let Some(confirmed) = &self.confirmed else {
            return format!(
                "Trial {} is the best of {valued}, chosen on these validation pictures: a part of its {value:.4} is \
                 luck. Its settings, trained again with other seeds, tell how much.",
                row.trial
            );
        };
        let Confirmed {
            trial,
            selected,
            mean,
            baseline,
            runs,
            ..
        } = confirmed;
        let lost = (selected - mean).abs();
        let seeds = if runs.len() == 1 {
            "another seed".into()
        } else {
            format!("{} other seeds", runs.len())
        };
        let sign = if self.metric == "validation-loss" { 1.0 } else { -1.0 };
        let worse = sign * (mean - selected);
        let mut note = format!(
            "Trained again with {seeds}, the settings of trial {trial} come to {mean:.4}, where the trial itself has \
             {selected:.4}: "
        );
        note += &match baseline
            .map(|baseline| sign * (baseline - selected))
            .filter(|gain| *gain > 0.0)
        {
            _ if worse <= 0.0 => "nothing of it was selection.".into(),
            // A share of two digits takes more than one or two other seeds.
            Some(gain) if runs.len() < 3 => format!(
                "{lost:.4} of the gain over the first trial, {gain:.4}, was selection, as far as so few seeds tell."
            ),
            Some(gain) => format!(
                "{:.0} % of the gain over the first trial, {lost:.4} of {gain:.4}, was selection.",
                100.0 * (worse / gain).min(1.0)
            ),
            None => format!("{lost:.4} of it was selection."),
        };
        if let Some(difference) = &confirmed.difference {
            let (low, high) = difference.interval;
            note += &format!(
                " On the same pictures, the first of these runs is {:+.2} points of accuracy from the first trial \
                 (95 % interval {:+.2} to {:+.2}).",
                100.0 * difference.accuracy,
                100.0 * low,
                100.0 * high
            );
        }
        note
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(metric: &'static str, values: [f64; 3], confirmed: Option<(f64, Option<f64>)>) -> Report {
        let row = |(trial, value): (usize, f64)| Row {
            trial,
            state: "complete",
            value: Some(value),
            epochs: 3,
            settings: BTreeMap::new(),
            run: PathBuf::new(),
            is_baseline: trial == 0,
            failure: None,
        };
        Report {
            folder: PathBuf::new(),
            metric,
            sampler: "tpe",
            pruner: "none",
            trials: [2, 1, 0].into_iter().zip(values).map(row).collect(),
            differing: Vec::new(),
            importance: Vec::new(),
            chance: None,
            confirmed: confirmed.map(|(mean, baseline)| Confirmed {
                trial: 2,
                runs: vec![],
                selected: values[0],
                mean,
                baseline,
                difference: None,
            }),
        }
    }

    #[test]
    fn the_note_says_how_much_of_the_gain_was_selection() {
        let loss = |confirmed| report("validation-loss", [0.3, 0.4, 0.5], confirmed).note();
        assert!(loss(None).contains("Trial 2 is the best of 3") && loss(None).contains("a part of its 0.3000 is luck"));
        // 0.04 of a gain of 0.2.
        let told = loss(Some((0.34, Some(0.5))));
        assert!(
            told.contains("20 % of the gain over the first trial, 0.0400 of 0.2000, was selection"),
            "{told}"
        );
        // No better than what it began from, once it is trained again.
        let told = loss(Some((0.6, Some(0.5))));
        assert!(told.contains("100 % of the gain"), "{told}");
        let told = loss(Some((0.29, Some(0.5))));
        assert!(told.contains("nothing of it was selection"), "{told}");
        // There is no gain where the best trial is the first.
        assert!(loss(Some((0.34, Some(0.3)))).contains("0.0400 of it was selection"));
        assert!(loss(Some((0.34, None))).contains("0.0400 of it was selection"));
        // Of an accuracy, higher is better.
        let told = report("validation-accuracy", [0.9, 0.8, 0.7], Some((0.85, Some(0.7)))).note();
        assert!(
            told.contains("25 % of the gain over the first trial, 0.0500 of 0.2000, was selection"),
            "{told}"
        );
        let told = report("validation-accuracy", [0.9, 0.8, 0.7], Some((0.95, Some(0.7)))).note();
        assert!(told.contains("nothing of it was selection"), "{told}");
    }
}
