//! Writing a model file.

use std::path::Path;

use pelage_model::saved;

use crate::{Error, Model, Result, atomic};

/// Writes `model` to `path`, atomically, with its calibration; [`Model::open`] reads it.
///
/// # Errors
/// A full disk or a folder that cannot be written.
pub fn save(model: &Model, path: impl AsRef<Path>) -> Result<()> {
    let (path, calibration) = (path.as_ref(), model.judge.calibration());
    let bytes = saved::encode(&model.network, &model.others, &model.facts, calibration)
        .map_err(|reason| Error::model(path, reason))?;
    Ok(atomic::write(path, &bytes)?)
}
