//! A self-contained page about a run: `findings` gathers what `page` shows.

pub mod findings;
pub mod page;
pub(crate) mod thumbnail;

pub use findings::Findings;
pub use page::html;

use std::path::Path;

use pelage_data::Progress;
use pelage_data::output::Output;

use crate::compute::Compute;
use crate::runs::images::Labelled;
use crate::{Error, Result};

/// Writes the page about `run` on the validation part of `data` (by default of the images that it was trained on) to
/// `out`, and returns its size in bytes.
///
/// # Errors
/// As [`Findings::gather`]; a figure that cannot be drawn; a folder that cannot be written.
pub fn write(
    run: &Path,
    data: Option<Labelled>,
    out: &Output,
    compute: &Compute,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<usize> {
    let found = Findings::gather(run, data, compute, progress)?;
    let page = html(&found).map_err(|reason| Error::Rendering {
        what: "the report",
        reason,
    })?;
    out.write(page.as_bytes())?;
    Ok(page.len())
}
