//! Writing a model file.

use std::path::Path;

use pelage_model::networks::Network;
use pelage_model::saved::{self, Facts};
use pelage_model::trust::Calibration;

use crate::{Error, Model, Result, atomic};

/// Writes `model` to `path`, atomically, with its calibration; [`Model::open`] reads it.
///
/// # Errors
/// A full disk or a folder that cannot be written.
pub fn save(model: &Model, path: impl AsRef<Path>) -> Result<()> {
    write(path.as_ref(), &model.network, &model.facts, model.judge.calibration())
}

/// The same for a network, its facts, and its calibration, if it has one.
pub(crate) fn write(path: &Path, network: &Network, facts: &Facts, calibration: Option<&Calibration>) -> Result<()> {
    let bytes = saved::encode(network, facts, calibration).map_err(|reason| Error::model(path, reason))?;
    Ok(atomic::write(path, &bytes)?)
}
