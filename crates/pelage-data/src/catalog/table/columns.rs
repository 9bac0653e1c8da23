//! Which column of a CSV holds what.

use std::path::Path;

use crate::shown;
use csv::StringRecord;

use super::files::Files;
use super::rows::{Table, cell, is_one};
use super::usual::{self, FOLDS, LABELS, PATHS, SPLITS, part_of, plain};
use crate::catalog::part::Part;
use crate::error::shortened;
use crate::{Error, Result};

/// The names of a CSV's columns, or their numbers from 1, where the usual names do not tell which holds what.
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
    fn given(&self) -> impl Iterator<Item = &String> {
        [&self.path, &self.label, &self.split].into_iter().flatten()
    }

    pub(super) fn is_given(&self) -> bool {
        self.given().next().is_some()
    }

    /// Whether they are given by their names, which only a heading has.
    pub(super) fn are_named(&self) -> bool {
        self.given().any(|name| number(name).is_none())
    }
}

/// A column by its number, from 1.
fn number(name: &str) -> Option<usize> {
    name.parse::<usize>().ok()?.checked_sub(1)
}

/// Where parts stand.
#[derive(Clone, Copy)]
pub(super) struct Parts {
    pub(super) column: usize,
    /// The part of a row that says yes, where the others are for training: `is_valid`; none where a cell names it.
    flag: Option<Part>,
}

impl Parts {
    /// What a cell may say.
    pub(super) fn allowed(self) -> &'static str {
        if self.flag.is_some() {
            "yes or no"
        } else {
            "train, validation or test"
        }
    }

    /// The part that a cell tells.
    pub(super) fn part(self, cell: &str) -> Option<Part> {
        match (self.flag, usual::truth(cell)) {
            (Some(part), Some(true)) => Some(part),
            (Some(_), Some(false)) => Some(Part::Train),
            (Some(_), None) => None,
            (None, _) => part_of(cell),
        }
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
    pub(super) split: Option<Parts>,
}

/// Rows that are looked at to see what a column holds.
const LOOKED_AT: usize = 50;

impl Found {
    pub(super) fn of(csv: &Path, asked: &Columns, table: &Table, files: &Files<'_>) -> Result<Found> {
        let look = Look { csv, table, files };
        if table.head.is_none() && !asked.is_given() {
            return look.by_position();
        }
        // pandas writes the numbers of rows as a first column without a name.
        let index = |column: &usize| {
            let name = table.head.as_ref().map(|head| plain(cell(head, *column)));
            name.is_some_and(|name| ["", "unnamed:_0", "index"].contains(&name.as_str()))
        };
        let mut columns: Vec<_> = table.columns();
        columns.retain(|column| !index(column));
        let path = match &asked.path {
            Some(name) => look.named("paths", name)?,
            None => look.paths(&columns)?,
        };
        columns.retain(|column| *column != path);
        // A column for parts in which nothing stands is none.
        let is_blank = |column: &usize| table.rows.iter().all(|row| cell(row, *column).is_empty());
        let mut blank = look.usual(&columns, &usual_splits());
        blank.retain(is_blank);
        columns.retain(|column| !blank.contains(column));
        let split = match &asked.split {
            Some(name) => Some(look.parts(look.named("split", name)?)),
            None => look.split(&columns, asked)?,
        };
        columns.retain(|column| split.is_none_or(|split| split.column != *column));
        let labels = match &asked.label {
            Some(name) => Labels::Column(look.named("labels", name)?),
            None => look.labels(&columns)?,
        };
        look.tell_ignored(&columns, &labels);
        Ok(Found { path, labels, split })
    }
}

