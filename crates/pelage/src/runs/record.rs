//! What a run folder keeps besides weights: `log.txt`, `history.csv`, `confusion.csv`, `curves.svg`, `curves.png`,
//! TensorBoard events.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use pelage_data::source;

use super::config::Config;
use super::history;
use super::tensorboard::EventFile;
use crate::draw::text::fixed;
use crate::draw::{curves, png};
use crate::evaluate::confusion;
use crate::train::history::HistoryRow;
use crate::train::{Event, Outcome};
use crate::{Error, Result, atomic};

/// Steps between two TensorBoard values of the running training loss.
const TENSORBOARD_STEPS: u64 = 20;
/// The last epoch's confusion matrix, in a run folder.
pub const CONFUSION: &str = "confusion.csv";

/// Writes events into a run folder.
pub struct Recorder {
    folder: PathBuf,
    title: String,
    classes: Vec<String>,
    log: File,
    tensorboard: Option<EventFile>,
}

impl Recorder {
    /// Opens the files of `folder`, appending to those of an interrupted run.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn open(folder: &Path, config: &Config, classes: &[String]) -> Result<Self> {
        let path = folder.join("log.txt");
        let log = File::options()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(Error::io(&path))?;
        let tensorboard = config
            .tensorboard
            .then(|| EventFile::create(&folder.join("tensorboard")))
            .transpose()?;
        let name = folder.file_name().unwrap_or(folder.as_os_str()).to_string_lossy();
        let title = format!(
            "{} on {}: {name}",
            config.recipe.model.name(),
            config.shown_data().display()
        );
        Ok(Recorder {
            folder: folder.to_path_buf(),
            title,
            classes: classes.to_vec(),
            log,
            tensorboard,
        })
    }

    /// Appends a line to `log.txt`, with the time (UTC).
    ///
    /// # Errors
    /// A full disk.
    pub fn log(&mut self, line: &str) -> Result<()> {
        let now = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M:%S");
        writeln!(self.log, "{now}  {line}").map_err(Error::io(self.folder.join("log.txt")))
    }

    /// Records an event.
    ///
    /// # Errors
    /// A full disk.
    pub fn observe(&mut self, event: &Event) -> Result<()> {
        match event {
            Event::EpochStart {
                epoch,
                epochs,
                batches,
                done: 0,
            } => self.log(&format!("epoch {epoch}/{epochs} begins, {batches} batches")),
            Event::EpochStart {
                epoch,
                epochs,
                batches,
                done,
            } => self.log(&format!(
                "epoch {epoch}/{epochs} resumes after batch {done} of {batches}"
            )),
            Event::Batch {
                step,
                loss,
                accuracy,
                learning_rate,
                ..
            } if step % TENSORBOARD_STEPS == 0 => {
                let values = [
                    ("loss/step", *loss),
                    ("accuracy/step", *accuracy),
                    ("learning_rate", *learning_rate),
                ];
                self.scalars(*step, &values)
            }
            Event::Solved {
                strength,
                cross_validated,
            } => self.log(&match cross_validated {
                Some(loss) => format!("strength of regularization {strength:.2e}, loss {loss:.4} by cross-validation"),
                None => format!("strength of regularization {strength:.2e}"),
            }),
            Event::Batch { .. } | Event::Validation { .. } => Ok(()),
            Event::EpochEnd {
                history,
                best_epoch,
                epochs,
                improved,
                confusion_matrix,
            } => {
                let Some(row) = history.last() else { return Ok(()) };
                let is_lowest = history.iter().all(|one| one.validation_loss >= row.validation_loss);
                let mark = match (*improved, is_lowest) {
                    (false, _) => "",
                    (true, true) => ", best so far",
                    // Averaged weights, or those of another size.
                    (true, false) => ", kept",
                };
                self.log(&format!("{}{mark}", line(row, *epochs)))?;
                self.scalars(
                    row.step,
                    &[
                        ("loss/train", row.train_loss),
                        ("loss/validation", row.validation_loss),
                        ("accuracy/train", row.train_accuracy),
                        ("accuracy/validation", row.validation_accuracy),
                        ("images_per_second", row.images_per_second),
                    ],
                )?;
                if let Some(matrix) = confusion_matrix {
                    let table = confusion::csv(&self.classes, matrix)?;
                    atomic::write(&self.folder.join(CONFUSION), &table)?;
                }
                self.figures(history, *best_epoch)
            }
        }
    }

    /// Records how the run ended. Draws the figures again: a kill after the last checkpoint may have left outdated
    /// ones.
    ///
    /// # Errors
    /// A full disk.
    pub fn end(&mut self, outcome: &Outcome) -> Result<()> {
        self.figures(&outcome.history, outcome.best_epoch)?;
        let best = outcome.best_epoch.map_or("none".into(), |best| best.to_string());
        self.log(&format!("ended: {}; best epoch: {best}", outcome.reason))
    }

    fn scalars(&mut self, step: u64, values: &[(&str, f64)]) -> Result<()> {
        match &mut self.tensorboard {
            Some(events) => events
                .scalars(step, values)
                .map_err(Error::io(self.folder.join("tensorboard"))),
            None => Ok(()),
        }
    }

    fn figures(&self, rows: &[HistoryRow], best_epoch: Option<usize>) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        history::write_csv(&self.folder.join("history.csv"), rows)?;
        let drawn = |reason: String| Error::Rendering {
            what: "the curves",
            reason,
        };
        let svg = curves::curves_svg(&self.title, rows, best_epoch).map_err(drawn)?;
        let png = png::svg_to_png(&svg, 2.0).map_err(drawn)?;
        atomic::write(&self.folder.join("curves.svg"), source::mark_svg(&svg).as_bytes())?;
        Ok(atomic::write(&self.folder.join("curves.png"), &png)?)
    }
}

/// An epoch in one line.
pub fn line(row: &HistoryRow, epochs: usize) -> String {
    format!(
        "epoch {:>2}/{epochs}  loss {}  accuracy {:5.2} %  |  validation loss {}  accuracy {:5.2} %  |  \
         {:.*} s, {:.0} images/s",
        row.epoch,
        fixed(row.train_loss, 4),
        100.0 * row.train_accuracy,
        fixed(row.validation_loss, 4),
        100.0 * row.validation_accuracy,
        // Of a head on kept features an epoch takes milliseconds.
        if row.seconds < 1.0 { 3 } else { 1 },
        row.seconds,
        row.images_per_second
    )
}
