//! What of progress a terminal has room for: nothing is cut, and no bar takes two lines.

use console::Term;
use pelage::runs::record;
use pelage::train::history::HistoryRow;

use crate::table::{duration, fits, fixed};
use crate::terminal::columns;

/// How wide a terminal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// Less than eighty columns.
    Narrow,
    /// Eighty, as most terminals begin with.
    Usual,
    /// Enough for all.
    Wide,
}

impl Room {
    /// That of the terminal that shows progress.
    pub(super) fn of_terminal() -> Room {
        Room::of(columns(&Term::stderr()))
    }

    fn of(columns: Option<usize>) -> Room {
        match columns {
            Some(..80) => Room::Narrow,
            Some(..110) => Room::Usual,
            _ => Room::Wide,
        }
    }

    /// The template of a task's bar: its message says what is done, its prefix to what.
    pub(super) fn task(self) -> &'static str {
        match self {
            Room::Narrow => "{msg:11} {human_pos}/{human_len}  {eta} left",
            Room::Usual => "{msg:11} {bar:12.cyan} {human_pos}/{human_len}  {rate} {prefix}/s  {eta} left",
            Room::Wide => "{msg:11} {bar:30.cyan} {human_pos}/{human_len}  {rate} {prefix}/s  {eta} left",
        }
    }

    /// That of a download, whose message says how long it takes.
    pub(super) fn download(self) -> &'static str {
        match self {
            Room::Narrow => "{bytes}/{total_bytes}  {msg}",
            Room::Usual => "download {bar:8.cyan} {bytes}/{total_bytes}  {bytes_per_sec}  {msg}",
            Room::Wide => "download {bar:24.cyan} {bytes}/{total_bytes}  {bytes_per_sec}  {msg}",
        }
    }

    /// That of epochs.
    pub(super) fn epochs(self) -> &'static str {
        match self {
            Room::Narrow => "epoch   {pos}/{len}  {msg}",
            Room::Usual => "epoch   {bar:10.cyan} {pos}/{len}  {msg}",
            Room::Wide => "epoch   {bar:24.cyan} {pos}/{len}  {msg}",
        }
    }

    /// That of batches.
    pub(super) fn batches(self) -> &'static str {
        match self {
            Room::Narrow => "{prefix:7} {pos}/{len}  {msg}",
            Room::Usual => "{prefix:7} {bar:8.cyan} {pos}/{len}  {msg}",
            Room::Wide => "{prefix:7} {bar:24.cyan} {pos}/{len}  {msg}",
        }
    }

    /// What stands beside the bar of batches: loss, accuracy, images a second, and the time that is left.
    pub(super) fn facts(self, loss: f64, accuracy: f64, rate: f64, left: &str) -> String {
        let (loss, accuracy) = (fixed(loss, 4), 100.0 * accuracy);
        match self {
            Room::Narrow => format!("loss {loss}, {accuracy:.1} %"),
            Room::Usual => format!("loss {loss}, {accuracy:.1} %  {rate:.0} images/s  {left} left"),
            Room::Wide => format!("loss {loss}  accuracy {accuracy:.1} %  {rate:.0} images/s  {left} left"),
        }
    }

    /// What stands beside the one bar of epochs that take milliseconds.
    pub(super) fn whole(self, loss: &str, left: &str) -> String {
        match self {
            Room::Narrow => format!("validation loss {loss}"),
            _ => format!("validation loss {loss}  {left} left"),
        }
    }
}

/// An epoch in one line, as wide as the terminal has room for.
/// It ends in `mark` where its weights are kept.
pub(super) fn epoch(row: &HistoryRow, epochs: usize, mark: Option<&str>) -> String {
    epoch_in(row, epochs, mark, columns(&Term::stderr()))
}

