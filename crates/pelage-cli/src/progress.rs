//! Progress on stderr: bars on a terminal, plain lines elsewhere.

mod room;

use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use pelage::data::Progress;
use pelage::features::PHASE;
use pelage::train::{Control, Event};

use crate::signals::interrupted;
use crate::table::{count, duration, fixed, megabytes};
use crate::terminal::{BARS, has_bars, tell};
use room::Room;

/// Seconds between two plain lines.
const PLAIN_SECONDS: u64 = 10;

/// What is done in a test of learning rates; all else is done to pictures.
const STEPS: &str = "steps";

/// A bar, or a line now and then, for a long task.
pub(crate) struct Task {
    bar: Option<ProgressBar>,
    pace: Mutex<Pace>,
}

/// How fast a phase of a task goes.
struct Pace {
    what: &'static str,
    since: Instant,
    /// Items done when it was first heard of, and now.
    first: usize,
    done: usize,
    last_line: Instant,
    /// Whether its duration was told.
    told: bool,
}

impl Pace {
    fn new(now: Instant) -> Self {
        Pace {
            what: "",
            since: now,
            first: 0,
            done: 0,
            last_line: now,
            told: false,
        }
    }

    /// Seconds that are left, and those of the whole phase; `None` as long as there is nothing to go by.
    fn seconds(&mut self, progress: Progress, now: Instant) -> Option<[f64; 2]> {
        let Progress { done, total, what } = progress;
        if what != self.what || done < self.done {
            // A phase that is taken up again, after another one, was told of already.
            let told = self.told;
            *self = Pace {
                what,
                first: done,
                told,
                last_line: self.last_line,
                ..Pace::new(now)
            };
        }
        self.done = done;
        let elapsed = now.duration_since(self.since);
        let of = |items: usize| elapsed.as_secs_f64() / (done - self.first) as f64 * items as f64;
        let known = done > self.first && elapsed >= Duration::from_secs(1);
        known.then(|| [total.saturating_sub(done), total.saturating_sub(self.first)].map(of))
    }
}

impl Task {
    pub(crate) fn new() -> Self {
        let bar = has_bars().then(|| bar(Room::of_terminal().task()));
        Task {
            bar,
            pace: Mutex::new(Pace::new(Instant::now())),
        }
    }

    /// Shows `progress`; callable from any thread.
    pub(crate) fn show(&self, progress: Progress) {
        let Progress { done, total, what } = progress;
        // A thread that finds it locked leaves the lines to the other one.
        if let Ok(mut pace) = self.pace.try_lock() {
            self.tell(progress, &mut pace);
        }
        if let Some(bar) = &self.bar {
            // Two sets decoded in turn are two bars' worth; the bar starts anew.
            bar.set_length(total as u64);
            bar.set_message(what);
            bar.set_prefix(if what == STEPS { "steps" } else { "pictures" });
            bar.set_position(done as u64);
            if done == total {
                bar.reset();
            }
        }
    }

    /// Forecasts the longest phase before training once, as training itself is; without a bar also says now and then
    /// how far it is.
    fn tell(&self, progress: Progress, pace: &mut Pace) {
        let Progress { done, total, what } = progress;
        let Some([left, whole]) = pace.seconds(progress, Instant::now()) else {
            return;
        };
        if what == PHASE && !std::mem::replace(&mut pace.told, true) {
            tell(format_args!(
                "forecast: {} for the features of {}, which are computed once\n",
                duration(whole),
                count(total - pace.first, "picture")
            ));
        }
        if self.bar.is_none() && pace.last_line.elapsed() > Duration::from_secs(PLAIN_SECONDS) {
            pace.last_line = Instant::now();
            tell(format_args!("{what} {done}/{total}  {} left\n", duration(left)));
        }
    }

    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// A bar in bytes for a download, or a line now and then.
pub(crate) struct Download {
    bar: Option<ProgressBar>,
    started: Option<(Instant, u64)>,
    last_line: Instant,
}

impl Download {
    pub(crate) fn new() -> Self {
        Download {
            bar: has_bars().then(|| bar(Room::of_terminal().download())),
            started: None,
            last_line: Instant::now(),
        }
    }

