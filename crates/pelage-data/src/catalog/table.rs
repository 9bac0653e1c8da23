//! Labels from a CSV: its delimiter, its heading, and the files that its lines name.

mod columns;
mod files;
mod groups;
mod named;
mod rows;
mod usual;

use std::path::Path;

use csv::StringRecord;

use super::part::Part;
use crate::error::shortened;
use crate::source::{Entry, ORIGINS_HEADING};
use crate::{Error, Result};

use self::columns::{Found, Labels, Parts};
use self::files::Files;
use self::rows::{Table, cell, is_one, wrong};

pub use self::columns::Columns;
pub(crate) use self::groups::groups_of_csv;
pub use self::named::named_by_csv;

/// What a CSV says of one file.
pub(super) type Labelled = (String, Option<Part>);

/// Labels of a CSV, and parts where it says these, one for each entry of `source`.
///
/// A file may be named by a path in the source, relative to the CSV or absolute; by what comes last in its path; with
/// its extension or (as Kaggle does) without, where that is unambiguous.
pub(super) fn labels(
    path: &Path,
    columns: &Columns,
    source: &Path,
    entries: &[Entry],
) -> Result<Vec<Option<Labelled>>> {
    let files = Files::new(path, source, entries.iter().map(|entry| entry.name.as_str()));
    let table = Table::read(path, columns.are_named(), &files)?;
    if table.head.as_ref().is_some_and(|head| head.iter().eq(ORIGINS_HEADING)) {
        return Err(Error::Labels {
            path: path.into(),
            line: 1,
            reason: "it is the table of where organized files came from, which nobody has labelled by; name the table \
                     of labels, or give none where folders are the classes"
                .into(),
        });
    }
    let found = Found::of(path, columns, &table, &files)?;
    let mut labels: Vec<Option<Labelled>> = vec![None; entries.len()];
    for row in &table.rows {
        let wrong = |reason| wrong(path, row, reason);
        let (name, label) = (cell(row, found.path), label(&table, row, &found.labels).map_err(wrong)?);
        let shown = shortened(name);
        let named = files.find(name).map_err(wrong)?;
        let one = named.ok_or_else(|| wrong(format!("there is no file '{shown}' in the source")))?;
        if label.is_empty() {
            // Nobody has said yet what it is: it is a picture without a label, as those that the table does not name.
            continue;
        }
        let part = match found.split.map(|parts| (parts, cell(row, parts.column))) {
            None => None,
            Some((parts, "")) => return Err(wrong(without_part(&table, shown, parts))),
            Some((parts, text)) => Some(parts.part(text).ok_or_else(|| {
                wrong(format!(
                    "'{}' is no part of a data set: {}",
                    shortened(text),
                    parts.allowed()
                ))
            })?),
        };
        let (label, before) = (label.to_string(), labels[one].take());
        if let Some((other, _)) = before.filter(|before| *before != (label.clone(), part)) {
            let reason = match other == label {
                true => format!("'{shown}' is in another part here than before"),
                false => format!(
                    "'{shown}' is labelled '{}' here and '{}' before",
                    shortened(&label),
                    shortened(&other)
                ),
            };
            return Err(wrong(reason));
        }
        labels[one] = Some((label, part));
    }
    Ok(labels)
}

/// What is wrong with the first row whose cell for the part is empty: such a picture would be lost without a word.
fn without_part(table: &Table, shown: String, parts: Parts) -> String {
    const LISTED: usize = 10;
    let column = table.head.as_ref().map_or("", |head| cell(head, parts.column));
    let empty = table.rows.iter().filter(|row| cell(row, parts.column).is_empty());
    let lines = empty.map(|row| row.position().map_or(0, csv::Position::line).to_string());
    let lines: Vec<_> = lines.skip(1).collect();
    let more = match &lines[..] {
        [] => String::new(),
        [one] => format!(" (so is that of line {one})"),
        several => {
            let rest = match several.len().saturating_sub(LISTED) {
                0 => String::new(),
                rest => format!(" and {rest} more"),
            };
            let listed = &several[..several.len().min(LISTED)];
            format!(" (so are those of lines {}{rest})", listed.join(", "))
        }
    };
    format!(
        "'{shown}' is in no part of the data set: its cell in the column '{}' is empty{more}; write {} there, or leave \
         the row out",
        shortened(column),
        parts.allowed()
    )
}

/// The label of a row, or what is wrong with it.
fn label<'a>(table: &'a Table, row: &'a StringRecord, labels: &Labels) -> std::result::Result<&'a str, String> {
    match labels {
        Labels::Column(column) => Ok(cell(row, *column)),
        Labels::OneHot(columns) => {
            let hot = columns.iter().filter(|column| is_one(cell(row, **column)));
            match (Vec::from_iter(hot).as_slice(), &table.head) {
                ([one], Some(head)) => Ok(cell(head, **one)),
                (hot, _) => Err(format!("a picture has one label, and {} columns are 1 here", hot.len())),
            }
        }
    }
}
