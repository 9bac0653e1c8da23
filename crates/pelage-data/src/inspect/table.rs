//! A look at very many pictures, as a table that grows row by row; of which a report is made when it is whole.

use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use rayon::prelude::*;
use serde::Serialize;

use super::report::Report;
use super::seen::{HEADING, Picture};
use super::sets::{Listed, list};
use crate::growing::{Found, Growing, Opened, Origin, Sharing};
use crate::progress::Progress;
use crate::table::{csv, prefixed};
use crate::{Error, Result};

/// Pictures that are looked at between two writes.
const AT_ONCE: usize = 256;

/// What was written.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Noted {
    /// Pictures with a row.
    pub pictures: usize,
    /// Those that cannot be read.
    pub unreadable: usize,
}

/// Looks at the pictures of `path` as [`inspect`](super::inspect) does, and writes a row for each to the table at
/// `table`, as they come; what is known of a picture is not kept in memory. When `is_stopped` says so, what is there is
/// kept, and the answer is none.
///
/// # Errors
/// As [`inspect`](super::inspect), and [`Growing::open`].
pub fn note(
    path: &Path,
    label_level: Option<usize>,
    table: &Path,
    sharing: Sharing,
    progress: &(dyn Fn(Progress) + Sync),
    is_stopped: &dyn Fn() -> bool,
) -> Result<Option<Noted>> {
    let all = list(path, label_level)?.listed;
    let own = &all[sharing.shard.range(all.len())];
    let names = all
        .iter()
        .map(|one| format!("{} {} {}", one.location, one.set, one.class));
    let origin = Origin::new("a look at pictures", &[], names, sharing.shard);
    let mut noted = Noted::default();
    let heading = csv([HEADING])?;
    let opened = Growing::open(table, &heading, origin, sharing.earlier, true, &mut |row, cells| {
        let is_own = own
            .get(row)
            .is_some_and(|one| Some(&*prefixed("./", &one.location.to_string())) == cells.get(0));
        if !is_own {
            return Found::Unexpected;
        }
        noted.unreadable += usize::from(cells.get(HEADING.len() - 1) != Some(""));
        Found::Expected
    })?;
    noted.pictures = own.len();
    let Opened::From(done, mut growing) = opened else {
        noted.unreadable = read(table)?.iter().filter(|picture| picture.seen.is_err()).count();
        return Ok(Some(noted));
    };
    for (chunk, first) in own[done..].chunks(AT_ONCE).zip((done..).step_by(AT_ONCE)) {
        if is_stopped() {
            return Ok(None);
        }
        let pictures: Vec<Picture> = chunk.par_iter().map(Listed::looked_at).collect();
        noted.unreadable += pictures.iter().filter(|picture| picture.seen.is_err()).count();
        growing.add(&csv(pictures.iter().map(Picture::cells))?)?;
        progress(Progress {
            done: first + chunk.len(),
            total: own.len(),
            what: "decoding",
        });
    }
    growing.finish()?;
    Ok(Some(noted))
}

/// Whether the file at `path` is such a table.
pub fn is_table(path: &Path) -> bool {
    let heading = HEADING.join(",");
    let mut head = vec![0; heading.len()];
    let is_file = std::fs::metadata(path).is_ok_and(|told| told.is_file());
    let read = is_file && File::open(path).is_ok_and(|mut file| file.read_exact(&mut head).is_ok());
    read && head == heading.as_bytes()
}

/// What the pictures of a table tell together: as [`inspect`](super::inspect), but for what was left out, of which a
/// table has no rows.
///
/// # Errors
/// A table that cannot be read, or is none of these.
pub fn report(path: &Path) -> Result<Report> {
    Ok(Report::of(&read(path)?, Vec::new()))
}

fn read(path: &Path) -> Result<Vec<Picture>> {
    let mut reader = csv::Reader::from_path(path).map_err(|failure| Error::data(path, failure.to_string()))?;
    let (mut pictures, mut known) = (Vec::new(), HashSet::new());
    for (row, cells) in reader.records().enumerate() {
        let picture = cells.ok().and_then(|cells| Picture::of_cells(&cells, &mut known));
        let damaged = || Error::data(path, format!("its row {} tells nothing of a picture", row + 1));
        pictures.push(picture.ok_or_else(damaged)?);
    }
    Ok(pictures)
}
