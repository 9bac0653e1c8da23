//! Groups from a CSV.

use std::path::Path;

use super::files::Files;
use super::rows::{Table, cell, wrong};
use super::usual::{path_column, plain};
use crate::error::{listed, shortened};
use crate::shown;
use crate::{Error, Result};

/// What the CSV at `path` says in its column `group` of the files of `source` with these `names`. Other files may be
/// named too, such as those of another part.
pub(crate) fn groups_of_csv(path: &Path, source: &Path, names: &[&str]) -> Result<Vec<Option<String>>> {
    let files = Files::new(path, source, names.iter().copied());
    let table = Table::read(path, true, &files)?;
    let head: Vec<String> = table.head.iter().flatten().map(String::from).collect();
    let group = head.iter().position(|cell| plain(cell) == "group");
    let (Some(paths), Some(group)) = (path_column(&head), group) else {
        let reason = format!(
            "its first line must name the columns path and group; it has {}",
            listed(&head)
        );
        return Err(Error::data(path, reason));
    };
    let mut groups = vec![None; names.len()];
    let mut strangers = Vec::new();
    for row in &table.rows {
        let wrong = |reason| wrong(path, row, reason);
        let (name, group) = (cell(row, paths), cell(row, group));
        let shown = shortened(name);
        let Some(one) = files.find(name).map_err(wrong)? else {
            strangers.push(shown);
            continue;
        };
        if group.is_empty() {
            continue;
        }
        if let Some(other) = groups[one].replace(group.to_string()).filter(|other| other != group) {
            let (group, other) = (shortened(group), shortened(&other));
            return Err(wrong(format!(
                "'{shown}' is in group '{group}' here and in '{other}' before"
            )));
        }
    }
    match groups.iter().all(Option::is_none) {
        true => {
            let example = names
                .first()
                .map_or(String::new(), |name| format!(", such as {}", shortened(name)));
            let reason = format!("gives none of the pictures a group; name them by their paths in the source{example}");
            Err(Error::data(path, reason))
        }
        false => {
            tell(path, &strangers, groups.iter().filter(|group| group.is_none()).count());
            Ok(groups)
        }
    }
}

/// Tells of what the CSV does not settle: its rows that name none of the images, and the images that it gives no group.
fn tell(path: &Path, strangers: &[String], alone: usize) {
    let mut told = Vec::new();
    if let Some(first) = strangers.first() {
        let (rows, match_) = if strangers.len() == 1 {
            ("row", "matches")
        } else {
            ("rows", "match")
        };
        let (count, path) = (strangers.len(), shown::path(path));
        told.push(format!("{count} {rows} of {path} {match_} no picture (first: {first})"));
    }
    if alone > 0 {
        let pictures = if alone == 1 { "picture is" } else { "pictures are" };
        told.push(format!("{alone} {pictures} in no group of {}", shown::path(path)));
    }
    if !told.is_empty() {
        log::warn!("{}", told.join(", "));
    }
}
