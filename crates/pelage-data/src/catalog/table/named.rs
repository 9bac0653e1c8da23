//! The files that a CSV names.

use std::path::Path;

use super::files::Files;
use super::rows::{Table, cell, wrong};
use super::usual::path_column;
use crate::error::listed;
use crate::{Error, Result};

/// Which of the files of `source` with these `names` the CSV at `path` names in its column of paths. Other files may be
/// named too, such as those of another part.
///
/// # Errors
/// A CSV that cannot be read or has no such column; a path that fits several files; lines of which none names a file.
pub fn named_by_csv(path: &Path, source: &Path, names: &[&str]) -> Result<Vec<bool>> {
    let files = Files::new(path, source, names.iter().copied());
    let table = Table::read(path, true, &files)?;
    let head: Vec<String> = table.head.iter().flatten().map(String::from).collect();
    let column = path_column(&head).ok_or_else(|| {
        let reason = format!("its first line must name a column path; it has {}", listed(&head));
        Error::data(path, reason)
    })?;
    let mut named = vec![false; names.len()];
    for row in &table.rows {
        let found = files.find(cell(row, column));
        if let Some(one) = found.map_err(|reason| wrong(path, row, reason))? {
            named[one] = true;
        }
    }
    match named.contains(&true) || table.rows.is_empty() {
        true => Ok(named),
        false => Err(Error::data(
            path,
            "names none of the training pictures by its path in the source",
        )),
    }
}
