//! Calibrates a model's answers, and rejects doubtful ones.

use std::path::Path;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::calibration::{Calibration, load_beside};
use crate::{Error, Result};

/// Calibrates and rejects a model's answers; by default does neither.
#[derive(Clone, Debug, Default)]
pub struct Judge {
    calibration: Option<Calibration>,
    reject: Option<f64>,
}

impl Judge {
    /// By `calibration`; rejects nothing.
    pub fn new(calibration: Option<Calibration>) -> Self {
        Judge {
            calibration,
            reject: None,
        }
    }

    /// The same, which rejects answers below the confidence `reject`, 0 to 1, and those for images too far from the
    /// training set. Without a calibration it rejects nothing.
    pub fn rejecting(self, reject: Option<f64>) -> Self {
        Judge { reject, ..self }
    }

    /// The same with the calibration beside the model of `run`, if it has none of its own. `reject`: answers below this
    /// confidence, 0 to 1, and those for images too far from the training set are rejected.
    ///
    /// # Errors
    /// See [`load_beside`]; `reject` out of range, or without a calibration.
    pub fn open(self, run: &Path, reject: Option<f64>) -> Result<Self> {
        if let Some(reject) = reject.filter(|reject| !(0.0..=1.0).contains(reject)) {
            return Err(Error::setting("reject", reject, "0 to 1"));
        }
        let calibration = match self.calibration {
            None => load_beside(run)?,
            own => own,
        };
        if reject.is_some() && calibration.is_none() {
            return Err(Error::Uncalibrated {
                model: run.to_path_buf(),
            });
        }
        Ok(Judge { calibration, reject })
    }

    /// The model's calibration, if it has one.
    pub fn calibration(&self) -> Option<&Calibration> {
        self.calibration.as_ref()
    }

    /// What logits are divided by, if the model is calibrated.
    pub fn temperature(&self) -> Option<f64> {
        self.calibration.as_ref().map(|known| known.facts.temperature)
    }

    /// Whether answers can be rejected, which needs embeddings.
    pub fn rejects(&self) -> bool {
        self.reject.is_some()
    }

    /// Why the answer of this calibrated `confidence`, for an image with this `embedding`, is rejected, if it is.
    pub fn doubt(&self, confidence: f64, embedding: &[f32]) -> Option<Doubt> {
        let (least, known) = (self.reject?, self.calibration.as_ref()?);
        if confidence < least {
            return Some(Doubt::Confidence { confidence, least });
        }
        let (distance, most) = (known.density.distance(embedding), known.facts.distance);
        (distance > most).then_some(Doubt::Distance { distance, most })
    }
}

/// Why the answer is "unknown".
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Doubt {
    /// The model is not confident enough.
    Confidence {
        /// Calibrated probability of the predicted class, 0 to 1.
        confidence: f64,
        /// The smallest that is accepted.
        least: f64,
    },
    /// The image is out of distribution.
    Distance {
        /// Its distance, see [`super::density::Density::distance`].
        distance: f64,
        /// The largest that is accepted.
        most: f64,
    },
}

impl std::fmt::Display for Doubt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Doubt::Confidence { confidence, least } => write!(f, "confidence {confidence:.2} below {least}"),
            Doubt::Distance { distance, most } => write!(f, "distance {distance:.1} above {most:.1}"),
        }
    }
}

/// As `"unknown": true` and `"reason"`.
impl Serialize for Doubt {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut doubt = serializer.serialize_struct("Doubt", 2)?;
        doubt.serialize_field("unknown", &true)?;
        doubt.serialize_field("reason", &self.to_string())?;
        doubt.end()
    }
}
