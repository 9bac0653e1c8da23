//! A table for people in what was organized: where each file came from.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::Refusal;
use super::whole::write_whole;
use crate::catalog::{Catalog, Part};
use crate::source::{Location, ORIGINS, ORIGINS_HEADING};
use crate::table::{csv, prefixed};
use crate::{Error, Result};

/// What the table tells, of each image.
pub(super) struct Origins<'a> {
    pub(super) catalog: &'a Catalog,
    /// Their paths in the target, with slashes.
    pub(super) files: &'a [String],
    pub(super) parts: &'a [Part],
    /// Their groups, where they were kept together by these.
    pub(super) groups: Option<&'a [usize]>,
}

impl Origins<'_> {
    /// Writes it into `out`, in the order of the source, and returns its path.
    pub(super) fn write(&self, out: &Path) -> Result<PathBuf> {
        let path = out.join(ORIGINS);
        if path.exists() && !is_ours(&path) {
            return Err(Refusal::Changed { path }.into());
        }
        let row = |(i, item): (usize, &crate::catalog::Item)| {
            [
                prefixed("./", &self.files[i]),
                prefixed("./", &origin(&item.location)),
                self.parts[i].name().to_string(),
                prefixed("'", &self.catalog.classes[item.label]),
                self.groups.map_or(String::new(), |groups| groups[i].to_string()),
            ]
        };
        let rows = self.catalog.items.iter().enumerate().map(row);
        let table = csv(std::iter::once(ORIGINS_HEADING.map(String::from)).chain(rows))?;
        write_whole(&path, &table)?;
        Ok(path)
    }
}

/// Where an image is, from wherever it is read; of a member of an archive, as it is called.
fn origin(location: &Location) -> String {
    match location {
        Location::File(path) => Location::File(std::path::absolute(path).unwrap_or_else(|_| path.clone())).to_string(),
        other => other.to_string(),
    }
}

/// Whether the file at `path` is such a table, and not one of the user's that is called so.
pub(super) fn is_ours(path: &Path) -> bool {
    let heading = ORIGINS_HEADING.join(",");
    let mut begin = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(heading.len() as u64).read_to_end(&mut begin));
    read.map_err(Error::io(path)).is_ok() && begin == heading.as_bytes()
}
