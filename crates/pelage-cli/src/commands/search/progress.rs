//! What is shown of a search while it goes on.

use std::time::{Duration, Instant};

use pelage::search::Search;
use pelage::search::digits::significant;
use pelage::search::study::State;
use pelage::search::worker::Told;
use pelage::train::Control;

use crate::progress::{Detail, Training};
use crate::signals::interrupted;
use crate::table::count;
use crate::terminal::tell;

/// Lines for what happens, bars for a trial that is trained alone, and the page, kept up to date.
pub(super) struct Shown<'a> {
    search: &'a Search,
    /// Whether there is one trial at a time.
    alone: bool,
    training: Option<Training>,
    /// Whether it was said that it waits.
    waits: bool,
    /// Whether it was said that it stops.
    stops: bool,
    /// Whether the page lacks something, when it was drawn, and how long that took.
    is_old: bool,
    drawn: Instant,
    took: Duration,
}

impl<'a> Shown<'a> {
    pub(super) fn new(search: &'a Search, alone: bool) -> Self {
        Shown {
            search,
            alone,
            training: None,
            waits: false,
            stops: false,
            is_old: false,
            drawn: Instant::now(),
            took: Duration::ZERO,
        }
    }

    /// Brings the page up to date, if that is due: all trials wait meanwhile, a twentieth of the time at most. What
    /// cannot be drawn or written now is told at the end, when the page is written anyway.
    fn draw(&mut self) {
        if !self.is_old || self.drawn.elapsed() < 20 * self.took {
            return;
        }
        let began = Instant::now();
        let _ = self.search.report().and_then(|report| self.search.write_page(&report));
        (self.is_old, self.drawn, self.took) = (false, Instant::now(), began.elapsed());
    }

    /// Shows it; asks to stop after Ctrl-C or SIGTERM.
    pub(super) fn observe(&mut self, told: &Told) -> Control {
        self.draw();
        match told {
            Told::Began {
                number,
                settings,
                from,
                to,
            } => {
                self.waits = false;
                let settings: Vec<_> = settings.iter().map(|(name, text)| format!("{name} {text}")).collect();
                let goes_on = match from {
                    0 => String::new(),
                    from => format!("after {}, ", count(*from, "epoch")),
                };
                let settings = settings.join(", ");
                tell(format_args!("trial {number}: {goes_on}to epoch {to}: {settings}\n"));
                self.training = self.alone.then(|| Training::new(Detail::Whole));
            }
            Told::Training { event, .. } => {
                if let Some(training) = &mut self.training {
                    return training.observe(event);
                }
            }
            Told::Ended {
                number,
                state,
                epochs,
                value,
                reason,
            } => {
                if let Some(mut training) = self.training.take() {
                    training.clear();
                }
                let metric = self.search.settings.metric.words();
                let value = value.map_or(String::new(), |value| format!(", {metric} {}", significant(value)));
                let reason = reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
                let how = match state {
                    State::Failed => format!("failed{reason}"),
                    state => format!("{} after {}{value}", state.name(), count(*epochs, "epoch")),
                };
                tell(format_args!("trial {number}: {how}\n"));
                self.is_old = true;
                self.draw();
            }
            Told::Waiting => {
                if !std::mem::replace(&mut self.waits, true) && self.alone {
                    tell("waiting for the trials of another process\n");
                }
            }
        }
        if interrupted().is_none() {
            return Control::Continue;
        }
        if !self.alone && !std::mem::replace(&mut self.stops, true) {
            tell("\nstopping after these steps and saving; press Ctrl-C again to stop at once\n");
        }
        Control::Stop
    }
}
