//! How one search stands, as its record tells.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use pelage::runs::folder::CHECKPOINT;
use pelage::search::confirm::CONFIRMED;
use pelage::search::journal::Journal;
use pelage::search::study::{self, Trial, best_first};
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

type Stamp = [Option<(u64, SystemTime)>; 2];

/// What was read of a search, until its record changes.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) search: Search,
    trials: Vec<Trial>,
    /// Made for whoever looks at it, since that takes longer than counting; or why it cannot be.
    report: OnceLock<Result<Report, String>>,
    /// The lengths of the record and of what other seeds came to, and when they were written.
    stamp: Stamp,
}

impl Read {
    /// The search in `folder`, read anew if its record is not what it was `before`; none that cannot be read.
    pub(super) fn of(folder: &Path, before: Option<Arc<Read>>) -> Option<Arc<Read>> {
        let of = |path: PathBuf| {
            let about = path.metadata().ok()?;
            Some((about.len(), about.modified().ok()?))
        };
        let stamp = |search: &Search| [search.record(), search.folder.join(CONFIRMED)].map(of);
        if let Some(before) = before
            && stamp(&before.search) == before.stamp
        {
            return Some(before);
        }
        let search = Search::read(folder).ok()?;
        // Before it is read: what is added meanwhile is read the next time.
        let stamp = stamp(&search);
        let trials = Journal::read(&search.record()).ok()?.trials().to_vec();
        let report = OnceLock::new();
        Some(Arc::new(Read {
            search,
            trials,
            report,
            stamp,
        }))
    }

    /// What it has found, for its page; who asks meanwhile waits for the same one.
    pub(crate) fn report(&self) -> Result<&Report, String> {
        let make = || self.search.report().map_err(|failure| failure.to_string());
        self.report.get_or_init(make).as_ref().map_err(String::clone)
    }

    pub(super) fn status(&self, name: String) -> SearchStatus {
        let (search, settings) = (&self.search, &self.search.settings);
        let mut trials = Trials::default();
        let files = [search.record(), search.folder.join(CONFIRMED)];
        let mut updated = files.iter().filter_map(|file| written(file)).fold(0.0, f64::max);
        for trial in &self.trials {
            *match trial.state {
                study::State::Running => {
                    // Its epochs may be long.
                    let (run, files) = (search.run(trial.number), ["log.txt", "history.csv", CHECKPOINT]);
                    let signs = files.iter().filter_map(|file| written(&run.join(file)));
                    updated = signs.fold(updated, f64::max);
                    &mut trials.running
                }
                study::State::Complete => &mut trials.complete,
                study::State::Pruned => &mut trials.pruned,
                study::State::Failed => &mut trials.failed,
                study::State::Waiting => &mut trials.paused,
            } += 1;
        }
        let silent = seconds(SystemTime::now()) - updated;
        let state = match trials {
            Trials { running: 1.., .. } if silent < PATIENCE => State::Running,
            Trials { running: 1.., .. } => State::Stopped,
            Trials { paused: 1.., .. } => State::Interrupted,
            _ => State::Finished,
        };
        let best = best_first(&self.trials, settings.metric).into_iter().next();
        SearchStatus {
            name,
            state,
            metric: settings.metric.name(),
            sampler: settings.sampler.name(),
            pruner: settings.pruner.name(),
            data: search.base.data.display().to_string(),
            most: settings.trials,
            trials,
            best: best.and_then(|trial| {
                Some(Best {
                    trial: trial.number,
                    value: trial.value()?,
                    epochs: trial.epochs(),
                })
            }),
            updated: updated as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use pelage::Config;
    use pelage::search::journal::Entry;
    use pelage::search::pruner::Pruner;
    use pelage::search::sampler::Sampler;
    use pelage::search::study::Metric;
    use pelage::search::{Settings, Space};

    use super::*;

    fn begun(folder: &Path) -> Search {
        for place in ["train/cat", "train/dog", "validation/cat", "validation/dog"] {
            let place = folder.join("data").join(place);
            std::fs::create_dir_all(&place).unwrap();
            image::RgbImage::new(8, 8).save(place.join("0.png")).unwrap();
        }
        let base = Config::new(folder.join("data"));
        let space = Space::built_in(&base.recipe).unwrap();
        let settings = Settings {
            sampler: Sampler::Tpe,
            pruner: Pruner::Hyperband,
            metric: Metric::ValidationAccuracy,
            trials: Some(9),
            seed: 0,
        };
        Search::create(&folder.join("one"), base, space, settings).unwrap()
    }

    fn trial() -> Entry {
        Entry::Trial {
            parameters: Default::default(),
            distributions: Default::default(),
            notes: Default::default(),
        }
    }

    #[test]
    fn counting_trials_takes_no_report() {
        let folder = tempfile::tempdir().unwrap();
        let search = begun(folder.path());
        let mut journal = search.journal().unwrap();
        let epoch = |number, value| Entry::Epoch {
            number,
            epoch: 3,
            value,
        };
        let state = |number, state| Entry::State {
            number,
            state,
            value: None,
        };
        journal.append((0..5).map(|_| trial()).collect()).unwrap();
        let states = [
            study::State::Complete,
            study::State::Waiting,
            study::State::Pruned,
            study::State::Failed,
        ];
        let values = [epoch(0, 0.7), epoch(1, 0.8), epoch(2, 0.6), epoch(3, 0.9)].into_iter();
        let ends = (0..).zip(states).map(|(number, one)| state(number, one));
        journal.append(values.chain(ends).collect()).unwrap();

        let read = Read::of(&search.folder, None).unwrap();
        let told = read.status("one".into());
        let each = Trials {
            running: 1,
            complete: 1,
            paused: 1,
            pruned: 1,
            failed: 1,
        };
        assert_eq!((told.trials, told.state, told.most), (each, State::Running, Some(9)));
        assert_eq!(
            (told.metric, told.sampler, told.pruner),
            ("validation-accuracy", "tpe", "hyperband")
        );
        // One that has failed is none of them.
        let best = Best {
            trial: 1,
            value: 0.8,
            epochs: 3,
        };
        assert_eq!(told.best, Some(best));
        assert!(read.report.get().is_none());
        assert_eq!(read.report().unwrap().trials.len(), 5);
        // It is kept as long as the record stays as it is.
        assert!(Arc::ptr_eq(
            &read,
            &Read::of(&search.folder, Some(read.clone())).unwrap()
        ));
        journal.append(vec![trial()]).unwrap();
        let more = Read::of(&search.folder, Some(read)).unwrap();
        assert_eq!(more.status("one".into()).trials.running, 2);
        assert_eq!(more.report().unwrap().trials.len(), 6);
    }
}
