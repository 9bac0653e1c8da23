//! Which column of a CSV holds what.

use std::path::Path;

use csv::StringRecord;

use super::files::Files;
use super::rows::{Table, cell, is_one};
use super::usual::{LABELS, PATHS, SPLITS, part_of, plain};
use crate::error::shortened;
use crate::{Error, Result};

/// The names of a CSV's columns, where the usual ones do not tell which holds what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    /// Of the files' paths.
    pub path: Option<String>,
    /// Of the labels.
    pub label: Option<String>,
    /// Of the parts: train, validation, test.
    pub split: Option<String>,
}

impl Columns {
    pub(super) fn is_given(&self) -> bool {
        self.path.is_some() || self.label.is_some() || self.split.is_some()
    }
}

/// Where labels stand.
pub(super) enum Labels {
    Column(usize),
    /// In the names of these columns, of which a row has one that is 1, the others 0.
    OneHot(Vec<usize>),
}

/// The columns of one CSV.
pub(super) struct Found {
    pub(super) path: usize,
    pub(super) labels: Labels,
    pub(super) split: Option<usize>,
}

/// Rows that are looked at to see what a column holds.
const LOOKED_AT: usize = 50;

impl Found {
    pub(super) fn of(csv: &Path, asked: &Columns, table: &Table, files: &Files<'_>) -> Result<Found> {
        let look = Look { csv, table, files };
        let Some(head) = &table.head else {
            return look.by_position();
        };
        // pandas writes the numbers of rows as a first column without a name.
        let index = |column: &usize| ["", "unnamed:_0", "index"].contains(&plain(cell(head, *column)).as_str());
        let mut columns: Vec<_> = table.columns();
        columns.retain(|column| !index(column));
        let path = match &asked.path {
            Some(name) => look.named("paths", name)?,
            None => look.paths(&columns)?,
        };
        columns.retain(|column| *column != path);
        let split = match &asked.split {
            Some(name) => Some(look.named("split", name)?),
            None => look.split(&columns, asked)?,
        };
        columns.retain(|column| Some(*column) != split);
        let labels = match &asked.label {
            Some(name) => Labels::Column(look.named("labels", name)?),
            None => look.labels(&columns)?,
        };
        Ok(Found { path, labels, split })
    }
}

struct Look<'a> {
    csv: &'a Path,
    table: &'a Table,
    files: &'a Files<'a>,
}

impl Look<'_> {
    /// Path and label, in a table without a heading.
    fn by_position(&self) -> Result<Found> {
        let columns = self.table.columns();
        let numbered = |column: usize| {
            let mut cells = self.rows().map(|row| cell(row, column));
            cells.all(|cell| cell.bytes().all(|byte| byte.is_ascii_digit()))
        };
        let holds_files = |column: usize| self.rows().all(|row| self.is_file(cell(row, column)));
        let (path, label) = match columns[..] {
            [path, label] => (path, label),
            [index, path, label] if numbered(index) && holds_files(path) => (path, label),
            // Of no file there is a label.
            [0] if self.rows().any(|row| row.len() > 1) => (0, 1),
            [] | [_] => {
                return Err(Error::Labels {
                    path: self.csv.into(),
                    line: 1,
                    reason: "expected two columns: path,label".into(),
                });
            }
            _ => return Err(self.unclear("labels", "and there is no heading".into())),
        };
        Ok(Found {
            path,
            labels: Labels::Column(label),
            split: None,
        })
    }

    fn paths(&self, columns: &[usize]) -> Result<usize> {
        let holds_files = |column: &usize| self.rows().any(|row| self.is_file(cell(row, *column)));
        let usual: Vec<_> = PATHS.iter().map(|names| self.usual(columns, names)).collect();
        for named in &usual {
            match Vec::from_iter(named.iter().copied().filter(holds_files))[..] {
                [] => {}
                [one] => return Ok(one),
                _ => return Err(self.unclear("paths", "since several may".into())),
            }
        }
        match Vec::from_iter(columns.iter().copied().filter(holds_files))[..] {
            [one] => return Ok(one),
            [] => {}
            _ => return Err(self.unclear("paths", "since several may".into())),
        }
        // It names files, though none of the source.
        let first = usual.into_iter().flatten().next();
        first.ok_or_else(|| self.unclear("paths", "since none names a file of the source".into()))
    }

    fn labels(&self, columns: &[usize]) -> Result<Labels> {
        for names in LABELS {
            match self.usual(columns, names)[..] {
                [] => {}
                [one] => return Ok(Labels::Column(one)),
                _ => return Err(self.unclear("labels", "since several may".into())),
            }
        }
        let is_switch = |text: &str| is_one(text) || text.parse() == Ok(0.0);
        let one_hot = || {
            columns
                .iter()
                .all(|column| self.table.rows.iter().all(|row| is_switch(cell(row, *column))))
        };
        match columns {
            [] => Err(self.unclear("labels", "since there is no other than that of the paths".into())),
            [one] => Ok(Labels::Column(*one)),
            several if one_hot() => Ok(Labels::OneHot(several.to_vec())),
            _ => Err(self.unclear("labels", "since none has a usual name".into())),
        }
    }

    /// A column of a usual name, where that is what it holds, and it does not hold the labels.
    fn split(&self, columns: &[usize], asked: &Columns) -> Result<Option<usize>> {
        let label = |column: &usize| asked.label.as_ref().is_some_and(|label| self.head(*column) == label);
        let is_part = |text: &str| text.is_empty() || part_of(text).is_some();
        let holds_parts = |column: &usize| self.rows().all(|row| is_part(cell(row, *column))) && !label(column);
        match Vec::from_iter(self.usual(columns, SPLITS[0]).into_iter().filter(holds_parts))[..] {
            [] => Ok(None),
            [one] => Ok(Some(one)),
            _ => Err(self.unclear("split", "since several may".into())),
        }
    }

    /// The column that is called `name`.
    fn named(&self, what: &'static str, name: &str) -> Result<usize> {
        let columns = self.table.columns();
        let exact = columns.iter().find(|column| self.head(**column) == name);
        let alike = || columns.iter().find(|column| plain(self.head(**column)) == plain(name));
        let missing = || self.unclear(what, format!("since none is called '{}'", shortened(name)));
        exact.or_else(alike).copied().ok_or_else(missing)
    }

    fn usual(&self, columns: &[usize], names: &[&str]) -> Vec<usize> {
        let is_usual = |column: &&usize| names.contains(&plain(self.head(**column)).as_str());
        columns.iter().filter(is_usual).copied().collect()
    }

    fn head(&self, column: usize) -> &str {
        self.table.head.as_ref().map_or("", |head| cell(head, column))
    }

    fn rows(&self) -> impl Iterator<Item = &StringRecord> {
        self.table.rows.iter().take(LOOKED_AT)
    }

    fn is_file(&self, cell: &str) -> bool {
        !cell.is_empty() && self.files.has(cell)
    }

    fn unclear(&self, what: &'static str, problem: String) -> Error {
        let first = self.table.head.as_ref().or(self.table.rows.first());
        Error::Columns {
            path: self.csv.into(),
            what,
            problem,
            columns: first.map_or(Vec::new(), |row| row.iter().map(String::from).collect()),
        }
    }
}