    /// Shows that `done` bytes are here, of `total` if it is known.
    pub(crate) fn show(&mut self, done: u64, total: Option<u64>) {
        // The bytes of an earlier attempt say nothing about the speed of this one.
        let (since, first) = *self.started.get_or_insert((Instant::now(), done));
        let rate = done.saturating_sub(first) as f64 / since.elapsed().as_secs_f64().max(1e-9);
        let left = match total {
            Some(total) if rate > 0.0 => format!("{} left", duration(total.saturating_sub(done) as f64 / rate)),
            _ => String::new(),
        };
        match &self.bar {
            Some(bar) => {
                if let Some(total) = total {
                    bar.set_length(total);
                }
                bar.set_position(done);
                bar.set_message(left);
            }
            None if self.last_line.elapsed() > Duration::from_secs(PLAIN_SECONDS) => {
                self.last_line = Instant::now();
                let of = total.map_or(String::new(), |total| format!(" of {}", megabytes(total)));
                tell(format_args!("download {}{of}  {left}\n", megabytes(done)));
            }
            None => {}
        }
    }

    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// How much is shown of training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// Two bars, epochs above batches, and a line per epoch.
    EachEpoch,
    /// One bar, and the line of the last epoch: for epochs of milliseconds, as of a head on kept features.
    Whole,
}

/// Training as it goes on; asks to stop after Ctrl-C or SIGTERM.
pub(crate) struct Training {
    detail: Detail,
    room: Room,
    /// The line of the last epoch, where it was not printed.
    unprinted: Option<String>,
    terminal: bool,
    epochs: ProgressBar,
    batches: ProgressBar,
    epoch_started: Instant,
    last_line: Instant,
    images: usize,
    /// Batches of the epoch that were done before it was resumed.
    done: usize,
    /// Whether it was said that training stops.
    stopping: bool,
}

impl Training {
    pub(crate) fn new(detail: Detail) -> Self {
        let room = Room::of_terminal();
        Training {
            detail,
            room,
            unprinted: None,
            terminal: has_bars(),
            epochs: bar(room.epochs()),
            batches: bar(room.batches()),
            epoch_started: Instant::now(),
            last_line: Instant::now(),
            images: 0,
            done: 0,
            stopping: false,
        }
    }

