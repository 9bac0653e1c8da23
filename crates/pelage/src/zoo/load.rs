//! Weights from any supported file: what `pelage-model` reads, and Keras's `.h5`.

use std::path::Path;

use pelage_model::networks::Architecture;
use pelage_model::weights::{self, Pretrained};

use super::keras;
use crate::{Error, Result};

/// Reads the weights of `architecture` from a `.pth`, `.safetensors` or `.h5` file; the content, not the file's name,
/// tells the format.
///
/// # Errors
/// As [`weights::load`].
pub fn load(path: &Path, architecture: Architecture) -> Result<Pretrained> {
    match weights::head(path)?[..] {
        _ if matches!(architecture, Architecture::Added(_)) => weights::load(path, architecture),
        [0x89, b'H', b'D', b'F', ..] => keras::tensors(path)
            .and_then(|tensors| weights::fit(tensors, architecture))
            .map_err(|reason| Error::model(path, reason)),
        _ => weights::load(path, architecture),
    }
}