/// The same in `columns`, where there are so many: a narrow line leaves out words that the numbers say as well, and is
/// broken between the figures of training and those of validation.
fn epoch_in(row: &HistoryRow, epochs: usize, mark: Option<&str>, columns: Option<usize>) -> String {
    let whole = record::line(row, epochs);
    // All lines of a run look alike, whether they are the best or not.
    if columns.is_none_or(|columns| fits(&format!("{whole}  best"), columns)) {
        return mark.map_or(whole.clone(), |mark| format!("{whole}  {mark}"));
    }
    let figures = |loss: f64, accuracy: f64| format!("{}, {:.2} %", fixed(loss, 4), 100.0 * accuracy);
    let parts = [
        format!("epoch {:>2}/{epochs}", row.epoch),
        format!("loss {}", figures(row.train_loss, row.train_accuracy)),
        format!("validation {}", figures(row.validation_loss, row.validation_accuracy)),
        match row.seconds {
            // Of a head on kept features an epoch takes milliseconds.
            shortest @ 0.0..1.0 => format!("{shortest:.3} s"),
            short @ 1.0..100.0 => format!("{short:.1} s"),
            long => duration(long),
        },
    ];
    let mut lines = String::new();
    for part in parts.into_iter().chain(mark.map(String::from)) {
        let joint = match lines.lines().last().unwrap_or_default() {
            "" => "",
            last if columns.is_none_or(|columns| fits(&format!("{last}  {part}"), columns)) => "  ",
            _ => "\n    ",
        };
        lines += &format!("{joint}{part}");
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_bar_is_wider_than_its_terminal() {
        for (columns, most) in [(50, 50), (79, 50), (80, 80), (109, 80), (110, 110), (200, 110)] {
            let room = Room::of(Some(columns));
            let left = duration(3599.0);
            let facts = room.facts(0.612_345, 1.0, 12_345.0, &left);
            let whole = room.whole("0.6931", &left);
            for (template, message) in [
                (room.task(), "decoding"),
                (room.epochs(), "at most 59 min 59 s left"),
                (room.epochs(), &whole),
                (room.batches(), &facts),
                (room.download(), "3 min 20 s left"),
            ] {
                // As indicatif fills it in.
                let mut line = template.to_string();
                for (key, value) in [
                    ("{msg:11}", "decoding   "),
                    ("{msg}", message),
                    ("{prefix:7}", "train  "),
                    ("{prefix}", "pictures"),
                    ("{bar:8.cyan}", "--------"),
                    ("{bar:10.cyan}", "----------"),
                    ("{bar:12.cyan}", "------------"),
                    ("{bar:24.cyan}", "------------------------"),
                    ("{bar:30.cyan}", "------------------------------"),
                    ("{pos}", "400"),
                    ("{len}", "400"),
                    ("{human_pos}", "16,000"),
                    ("{human_len}", "16,000"),
                    ("{rate}", "1234"),
                    ("{eta}", "59m"),
                    ("{bytes}", "234.56 MiB"),
                    ("{total_bytes}", "512.34 MiB"),
                    ("{bytes_per_sec}", "12.34 MiB/s"),
                ] {
                    line = line.replace(key, value);
                }
                assert!(!line.contains('{') && line.chars().count() <= most, "{columns}: {line}");
            }
        }
    }

    #[test]
    fn an_epoch_is_one_line_as_wide_as_there_is_room() {
        let row = HistoryRow {
            epoch: 7,
            step: 700,
            learning_rate: 0.01,
            train_loss: 0.61234,
            train_accuracy: 0.7154,
            validation_loss: 0.5,
            validation_accuracy: 0.81,
            seconds: 12.34,
            images_per_second: 812.4,
        };
        let whole = "epoch  7/25  loss 0.6123  accuracy 71.54 %  |  validation loss 0.5000  accuracy 81.00 %  |  \
                     12.3 s, 812 images/s  best";
        assert_eq!(epoch_in(&row, 25, Some("best"), None), whole);
        for (columns, is_best, golden) in [
            (120, true, whole),
            (120, false, whole.trim_end_matches("  best")),
            (
                80,
                true,
                "epoch  7/25  loss 0.6123, 71.54 %  validation 0.5000, 81.00 %  12.3 s  best",
            ),
            (
                50,
                true,
                "epoch  7/25  loss 0.6123, 71.54 %\n    validation 0.5000, 81.00 %  12.3 s  best",
            ),
            (
                50,
                false,
                "epoch  7/25  loss 0.6123, 71.54 %\n    validation 0.5000, 81.00 %  12.3 s",
            ),
        ] {
            assert_eq!(
                epoch_in(&row, 25, is_best.then_some("best"), Some(columns)),
                golden,
                "{columns}"
            );
        }
        // With the most digits that there are usually.
        let long = HistoryRow {
            epoch: 100,
            train_accuracy: 1.0,
            validation_accuracy: 1.0,
            seconds: 5000.0,
            ..row
        };
        let line = epoch_in(&long, 100, None, Some(80));
        assert_eq!(
            line,
            "epoch 100/100  loss 0.6123, 100.00 %  validation 0.5000, 100.00 %  1 h 23 min"
        );
    }
}