/// Usual names of columns that name parts.
fn usual_splits() -> Vec<&'static str> {
    let flags = usual::FLAGS.iter().map(|(name, _)| *name);
    SPLITS.iter().copied().chain(flags).chain(FOLDS).collect()
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
        let column = |name: &str| columns.iter().any(|column| plain(self.head(*column)) == name);
        // Beside an x, y is where something lies.
        let is_place = |found: &usize| plain(self.head(*found)) == "y" && column("x");
        for names in LABELS {
            let mut found = self.usual(columns, names);
            found.retain(|found| !is_place(found));
            match found[..] {
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
        let measures = |column: &usize| usual::is_measure(self.head(*column));
        match columns {
            [] => Err(self.unclear("labels", "since there is no other than that of the paths".into())),
            [_, _, ..] if one_hot() => Ok(Labels::OneHot(columns.to_vec())),
            several => match (several.iter().find(|column| measures(column)), several) {
                (Some(measure), _) => {
                    let name = shortened(self.head(*measure));
                    let problem = format!("since none has a usual name, and '{name}' is a measure's");
                    Err(self.unclear("labels", problem))
                }
                (None, [one]) => Ok(Labels::Column(*one)),
                (None, _) => Err(self.unclear("labels", "since none has a usual name".into())),
            },
        }
    }

    /// A column of a usual name, where that is what it holds, and it does not hold the labels.
    fn split(&self, columns: &[usize], asked: &Columns) -> Result<Option<Parts>> {
        let label = asked.label.as_ref().and_then(|name| self.named("labels", name).ok());
        let names = usual_splits();
        let holds_parts = |parts: &Parts| {
            let tells = |text: &str| text.is_empty() || parts.part(text).is_some();
            self.rows().all(|row| tells(cell(row, parts.column))) && label != Some(parts.column)
        };
        let found = self.usual(columns, &names).into_iter().map(|column| self.parts(column));
        match (Vec::from_iter(found.filter(holds_parts)).as_slice(), asked.is_given()) {
            ([], false) => match self.usual(columns, &FOLDS)[..] {
                [] => self.check_parts(columns).map(|()| None),
                [fold, ..] => {
                    let name = shortened(self.head(fold));
                    let problem = format!(
                        "since '{name}' has numbers, which do not say what is for validation; write train, validation \
                         or test there, or name the columns to go by, and it is passed over"
                    );
                    Err(self.unclear("split", problem))
                }
            },
            ([], true) => Ok(None),
            ([one], _) => Ok(Some(*one)),
            _ => Err(self.unclear("split", "since several may".into())),
        }
    }

    /// Refuses a column of a usual name that holds parts and something else: a slip there would draw another split.
    fn check_parts(&self, columns: &[usize]) -> Result<()> {
        for column in self.usual(columns, &SPLITS) {
            let cells = self.rows().map(|row| cell(row, column)).filter(|text| !text.is_empty());
            let (parts, others): (Vec<_>, Vec<_>) = cells.partition(|text| part_of(text).is_some());
            if let (Some(_), Some(other)) = (parts.first(), others.first()) {
                let (name, other) = (shortened(self.head(column)), shortened(other));
                let problem = format!(
                    "since '{name}' names parts of a data set, and '{other}' is none: train, validation or test; or \
                     name the columns to go by, and it is passed over"
                );
                return Err(self.unclear("split", problem));
            }
        }
        Ok(())
    }

    fn parts(&self, column: usize) -> Parts {
        let name = plain(self.head(column));
        let flag = usual::FLAGS.iter().find(|(flag, _)| *flag == name);
        Parts {
            column,
            flag: flag.map(|(_, part)| *part),
        }
    }

    /// Tells of columns that name parts and are not used as such.
    fn tell_ignored(&self, columns: &[usize], labels: &Labels) {
        let used = |column: &usize| match labels {
            Labels::Column(label) => label == column,
            Labels::OneHot(hot) => hot.contains(column),
        };
        let holds_parts = |column: &&usize| self.rows().all(|row| part_of(cell(row, **column)).is_some());
        for column in columns.iter().filter(|column| !used(column)).filter(holds_parts) {
            let name = shortened(self.head(*column));
            let path = shown::path(&self.csv);
            log::warn!("{path}: the column '{name}' names parts of a data set, and is passed over");
        }
    }

    /// The column that is called `name`.
    fn named(&self, what: &'static str, name: &str) -> Result<usize> {
        let columns = self.table.columns();
        let exact = columns.iter().find(|column| self.head(**column) == name);
        let alike = || columns.iter().find(|column| plain(self.head(**column)) == plain(name));
        let missing = || self.unclear(what, format!("since none is called '{}'", shortened(name)));
        let numbered = || columns.iter().find(|column| number(name) == Some(**column));
        exact.or_else(alike).or_else(numbered).copied().ok_or_else(missing)
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
