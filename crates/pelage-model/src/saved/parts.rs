//! A model file and what is in it.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::facts::Facts;
use super::together;
use crate::precision::Precision;
use crate::tensors::Stored;
use crate::trust::Calibration;
use crate::values::Named;
use crate::{Error, Result, paths, tensors};

/// The key of the calibration beside the [`Facts`].
const CALIBRATION: &str = "calibration";

/// The key of the word that says in what the networks compute; absent where that is f32.
const PRECISION: &str = "precision";

/// The content of a model file.
pub(crate) struct Parts {
    /// The tensors of each network.
    pub(crate) named: Vec<Named>,
    /// Whether the networks are in bytes, see [`crate::interpreter::lower`].
    pub(crate) in_bytes: bool,
    pub(crate) facts: Facts,
    pub(crate) calibration: Option<Calibration>,
}

/// The tensors of each network in a run folder or model file, by name, as they were trained: their batch norms are not
/// folded.
///
/// # Errors
/// As [`crate::saved::Model::load`], but for shapes, which are not compared.
pub fn trained(path: &Path) -> Result<Vec<Named>> {
    let (file, bytes) = read(path)?;
    let parts = Parts::decode(&bytes).map_err(|reason| Error::model(&file, reason))?;
    match parts.in_bytes {
        true => Err(Error::model(
            &file,
            "is quantized: the weights that were trained are in the model it was made of",
        )),
        false => Ok(parts.named),
    }
}

/// The file of a model, and its bytes.
pub(super) fn read(path: &Path) -> Result<(PathBuf, Vec<u8>)> {
    let file = paths::model(path);
    match std::fs::read(&file) {
        Ok(bytes) => Ok((file, bytes)),
        Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => {
            let reason = "there is no model; give a run folder or a .safetensors file";
            Err(Error::model(&file, reason))
        }
        Err(failure) => Err(Error::io(&file)(failure)),
    }
}

impl Parts {
    pub(crate) fn decode(bytes: &[u8]) -> std::result::Result<Parts, String> {
        let damaged = |failure: serde_json::Error| format!("its description is damaged: {failure}");
        let (mut named, mut facts) = tensors::decode::<Value>(bytes, "model")?;
        let mut beside = |key: &str| facts.as_object_mut().and_then(|facts| facts.remove(key));
        let calibration = beside(CALIBRATION);
        let in_bytes = match beside(PRECISION) {
            None => false,
            Some(Value::String(precision)) if precision == Precision::Int8.name() => true,
            Some(other) => return Err(format!("its description is damaged: precision {other}")),
        };
        let facts: Facts = serde_json::from_value(facts).map_err(damaged)?;
        facts.check()?;
        tensors::check_finite(&named)?;
        let calibration = calibration.map(|calibration| {
            let calibration = serde_json::from_value(calibration).map_err(damaged)?;
            Calibration::take(
                &mut named,
                calibration,
                facts.classes.len(),
                facts.embedding_widths().iter().sum(),
            )
        });
        Ok(Parts {
            calibration: calibration.transpose()?,
            named: together::split(named, facts.members().len()),
            in_bytes,
            facts,
        })
    }

    /// With weights, but not the calibration, in this precision, unless they are in bytes.
    pub(super) fn encode(self, precision: tensors::Precision) -> std::result::Result<Vec<u8>, String> {
        let unwritable = |failure: serde_json::Error| format!("cannot be written: {failure}");
        let mut facts = serde_json::to_value(&self.facts).map_err(unwritable)?;
        let named = together::joined(self.named);
        tensors::check_finite(&named)?;
        let mut beside = Named::new();
        if let Some(calibration) = &self.calibration {
            facts[CALIBRATION] = serde_json::to_value(&calibration.facts).map_err(unwritable)?;
            beside.extend(calibration.tensors());
        }
        if self.in_bytes {
            facts[PRECISION] = Precision::Int8.name().into();
        }
        let stored = |name: &str| match self.in_bytes && is_whole(&named, name) {
            true => Stored::Bytes,
            false => precision.into(),
        };
        let weights = named.iter().map(|(name, values)| (name.clone(), values, stored(name)));
        let beside = beside
            .iter()
            .map(|(name, values)| (name.clone(), values, tensors::Precision::F32.into()));
        tensors::encode(weights.chain(beside), "model", &facts)
    }
}

/// Whether a tensor of a network in bytes holds whole numbers: those that have a scale.
fn is_whole(named: &Named, tensor: &str) -> bool {
    let layer = tensor.strip_suffix(".weight");
    layer.is_some_and(|layer| named.contains_key(&format!("{layer}.scale")))
}

/// The bytes of the model file `bytes` with `calibration` in place of the one that it had; its weights stay as they
/// are, bit for bit.
///
/// # Errors
/// As [`crate::saved::Model::decode`] and [`crate::saved::Model::encode`].
pub fn with_calibration(bytes: &[u8], calibration: &Calibration) -> std::result::Result<Vec<u8>, String> {
    let parts = Parts {
        calibration: Some(calibration.clone()),
        ..Parts::decode(bytes)?
    };
    parts.encode(tensors::Precision::F32)
}
