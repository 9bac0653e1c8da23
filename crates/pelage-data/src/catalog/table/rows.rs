//! A CSV as rows, whatever separates its columns.

use std::path::Path;

use csv::StringRecord;

use super::files::Files;
use super::usual;
use crate::{Error, Result};

/// A CSV as it was read, without its heading.
pub(super) struct Table {
    /// Names of columns; none where there is no heading.
    pub(super) head: Option<StringRecord>,
    pub(super) rows: Vec<StringRecord>,
}

impl Table {
    /// Reads it; the first row is a heading where columns are asked for by name.
    ///
    /// # Errors
    /// A file that cannot be read, or is no CSV in UTF-8.
    pub(super) fn read(path: &Path, named: bool, files: &Files<'_>) -> Result<Table> {
        let bytes = std::fs::read(path).map_err(Error::io(path))?;
        if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
            return Err(Error::data(path, "is UTF-16; save it as CSV in UTF-8"));
        }
        if let Err(bad) = std::str::from_utf8(&bytes) {
            return Err(Error::Labels {
                path: path.into(),
                line: Lines::new(&bytes).at(bad.valid_up_to()),
                reason: "is not in UTF-8; save it as \"CSV UTF-8\", as spreadsheets call it".into(),
            });
        }
        let (mut rows, mut lines) = (Vec::new(), Lines::new(&bytes));
        for row in reader(&bytes, delimiter(&bytes)).records() {
            let mut row: StringRecord = row.map_err(|failure| Error::Labels {
                path: path.into(),
                line: failure.position().map_or(0, csv::Position::line),
                reason: failure.to_string(),
            })?;
            if let Some(mut position) = row.position().cloned() {
                let line = lines.of_row(position.byte() as usize);
                position.set_line(line);
                row.set_position(Some(position));
            }
            // As spreadsheets leave below a table.
            if row.iter().any(|cell| !cell.is_empty()) {
                rows.push(row);
            }
        }
        let has_head = named || is_head(&rows, files);
        let head = (has_head && !rows.is_empty()).then(|| rows.remove(0));
        Ok(Table { head, rows })
    }

    /// Columns with anything in them.
    pub(super) fn columns(&self) -> Vec<usize> {
        let most = self
            .head
            .iter()
            .chain(&self.rows)
            .map(StringRecord::len)
            .max()
            .unwrap_or(0);
        let used = |column: &usize| {
            self.head
                .iter()
                .chain(&self.rows)
                .any(|row| !cell(row, *column).is_empty())
        };
        (0..most).filter(used).collect()
    }
}

/// Numbers of lines, asked for from the beginning to the end. `csv` counts a line end of two signs to the row after it,
/// and empty lines before a row too.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Lines { bytes, at: 0, line: 1 }
    }

    /// The line of the byte at `place`, from 1.
    fn at(&mut self, place: usize) -> u64 {
        let place = place.min(self.bytes.len());
        for i in self.at..place {
            let ends = match self.bytes[i] {
                b'\n' => true,
                b'\r' => self.bytes.get(i + 1) != Some(&b'\n'),
                _ => false,
            };
            self.line += u64::from(ends);
        }
        self.at = self.at.max(place);
        self.line
    }

    /// The line of a row that begins at `place`, or after line ends there.
    fn of_row(&mut self, place: usize) -> u64 {
        let rest = self.bytes.get(place..).unwrap_or_default();
        let ends = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        self.at(place + ends)
    }
}

/// That a row of the CSV at `path` cannot be used.
pub(super) fn wrong(path: &Path, row: &StringRecord, reason: String) -> Error {
    Error::Labels {
        path: path.into(),
        line: row.position().map_or(0, csv::Position::line),
        reason,
    }
}

/// Whether the first row is a heading: it names no file, and a usual name is in it, or what stands over a file's name
/// is no name of a file.
fn is_head(rows: &[StringRecord], files: &Files<'_>) -> bool {
    let is_file = |cell: &str| files.has(cell);
    let [first, rest @ ..] = rows else { return false };
    if first.iter().any(is_file) {
        return false;
    }
    let over_a_file = || {
        let column = rest.first()?.iter().position(is_file)?;
        first.get(column)
    };
    usual::is_any(first) || over_a_file().is_some_and(|name| !name.contains(['.', '/', '\\']))
}

fn reader(bytes: &[u8], delimiter: u8) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .trim(csv::Trim::All)
        .from_reader(bytes)
}

/// What separates columns: what gives all of the first lines the same number of columns, and the most of them.
fn delimiter(bytes: &[u8]) -> u8 {
    let columns = |delimiter: &u8| {
        let rows = reader(bytes, *delimiter).into_byte_records().take(20);
        let counts: Vec<_> = rows.filter_map(|row| Some(row.ok()?.len())).collect();
        match counts.first() {
            Some(first) if counts.iter().all(|count| count == first) => *first,
            _ => 0,
        }
    };
    // Of equals the first.
    let best = [b'|', b'\t', b';', b','].into_iter().max_by_key(columns);
    best.filter(|best| columns(best) > 1).unwrap_or(b',')
}

/// A cell, empty where the row is shorter.
pub(super) fn cell(row: &StringRecord, column: usize) -> &str {
    row.get(column).unwrap_or_default()
}

/// Whether a cell is the number 1.
pub(super) fn is_one(cell: &str) -> bool {
    cell.parse() == Ok(1.0)
}