    pub(crate) fn observe(&mut self, event: &Event) -> Control {
        match event {
            Event::EpochStart {
                epoch,
                epochs,
                batches,
                done,
            } => {
                self.epoch_started = Instant::now();
                self.images = 0;
                self.done = *done;
                self.epochs.set_length(*epochs as u64);
                self.epochs.set_position(*epoch as u64 - 1);
                if self.detail == Detail::EachEpoch {
                    self.batches.reset();
                    self.batches.set_length(*batches as u64);
                    self.batches.set_position(*done as u64);
                    self.batches.set_prefix("train");
                }
            }
            // Of milliseconds nobody sees a bar.
            Event::Batch { .. } | Event::Validation { .. } if self.detail == Detail::Whole => {}
            Event::Batch {
                batch,
                batches,
                images,
                loss,
                accuracy,
                ..
            } => {
                self.images += images;
                let elapsed = self.epoch_started.elapsed().as_secs_f64();
                let rate = self.images as f64 / elapsed.max(1e-9);
                let left = elapsed * (batches - batch) as f64 / (batch - self.done).max(1) as f64;
                let left = duration(left);
                if self.terminal {
                    self.batches.set_position(*batch as u64);
                    self.batches.set_message(self.room.facts(*loss, *accuracy, rate, &left));
                } else if self.last_line.elapsed() > Duration::from_secs(PLAIN_SECONDS) {
                    self.last_line = Instant::now();
                    let facts = Room::Wide.facts(*loss, *accuracy, rate, &left);
                    tell(format_args!("  batch {batch}/{batches}  {facts} in this epoch\n"));
                }
            }
            Event::Solved {
                strength,
                cross_validated,
            } => tell(match cross_validated {
                None => format!(
                    "strength of regularization {strength:.1e}: too few pictures or groups to choose another by\n"
                ),
                Some(loss) => format!(
                    "strength of regularization {strength:.1e}, chosen by cross-validation among the training \
                     pictures: log loss {}\n",
                    fixed(*loss, 4)
                ),
            }),
            Event::Validation { images, total } => {
                self.batches.set_prefix("valid");
                self.batches.set_length(*total as u64);
                self.batches.set_position(*images as u64);
                self.batches.set_message("");
            }
            Event::EpochEnd {
                history,
                epochs,
                improved,
                ..
            } => {
                let Some(row) = history.last() else {
                    return Control::Continue;
                };
                let is_lowest = history.iter().all(|one| one.validation_loss >= row.validation_loss);
                let mark = improved.then_some(if is_lowest { "best" } else { "kept" });
                let line = room::epoch(row, *epochs, mark);
                let quiet = self.last_line.elapsed() > Duration::from_secs(PLAIN_SECONDS);
                if self.detail == Detail::EachEpoch || (quiet && !self.terminal) {
                    self.last_line = Instant::now();
                    self.unprinted = None;
                    tell(line + "\n");
                } else {
                    self.unprinted = Some(line);
                }
                let spent: f64 = history.iter().map(|row| row.seconds).sum();
                let left = spent / row.epoch as f64 * (epochs - row.epoch.min(*epochs)) as f64;
                self.epochs.set_position(row.epoch as u64);
                let left = duration(left);
                self.epochs.set_message(match self.detail {
                    Detail::EachEpoch => format!("at most {left} left"),
                    Detail::Whole => self.room.whole(&fixed(row.validation_loss, 4), &left),
                });
            }
        }
        if interrupted().is_none() {
            return Control::Continue;
        }
        if !std::mem::replace(&mut self.stopping, true) {
            tell("\nstopping after this step and saving; press Ctrl-C again to stop at once\n");
        }
        Control::Stop
    }

    /// The same without the last line.
    pub(crate) fn clear(&mut self) {
        self.epochs.finish_and_clear();
        self.batches.finish_and_clear();
    }

    pub(crate) fn finish(&mut self) {
        self.clear();
        if let Some(line) = self.unprinted.take() {
            tell(format_args!("{line}\n"));
        }
    }
}

/// One more bar, below the others.
fn bar(template: &str) -> ProgressBar {
    // The templates above are constants; a wrong one would show at first sight.
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let style = style.with_key("rate", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        let rate = state.per_sec();
        // As a string has it there is always room.
        let _ = write!(out, "{rate:.*}", if rate < 10.0 { 1 } else { 0 });
    });
    BARS.add(ProgressBar::no_length().with_style(style.progress_chars("━╸─")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_is_forecast_by_what_was_done_in_it() {
        let begin = Instant::now();
        let at = |seconds: f64| begin + Duration::from_secs_f64(seconds);
        let mut pace = Pace::new(begin);
        let mut seconds = |what, done, after| pace.seconds(Progress { done, total: 110, what }, at(after));
        assert_eq!(seconds("decoding", 10, 100.0), None);
        // What was done before it was first heard of says nothing.
        assert_eq!(seconds("features", 10, 200.0), None);
        assert_eq!(seconds("features", 20, 200.5), None);
        assert_eq!(seconds("features", 30, 202.0), Some([8.0, 10.0]));
        assert_eq!(seconds("features", 110, 210.0), Some([0.0, 10.0]));
        // The same phase of another set begins anew.
        assert_eq!(seconds("features", 60, 300.0), None);
        assert_eq!(seconds("features", 70, 302.0), Some([8.0, 10.0]));
    }
}
