//! A look at a data set before training: what is there, what is broken, what is there twice.

mod report;
mod seen;
mod sets;
mod table;

use std::path::Path;

use rayon::prelude::*;

use crate::Result;
use crate::progress::{Counter, Progress};

pub use report::{Captured, ClassReport, Report, Unclear};
pub use table::{Noted, is_table, note, report};

/// Decodes every image of `path` (an organised tree or any source) in parallel. The folders at `label_level` are the
/// classes, if one is given.
///
/// # Errors
/// A source that cannot be read or is empty; broken images are part of the report, not errors.
pub fn inspect(path: &Path, label_level: Option<usize>, progress: &(dyn Fn(Progress) + Sync)) -> Result<Report> {
    let found = sets::list(path, label_level)?;
    let listed = &found.listed;
    let counter = Counter::new("decoding", listed.len(), progress);
    let look = |one: &sets::Listed| {
        let picture = one.looked_at();
        counter.count();
        picture
    };
    let pictures: Vec<_> = listed.par_iter().map(look).collect();
    Ok(Report {
        unclear: found.unclear,
        ..Report::of(&pictures, found.left_out)
    })
}
