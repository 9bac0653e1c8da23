//! A model's calibration: fitted after training, part of the model file. Older ones lie in a file beside it.

use std::ops::RangeInclusive;
use std::path::Path;

use pelage_data::shown;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::density::Density;
use crate::values::{Named, Values};
use crate::{Error, Result, paths, tensors};

/// The temperatures that a file may hold; further out there is no model whose probabilities they would mend.
pub const TEMPERATURES: RangeInclusive<f64> = 0.01..=100.0;

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
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// What the logits are divided by, a positive number (Guo et al. 2017); 1 if no other was kept.
    pub temperature: f64,
    /// Images farther away than this are out of distribution.
    pub distance: f64,
    /// Fraction of the validation images, 0 to 1, that was to lie within `distance`.
    pub coverage: f64,
    /// Number of images that the density was fitted on.
    pub train_images: usize,
    /// Number of images that temperature and distance were fitted on.
    pub validation_images: usize,
}

/// The names of its tensors in a model file begin with this, as no layer's do.
const PART: &str = "calibration/";

impl Calibration {
    /// A calibration of `facts` and `density`.
    ///
    /// # Errors
    /// A message if the temperature is none of [`TEMPERATURES`], or the distance is negative or not finite.
    pub fn new(facts: Facts, density: Density) -> std::result::Result<Self, String> {
        let Facts {
            temperature, distance, ..
        } = facts;
        if !TEMPERATURES.contains(&temperature) {
            let (least, most) = (TEMPERATURES.start(), TEMPERATURES.end());
            return Err(format!(
                "has a temperature of {temperature}; it must be {least} to {most}"
            ));
        }
        if !(distance >= 0.0 && distance.is_finite()) {
            return Err(format!(
                "has a distance of {distance}; it must be 0 or more, and finite"
            ));
        }
        Ok(Calibration { facts, density })
    }

    /// Its tensors, by their names in a model file.
    pub(crate) fn tensors(&self) -> Named {
        let density = &self.density;
        let classes = density.means().len() / density.dimension();
        let tensors = [
            ("factor", vec![density.factor().len()], density.factor()),
            ("means", vec![classes, density.dimension()], density.means()),
        ];
        let named = tensors.map(|(name, shape, data)| {
            let data = data.to_vec();
            (format!("{PART}{name}"), Values { shape, data })
        });
        Named::from(named)
    }

    /// Takes its tensors out of those of a model file for `classes` classes and embeddings of `dimension` values.
    pub(crate) fn take(
        named: &mut Named,
        facts: Facts,
        classes: usize,
        dimension: usize,
    ) -> std::result::Result<Self, String> {
        let density = density(named, PART)?;
        let fits = density.means().len() == classes * dimension && density.dimension() == dimension;
        match fits {
            true => Self::new(facts, density),
            false => Err("has a calibration of another network".into()),
        }
    }

    /// From the bytes of a file of its own, for the model whose file has the hash `model`.
    fn decode(bytes: &[u8], model: &str) -> std::result::Result<Self, String> {
        let (mut named, mut facts) = tensors::decode::<Value>(bytes, "calibration")?;
        let owner = facts.as_object_mut().and_then(|facts| facts.remove("model"));
        if owner.is_none_or(|owner| owner != model) {
            return Err("belongs to another model, or to an earlier state of this one".into());
        }
        let facts = serde_json::from_value(facts).map_err(|failure| format!("is damaged: {failure}"))?;
        Self::new(facts, density(&mut named, "")?)
    }
}

/// Takes the tensors whose names begin with `part`.
fn density(named: &mut Named, part: &str) -> std::result::Result<Density, String> {
    let mut take = |name: &str| {
        let name = format!("{part}{name}");
        named.remove(&name).ok_or_else(|| format!("has no tensor '{name}'"))
    };
    let (factor, means) = (take("factor")?, take("means")?);
    let classes = means.shape.first().copied().unwrap_or(0);
    Density::new(means.data, factor.data, classes)
}

/// The calibration in a file beside the model of `run`, as it was kept before it became part of the model file; `None`
/// if there is none.
///
/// # Errors
/// A file that is damaged, or of another model.
pub fn load_beside(run: &Path) -> Result<Option<Calibration>> {
    let path = paths::calibration(run);
    let bytes = match std::fs::read(&path) {
        Err(failure) if failure.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        read => read.map_err(Error::io(&path))?,
    };
    let file = paths::model(run);
    let model = std::fs::read(&file).map_err(Error::io(&file))?;
    let loaded = Calibration::decode(&bytes, &blake3::hash(&model).to_hex());
    loaded.map(Some).map_err(|reason| Error::Calibration {
        model: run.to_path_buf(),
        reason: format!("{} {reason}; calibrate again, or remove that file", shown::path(&path)),
    })
}
