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
        let mut rows = Vec::new();
        for row in reader(&bytes, delimiter(&bytes)).records() {
            let row: StringRecord = row.map_err(|failure| Error::Labels {
                path: path.into(),
                line: failure.position().map_or(0, csv::Position::line),
                reason: failure.to_string(),
            })?;
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
