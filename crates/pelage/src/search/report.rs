//! What a search has found so far, as people and programs read it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::confirm::Confirmed;
use super::digits::significant;
use super::importance::{Importance, importance};
use super::job::{BASELINE, reason};
use super::journal::Journal;
use super::settings::Search;
use super::study::{Metric, State, Trial, best_first};
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
    /// What it has found so far; of runs with other seeds, what [`Search::confirmed`] last told.
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
            confirmed: self.kept(trials),
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

    /// How much better than the first trial the best one is; none where one of them has no value.
    pub fn gain(&self) -> Option<f64> {
        let best = self.trials.first()?.value?;
        let first = self.trials.iter().find(|row| row.trial == 0)?.value?;
        Some(self.better(best, first))
    }

    /// By how much `value` is better than `other`.
    fn better(&self, value: f64, other: f64) -> f64 {
        match self.metric == Metric::ValidationLoss.name() {
            true => other - value,
            false => value - other,
        }
    }

    /// How much of its value is luck.
    fn selection(&self) -> String {
        let best = self.trials.first().filter(|row| row.value.is_some());
        let valued = self.trials.iter().filter(|row| row.value.is_some()).count();
        match (best, &self.confirmed, self.gain()) {
            (None, ..) => "No trial has come to anything yet.".into(),
            (_, Some(confirmed), _) => self.again(confirmed),
            (Some(row), ..) if valued == 1 => format!("Trial {} alone has come to anything yet.", row.trial),
            // Nothing was gained that may be luck.
            (_, _, Some(gain)) if gain <= 0.0 => format!("None of {valued} trials is better than the first."),
            (Some(row), _, gain) => {
                let luck = match gain {
                    Some(gain) => format!("a part of its gain of {} over the first is luck", significant(gain)),
                    None => "it is the best by luck, in part".into(),
                };
                format!(
                    "Trial {} is the best of {valued}, chosen on these validation pictures: {luck}. Its settings, \
                     trained again with other seeds, tell how much.",
                    row.trial
                )
            }
        }
    }

    /// What its settings are worth with other seeds.
    fn again(&self, confirmed: &Confirmed) -> String {
        let (mean, selected) = (confirmed.mean, confirmed.selected);
        let seeds = match confirmed.runs.len() {
            1 => "another seed".into(),
            count => format!("{count} other seeds"),
        };
        let gain = confirmed.baseline.map(|first| self.better(selected, first));
        let mut note = format!(
            "Trained again with {seeds}, the settings of trial {} come to {}, where the trial itself has {}: {}.",
            confirmed.trial,
            significant(mean),
            significant(selected),
            match gain {
                None => "the first trial has no value to compare with".into(),
                Some(gain) if gain <= 0.0 => "there is no gain over the first trial".into(),
                Some(gain) => self.selected(confirmed, gain),
            }
        );
        if let Some(difference) = &confirmed.difference {
            let (low, high) = difference.interval;
            let perhaps = match low <= 0.0 && high >= 0.0 {
                true => ", which may be chance",
                false => "",
            };
            note += &format!(
                " On the same pictures, the first of these runs is {:+.2} points of accuracy from the first trial \
                 (95 % interval {:+.2} to {:+.2}){perhaps}.",
                100.0 * difference.accuracy,
                100.0 * low,
                100.0 * high
            );
        }
        note
    }

    /// Which part of a gain was selection. Nothing is said of a gain that other seeds, or other pictures, might have
    /// made as well.
    fn selected(&self, confirmed: &Confirmed, gain: f64) -> String {
        let lost = self.better(confirmed.selected, confirmed.mean);
        let told = significant(gain);
        let is_accuracy = self.metric == Metric::ValidationAccuracy.name();
        let same = confirmed.difference.filter(|one| is_accuracy && one.interval.0 <= 0.0);
        match confirmed.by_seed() {
            None => format!("one seed does not tell whether its gain over the first trial, {told}, is chance"),
            Some(apart) if gain <= apart => format!(
                "its gain over the first trial, {told}, cannot be told from chance, since seeds alone may put such \
                 runs {} apart (95 %)",
                significant(apart)
            ),
            _ if same.is_some() => {
                format!("its gain over the first trial, {told}, cannot be told from chance on these pictures")
            }
            _ if lost <= 0.0 => format!("nothing of its gain over the first trial, {told}, was selection"),
            // A share of two digits takes more than two other seeds.
            _ if confirmed.runs.len() < 3 => format!(
                "{} of its gain over the first trial, {told}, was selection, as far as two seeds tell",
                significant(lost)
            ),
            _ => format!(
                "{:.0} % of its gain over the first trial, {} of {told}, was selection",
                100.0 * (lost / gain).min(1.0),
                significant(lost)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::confirm::Again;
    use super::*;
    use crate::compare::Difference;

    /// Of three trials, the best first and the first last.
    fn report(metric: &'static str, values: [f64; 3]) -> Report {
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
            confirmed: None,
        }
    }

    /// The same with the best settings trained again.
    fn again(mut report: Report, values: &[f64], baseline: Option<f64>) -> Report {
        let run = |(seed, &value): (u64, &f64)| Again {
            run: PathBuf::new(),
            seed,
            value,
        };
        report.confirmed = Some(Confirmed {
            trial: 2,
            runs: (1..).zip(values).map(run).collect(),
            selected: report.trials[0].value.unwrap(),
            mean: values.iter().sum::<f64>() / values.len() as f64,
            baseline,
            difference: None,
        });
        report
    }

    #[test]
    fn the_note_says_how_much_of_the_gain_was_selection() {
        let loss = || report("validation-loss", [0.3, 0.4, 0.5]);
        let told = loss().note();
        assert!(
            told.contains("Trial 2 is the best of 3")
                && told.contains("a part of its gain of 0.2000 over the first is luck"),
            "{told}"
        );
        let told = |values: &[f64], baseline| again(loss(), values, baseline).note();
        let three = told(&[0.339, 0.34, 0.341], Some(0.5));
        let part = "20 % of its gain over the first trial, 0.04000 of 0.2000, was selection";
        assert!(three.contains(part), "{three}");
        let two = told(&[0.339, 0.341], Some(0.5));
        let part = "0.04000 of its gain over the first trial, 0.2000, was selection, as far as two seeds tell";
        assert!(two.contains(part), "{two}");
        // No better than what it began from, once it is trained again.
        let worse = told(&[0.599, 0.6, 0.601], Some(0.5));
        assert!(worse.contains("100 % of its gain"), "{worse}");
        let better = told(&[0.289, 0.29, 0.291], Some(0.5));
        assert!(better.contains("nothing of its gain over the first trial"), "{better}");
        // Of an accuracy, higher is better.
        let accuracy = || report("validation-accuracy", [0.9, 0.8, 0.7]);
        let told = |values: &[f64]| again(accuracy(), values, Some(0.7)).note();
        let lost = told(&[0.849, 0.85, 0.851]);
        assert!(
            lost.contains("25 % of its gain over the first trial, 0.05000 of 0.2000, was selection"),
            "{lost}"
        );
        let kept = told(&[0.949, 0.95, 0.951]);
        assert!(kept.contains("nothing of its gain"), "{kept}");
    }

    #[test]
    fn what_may_be_chance_is_no_share_of_anything() {
        let loss = || report("validation-loss", [0.3, 0.4, 0.5]);
        let one = again(loss(), &[0.34], Some(0.5)).note();
        assert!(
            one.contains("one seed does not tell") && !one.contains("selection"),
            "{one}"
        );
        // Two runs of standard deviation 0.0283: 12.706 times its square root of two is 0.508.
        let wide = again(loss(), &[0.32, 0.36], Some(0.5)).note();
        assert!(
            wide.contains("cannot be told from chance") && wide.contains("0.5082 apart") && !wide.contains("selection"),
            "{wide}"
        );
        // Few pictures of which the same are told right by all seeds.
        let mut few = again(report("validation-accuracy", [0.9, 0.8, 0.7]), &[0.85, 0.85], Some(0.7));
        let difference = Difference {
            accuracy: 0.15,
            interval: (-0.05, 0.3),
            only_first: 1,
            only_this: 3,
            log10_p: 0.0,
        };
        few.confirmed.as_mut().unwrap().difference = Some(difference);
        let few = few.note();
        assert!(
            few.contains("cannot be told from chance on these pictures") && few.contains("which may be chance"),
            "{few}"
        );
        // Where there is no gain, nothing of it was luck.
        let none = again(loss(), &[0.34, 0.35], Some(0.3)).note();
        assert!(none.contains("there is no gain over the first trial"), "{none}");
        let none = again(loss(), &[0.34, 0.35], None).note();
        assert!(none.contains("no value to compare with"), "{none}");
        for values in [[0.5, 0.5, 0.5], [0.0, 0.0, 0.0]] {
            let mut equal = report("validation-loss", values);
            equal.trials.reverse();
            assert_eq!(equal.note(), "None of 3 trials is better than the first.");
            equal.trials.truncate(1);
            assert_eq!(equal.note(), "Trial 0 alone has come to anything yet.");
        }
        // The first has diverged.
        let mut failed = loss();
        failed.trials[2].value = None;
        let told = failed.note();
        assert!(
            told.contains("Trial 2 is the best of 2") && told.contains("by luck, in part"),
            "{told}"
        );
    }
}
