//! How one run stands.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use pelage::Config;
use pelage::evaluate::confusion;
use pelage::runs::{folder, history, record};
use pelage::train::EndReason;
use pelage::train::history::HistoryRow;
use serde::Serialize;

/// Bytes at the end of a log that are read.
const TAIL: u64 = 4096;
/// Seconds without a sign of life after which a run counts as stopped, if its epochs are shorter.
pub(super) const PATIENCE: f64 = 180.0;
/// Classes of the largest confusion matrix that is told; a larger one is read in its file.
const CONFUSED_CLASSES: usize = 20;

/// A run as its folder tells.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    /// The name of its folder.
    pub name: String,
    /// Whether it trains, or how it ended.
    pub state: State,
    /// The name of its network.
    pub model: String,
    /// Its data set, as its settings name it.
    pub data: String,
    /// The most epochs that it will train.
    pub epochs: usize,
    /// The epochs so far.
    pub history: Vec<HistoryRow>,
    /// The epoch with the lowest validation loss.
    pub best_epoch: Option<usize>,
    /// The last epoch's confusion matrix, of few classes.
    pub confusion: Option<Confusion>,
    /// Seconds until it ends at the latest, if it trains and has done an epoch.
    pub seconds_left: Option<f64>,
    /// When it last wrote, in seconds since 1970.
    pub updated: u64,
    /// Whether there is a report in its folder.
    pub report: bool,
}

/// Which class the validation images were called.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Confusion {
    /// The names of the classes.
    pub classes: Vec<String>,
    /// How many images of each class (first index) were called which (second).
    pub counts: Vec<Vec<usize>>,
}

/// Whether a run trains, or how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It trains.
    Running,
    /// It has done all its epochs.
    Finished,
    /// It ended because nothing got better.
    Early,
    /// It was asked to stop, and can be resumed.
    Interrupted,
    /// It shows no sign of life: killed, and can be resumed.
    Stopped,
}

impl Status {
    /// That of the run in `folder`; none if its settings cannot be read.
    pub(super) fn of(name: String, run: &Path) -> Option<Status> {
        let config = Config::read(&run.join("config.toml")).ok()?;
        // A run that has not finished an epoch has none yet.
        let history = history::of(run).ok().flatten().unwrap_or_default();
        let files = ["config.toml", "log.txt", "history.csv", folder::CHECKPOINT];
        let updated = files
            .iter()
            .filter_map(|file| written(&run.join(file)))
            .fold(0.0, f64::max);
        let now = seconds(SystemTime::now());
        let state = state(&tail(&run.join("log.txt")), now - updated, &history);
        let epochs = config.recipe.epochs;
        let best = history::best(&config.recipe, &history);
        let left = match (state, written(&run.join("history.csv"))) {
            (State::Running, Some(since)) => left(&history, epochs, now - since),
            _ => None,
        };
        Some(Status {
            name,
            state,
            model: config.recipe.name(),
            data: config.data.display().to_string(),
            epochs,
            best_epoch: best.map(|row| row.epoch),
            history,
            confusion: confused(&run.join(record::CONFUSION)),
            seconds_left: left,
            updated: updated as u64,
            report: run.join("report.html").is_file(),
        })
    }
}

/// That in the file, if it is not too large.
fn confused(path: &Path) -> Option<Confusion> {
    // Names may be long.
    let most = (CONFUSED_CLASSES * CONFUSED_CLASSES * 64) as u64;
    let small = path.metadata().is_ok_and(|file| file.len() <= most);
    let (classes, counts) = small.then(|| confusion::read(&std::fs::read(path).ok()?)).flatten()?;
    (classes.len() <= CONFUSED_CLASSES).then_some(Confusion { classes, counts })
}

pub(super) fn written(path: &Path) -> Option<f64> {
    Some(seconds(path.metadata().ok()?.modified().ok()?))
}

pub(super) fn seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// The end of a text file; empty if there is none.
fn tail(path: &Path) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = std::fs::File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
        let mut bytes = Vec::new();
        file.take(TAIL).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    read().unwrap_or_default()
}

fn state(log: &str, silent: f64, history: &[HistoryRow]) -> State {
    let last = log
        .lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default();
    match last.split_once("ended: ").map(|(_, reason)| reason) {
        Some(reason) if is(reason, EndReason::Finished) => State::Finished,
        Some(reason) if is(reason, EndReason::EarlyStop) => State::Early,
        Some(_) => State::Interrupted,
        None => {
            let epoch = history.last().map_or(0.0, |row| row.seconds);
            match silent < PATIENCE.max(2.0 * epoch) {
                true => State::Running,
                false => State::Stopped,
            }
        }
    }
}

/// Whether a log names this reason: in words, or as pelage 0.1 first did.
fn is(told: &str, reason: EndReason) -> bool {
    told.starts_with(&reason.to_string()) || told.starts_with(&format!("{reason:?},"))
}

/// From the last five epochs, less what has gone of this one.
fn left(history: &[HistoryRow], epochs: usize, gone: f64) -> Option<f64> {
    let latest = &history[history.len().saturating_sub(5)..];
    let done = history.last()?.epoch;
    let each = latest.iter().map(|row| row.seconds).sum::<f64>() / latest.len() as f64;
    let left = each * epochs.saturating_sub(done) as f64 - gone.min(each);
    // To the second: what is told changes no more often than what it says.
    Some(left.max(0.0).round())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_of_the_log_says_how_a_run_ended() {
        let ended = |reason: &str| {
            state(
                &format!("t  epoch 1\nt  ended: {reason}, best epoch Some(1)\n"),
                9e9,
                &[],
            )
        };
        assert_eq!(ended("Finished"), State::Finished);
        assert_eq!(ended("EarlyStop"), State::Early);
        assert_eq!(ended("Interrupted"), State::Interrupted);
        let told = |reason: EndReason| state(&format!("t  ended: {reason}; best epoch: 1\n"), 9e9, &[]);
        assert_eq!(told(EndReason::Finished), State::Finished);
        assert_eq!(told(EndReason::EarlyStop), State::Early);
        assert_eq!(told(EndReason::Interrupted), State::Interrupted);
        let resumed = "t  ended: Interrupted, best epoch None\nt  epoch 2/5 resumes after batch 3 of 9\n";
        assert_eq!(state(resumed, 10.0, &[]), State::Running);
        assert_eq!(
            (state(resumed, 200.0, &[]), state("", 0.0, &[])),
            (State::Stopped, State::Running)
        );
    }

    #[test]
    fn what_is_left_is_what_the_last_epochs_took() {
        let row = |epoch| HistoryRow {
            epoch,
            step: 0,
            learning_rate: 0.1,
            train_loss: 1.0,
            train_accuracy: 0.5,
            validation_loss: 1.0,
            validation_accuracy: 0.5,
            seconds: if epoch == 1 { 1000.0 } else { 10.0 },
            images_per_second: 1.0,
        };
        let history: Vec<_> = (1..=6).map(row).collect();
        assert_eq!(left(&history, 10, 4.0), Some(36.0));
        assert_eq!((left(&history, 6, 4.0), left(&[], 6, 0.0)), (Some(0.0), None));
    }
}
