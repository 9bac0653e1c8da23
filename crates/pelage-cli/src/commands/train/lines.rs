//! Training as lines of JSON on standard output, one for each event.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use pelage::data::Unreadable;
use pelage::data::source::LeftOut;
use pelage::evaluate::metrics::wilson;
use pelage::folds::Report;
use pelage::train::history::HistoryRow;
use pelage::train::{EndReason, Event, Outcome as Trained};
use pelage::{Recipe, Run};
use serde::Serialize;

use crate::failure::{Failure, Outcome};
use crate::terminal::{is_json, print, tell};

/// The lines, where they are wanted.
#[derive(Clone, Copy)]
pub(in crate::commands) struct Lines(bool);

/// Whether a line could not be written.
static LOST: AtomicBool = AtomicBool::new(false);

/// A line.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Line<'a> {
    /// A run begins, or goes on.
    Started {
        run: &'a Path,
        classes: &'a [String],
        train_pictures: usize,
        validation_pictures: usize,
        unreadable: Vec<&'a Unreadable>,
        left_out: &'a [LeftOut],
        settings: &'a Recipe,
    },
    /// What the data suggest.
    Note { text: &'a str },
    /// How long it will take.
    Forecast {
        train_images_per_second: f64,
        epoch_seconds: f64,
        total_seconds: f64,
        epochs: usize,
    },
    /// The head was solved to its optimum.
    Solved {
        strength: f64,
        cross_validated: Option<f64>,
    },
    /// An epoch has ended.
    Epoch {
        #[serde(flatten)]
        row: &'a HistoryRow,
        epochs: usize,
        improved: bool,
    },
    /// The run has ended, or was interrupted.
    Finished {
        run: &'a Path,
        reason: &'static str,
        epochs: usize,
        best_epoch: Option<usize>,
        validation_loss: Option<f64>,
        validation_accuracy: Option<f64>,
        accuracy_interval: Option<[f64; 2]>,
        near_copies: usize,
    },
    /// All runs of a cross-validation have ended.
    Folds {
        folder: &'a Path,
        #[serde(flatten)]
        report: &'a Report,
    },
}

impl Lines {
    /// After a cross-validation.
    pub(super) fn folds(self, folder: &Path, report: &Report) {
        self.write(&Line::Folds { folder, report });
    }

    /// Where JSON is asked for.
    pub(super) fn asked() -> Lines {
        Lines(is_json())
    }

    /// None: training is a part of something else.
    pub(in crate::commands) fn none() -> Lines {
        Lines(false)
    }

    fn write(self, line: &Line) {
        if !self.0 {
            return;
        }
        let written = serde_json::to_string(line).map_err(std::io::Error::from);
        if let Err(failure) = written.and_then(|text| print(&(text + "\n"))) {
            // Hours of training are worth more than their account, and go on without it.
            if !LOST.swap(true, Ordering::Relaxed) {
                tell(format_args!("note: standard output: {failure}\n"));
            }
        }
    }

    /// What a command ends with that has written all of its lines: nothing more to print.
    pub(super) fn end(self) -> Outcome {
        match LOST.load(Ordering::Relaxed) {
            true => Err(Failure::failed(
                "standard output took not all lines; the run itself is whole",
            )),
            false => Ok(String::new()),
        }
    }

    pub(super) fn started(self, run: &Run) {
        let (train, validation) = (&run.data.train, &run.data.validation);
        self.write(&Line::Started {
            run: &run.folder,
            classes: train.classes(),
            train_pictures: train.len(),
            validation_pictures: validation.len(),
            unreadable: train.unreadable().iter().chain(validation.unreadable()).collect(),
            left_out: train.left_out(),
            settings: &run.config.recipe,
        });
    }

    pub(super) fn note(self, text: &str) {
        self.write(&Line::Note {
            text: text.trim_start_matches("note: ").trim_end(),
        });
    }

    pub(super) fn forecast(self, forecast: &pelage::train::forecast::Forecast, epochs: usize) {
        self.write(&Line::Forecast {
            train_images_per_second: forecast.train_images_per_second,
            epoch_seconds: forecast.epoch_seconds,
            total_seconds: forecast.total_seconds,
            epochs,
        });
    }

    pub(super) fn observe(self, event: &Event) {
        match event {
            Event::Solved {
                strength,
                cross_validated,
            } => self.write(&Line::Solved {
                strength: *strength,
                cross_validated: *cross_validated,
            }),
            Event::EpochEnd {
                history,
                epochs,
                improved,
                ..
            } => {
                if let Some(row) = history.last() {
                    self.write(&Line::Epoch {
                        row,
                        epochs: *epochs,
                        improved: *improved,
                    });
                }
            }
            _ => {}
        }
    }

    pub(super) fn finished(self, run: &Run, trained: &Trained) {
        let best = trained.history.iter().find(|row| Some(row.epoch) == trained.best_epoch);
        self.write(&Line::Finished {
            run: &run.folder,
            reason: match trained.reason {
                EndReason::Finished => "finished",
                EndReason::EarlyStop => "early_stop",
                EndReason::Interrupted => "interrupted",
            },
            epochs: trained.history.len(),
            best_epoch: trained.best_epoch,
            validation_loss: best.map(|row| row.validation_loss),
            validation_accuracy: best.map(|row| row.validation_accuracy),
            accuracy_interval: best.map(|row| wilson(row.validation_accuracy, run.data.validation.len())),
            near_copies: run.leaked().unwrap_or(0),
        });
    }
}
