//! Files of a data set, each whole or not there.

use std::io::Write;
use std::path::Path;

use crate::atomic::Unfinished;
use crate::{Error, Result};

/// A kill never leaves half a file under the right name. Nothing is synced: a data set can be organized again.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let attempt = || {
        let mut file = Unfinished::new(path)?;
        file.write_all(bytes)?;
        file.finish()
    };
    attempt().map(drop).map_err(|failure| {
        let remedy = "what is there already stays; organizing again goes on from there";
        Error::io(path)(std::io::Error::new(failure.kind(), format!("{failure} ({remedy})")))
    })
}
