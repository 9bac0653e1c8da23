//! Writing a model file.

use std::path::Path;

use crate::{Error, Model, Result, atomic};

/// Writes `model` to `path`, atomically, with its calibration; [`Model::open`] reads it.
///
/// # Errors
/// A full disk or a folder that cannot be written.
pub fn save(model: &Model, path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    let bytes = model.encode().map_err(|reason| Error::model(path, reason))?;
    Ok(atomic::write(path, &bytes)?)
}
