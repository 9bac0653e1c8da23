//! Whether what a search found is more than luck: its best settings, trained again with other seeds.
//!
//! The best of many trials is better than its settings are: some of it is the luck of its seed, on just these
//! validation pictures. Trained again, the settings show what they are worth; what is lost on the way is the part that
//! was selection.

use std::path::{Path, PathBuf};

use pelage_data::Progress;
use serde::{Deserialize, Serialize};

use super::settings::Search;
use super::study::{Trial, best_first};
use super::trial::values;
use crate::compare::{self, Difference};
use crate::runs::folder;
use crate::train::{Control, EndReason, Event, Recipe};
use crate::{Error, Result, atomic};

/// What [`Search::confirmed`] found, in the search's folder, for whoever looks at it later.
pub const CONFIRMED: &str = "confirmed.json";

/// The best settings, trained again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Confirmed {
    /// The trial whose settings these are.
    pub trial: usize,
    /// Its runs with other seeds.
    pub runs: Vec<Again>,
    /// The metric of the trial itself, the best of all.
    pub selected: f64,
    /// The mean metric of the runs.
    pub mean: f64,
    /// The metric of the first trial, whose settings are those that the search began from.
    pub baseline: Option<f64>,
    /// How the first of the runs differs from that trial on the same validation pictures; none where each seed has
    /// pictures of its own.
    pub difference: Option<Difference>,
}

/// What Student's t stays below in 39 of 40 cases, from one degree of freedom on: `scipy.stats.t.ppf(0.975, n)`.
const STUDENT: [f64; 19] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
    2.110, 2.101, 2.093,
];

impl Confirmed {
    /// How far two runs of such settings may be apart by their seeds alone, in 95 of 100 cases, as far as these runs
    /// tell; none where there is but one.
    pub fn by_seed(&self) -> Option<f64> {
        let freedom = self.runs.len().checked_sub(1).filter(|&freedom| freedom > 0)?;
        let squares: f64 = self.runs.iter().map(|run| (run.value - self.mean).powi(2)).sum();
        let student = STUDENT[freedom.min(STUDENT.len()) - 1];
        // Of a difference: twice the variance.
        Some(student * (2.0 * squares / freedom as f64).sqrt())
    }
}

/// A run with another seed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Again {
    /// Its folder.
    pub run: PathBuf,
    /// The seed.
    pub seed: u64,
    /// The metric.
    pub value: f64,
}

impl Search {
    /// Trains the settings of the best trial again, with `seeds` other seeds, or goes on with that.
    ///
    /// # Errors
    /// No trial that has come to anything; those of training.
    pub fn confirm(
        &self,
        seeds: usize,
        progress: &(dyn Fn(Progress) + Sync),
        observe: &mut dyn FnMut(u64, &Event) -> Control,
    ) -> Result<Control> {
        let journal = self.journal()?;
        let best = self.best(journal.trials())?;
        let recipe = self.space.recipe(&self.base.recipe, &best.parameters)?;
        for seed in (1..).map(|more| recipe.seed + more).take(seeds) {
            let recipe = Recipe { seed, ..recipe.clone() };
            let run = self.opened(&self.again(best.number, seed), recipe, progress)?;
            let outcome = run.train(&mut |event| observe(seed, event))?;
            if outcome.reason == EndReason::Interrupted {
                return Ok(Control::Stop);
            }
        }
        Ok(Control::Continue)
    }

    /// What the runs with other seeds show; none where there are none of the best trial. From then on reports have it,
    /// as long as the trial stays the best.
    ///
    /// # Errors
    /// Runs that cannot be read, or whose pictures are gone; a folder that cannot be written.
    pub fn confirmed(&self, progress: &(dyn Fn(Progress) + Sync)) -> Result<Option<Confirmed>> {
        let journal = self.journal()?;
        let trials = journal.trials();
        let Ok(best) = self.best(trials) else {
            return Ok(None);
        };
        let recipe = self.space.recipe(&self.base.recipe, &best.parameters)?;
        let mut runs = Vec::new();
        let seeds = (self.base.recipe.seed + 1..).take_while(|&seed| self.again(best.number, seed).exists());
        for seed in seeds {
            let run = self.again(best.number, seed);
            let done = folder::checkpoint(&run)?;
            let done = done.as_ref().map(|checkpoint| checkpoint.progress());
            // Not of one that was interrupted.
            let ended = done.filter(|progress| progress.finished(&recipe).is_some());
            let value = ended.and_then(|progress| values(&progress.history, self.settings.metric).pop());
            runs.extend(value.map(|value| Again { run, seed, value }));
        }
        let (Some(selected), false) = (best.value(), runs.is_empty()) else {
            return Ok(None);
        };
        // The split is drawn by the seed, so that other seeds have other validation pictures.
        let same = self.base.validation_split.is_none();
        let difference = match same && trials[0].value().is_some() && best.number != 0 {
            true => self.difference(&runs[0].run, progress)?,
            false => None,
        };
        let confirmed = Confirmed {
            trial: best.number,
            selected,
            mean: runs.iter().map(|run| run.value).sum::<f64>() / runs.len() as f64,
            baseline: trials[0].value(),
            difference,
            runs,
        };
        let file = self.folder.join(CONFIRMED);
        let told = serde_json::to_vec(&confirmed).map_err(|failure| Error::io(&file)(failure.into()))?;
        atomic::write(&file, &told)?;
        Ok(Some(confirmed))
    }

    /// What [`Search::confirmed`] last found, if that was of these trials as they are now.
    pub(super) fn kept(&self, trials: &[Trial]) -> Option<Confirmed> {
        let told = std::fs::read(self.folder.join(CONFIRMED)).ok()?;
        let mut confirmed: Confirmed = serde_json::from_slice(&told).ok()?;
        let best = self.best(trials).ok()?;
        let is_of = |value: f64, trial: &Trial| trial.value().is_some_and(|now| (now - value).abs() < 1e-12);
        let same = best.number == confirmed.trial && is_of(confirmed.selected, best);
        let first = confirmed.baseline.is_none_or(|value| is_of(value, &trials[0]));
        for again in &mut confirmed.runs {
            // As the folder is named now.
            again.run = self.again(confirmed.trial, again.seed);
        }
        (same && first && confirmed.runs.iter().all(|again| again.run.exists())).then_some(confirmed)
    }

    fn difference(&self, run: &Path, progress: &(dyn Fn(Progress) + Sync)) -> Result<Option<Difference>> {
        let both = [self.run(0), run.to_path_buf()];
        let report = compare::compare(&both, None, None, &self.base.compute, progress)?;
        Ok(report.runs.get(1).and_then(|line| line.difference))
    }

    fn best<'a>(&self, trials: &'a [Trial]) -> Result<&'a Trial> {
        let nothing = || Error::Settings("no trial of the search has come to anything yet".into());
        best_first(trials, self.settings.metric)
            .first()
            .copied()
            .ok_or_else(nothing)
    }

    /// The folder of a trial's settings with another seed.
    fn again(&self, trial: usize, seed: u64) -> PathBuf {
        self.folder.join(format!("trial-{trial}-seed-{seed}"))
    }
}
