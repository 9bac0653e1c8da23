//! Writing a model file.

use std::path::Path;

use pelage_model::networks::Network;
use pelage_model::saved::{self, Facts};

use crate::{Error, Model, Result, atomic};

/// Writes `model` to `path`, atomically; [`Model::open`] reads it. Its calibration is not part of the file.
///
/// # Errors
/// A full disk or a folder that cannot be written.
pub fn save(model: &Model, path: impl AsRef<Path>) -> Result<()> {
    write(path.as_ref(), &model.network, &model.facts)
}

/// The same for a network and its facts.
pub(crate) fn write(path: &Path, network: &Network, facts: &Facts) -> Result<()> {
    let bytes = saved::encode(network, facts).map_err(|reason| Error::model(path, reason))?;
    Ok(atomic::write(path, &bytes)?)
}
