//! A model's calibration: fitted after training, kept beside the model.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::density::Density;
use crate::values::{Named, Values};
use crate::{Error, Result, paths, tensors};

/// The calibration of one model.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    /// Everything except the density.
    pub facts: Facts,
    /// The density of the training images' embeddings.
    pub density: Density,
}

/// See [`Calibration`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// What the logits are divided by, a positive number (Guo et al. 2017).
    pub temperature: f64,
    /// Images farther away than this are out of distribution.
    pub distance: f64,
    /// Fraction of the validation images, 0 to 1, that was to lie within `distance`.
    pub coverage: f64,
    /// BLAKE3 of the model file, in hexadecimal.
    pub model: String,
    /// Number of images that the density was fitted on.
    pub train_images: usize,
    /// Number of images that temperature and distance were fitted on.
    pub validation_images: usize,
}

impl Calibration {
    /// A calibration of `facts` and `density`.
    ///
    /// # Errors
    /// A message if temperature or distance is not positive and finite.
    pub fn new(facts: Facts, density: Density) -> std::result::Result<Self, String> {
        Calibration { facts, density }.checked()
    }

    fn checked(self) -> std::result::Result<Self, String> {
        let Facts {
            temperature, distance, ..
        } = self.facts;
        let sound = temperature.is_finite() && temperature > 0.0 && distance.is_finite() && distance >= 0.0;
        match sound {
            true => Ok(self),
            false => Err(format!(
                "temperature {temperature} and distance {distance} must be positive and finite"
            )),
        }
    }

    /// The bytes of its file.
    ///
    /// # Errors
    /// A message if it cannot be written as JSON.
    pub fn encode(&self) -> std::result::Result<Vec<u8>, String> {
        let density = &self.density;
        let classes = density.means().len() / density.dimension();
        let tensors = [
            ("factor", vec![density.factor().len()], density.factor()),
            ("means", vec![classes, density.dimension()], density.means()),
        ];
        let named = tensors.map(|(name, shape, data)| {
            let data = data.to_vec();
            (name.to_string(), Values { shape, data })
        });
        let named = Named::from(named);
        tensors::encode(
            named.iter().map(|(name, values)| (name.clone(), values)),
            "calibration",
            &self.facts,
        )
    }

    fn decode(bytes: &[u8], model: &str) -> std::result::Result<Self, String> {
        let (mut named, facts) = tensors::decode::<Facts>(bytes, "calibration")?;
        if facts.model != model {
            return Err("belongs to another model, or to an earlier state of this one".into());
        }
        let mut take = |name: &str| named.remove(name).ok_or_else(|| format!("has no tensor '{name}'"));
        let (factor, means) = (take("factor")?, take("means")?);
        let classes = means.shape.first().copied().unwrap_or(0);
        let density = Density::new(means.data, factor.data, classes)?;
        Self::new(facts, density)
    }
}

/// The hash of the model file of `run`, which ties a calibration to its model.
///
/// # Errors
/// A file that cannot be read.
pub fn model_hash(run: &Path) -> Result<String> {
    let file = paths::model(run);
    let bytes = std::fs::read(&file).map_err(Error::io(&file))?;
    Ok(blake3::hash(&bytes).to_hex().to_string())
}

/// The calibration beside the model of `run`; `None` if there is none.
///
/// # Errors
/// A file that is damaged, or of another model.
pub fn load_beside(run: &Path) -> Result<Option<Calibration>> {
    let path = paths::calibration(run);
    let bytes = match std::fs::read(&path) {
        Err(failure) if failure.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        read => read.map_err(Error::io(&path))?,
    };
    let loaded = Calibration::decode(&bytes, &model_hash(run)?);
    loaded.map(Some).map_err(|reason| Error::Calibration {
        model: run.to_path_buf(),
        reason: format!("{} {reason}; calibrate again, or remove that file", path.display()),
    })
}
