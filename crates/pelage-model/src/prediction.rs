//! A model's answer for one image.

use serde::Serialize;

use crate::probability::softmax;
pub use crate::trust::UNKNOWN;
use crate::trust::{Doubt, Judge};

/// The model's answer for one image.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Prediction {
    /// The image's name, as given by the caller.
    pub path: String,
    /// Class and probability (0 to 1), most likely first; empty if there is no prediction.
    pub classes: Vec<(String, f32)>,
    /// What the logits were divided by, if the model is calibrated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Why the prediction is rejected, if it is; the answer is then [`UNKNOWN`].
    #[serde(flatten)]
    pub doubt: Option<Doubt>,
    /// Why there is no prediction, if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Prediction {
    /// What a model of `classes`, whose answers `judge` judges, says by its `logits` about the image at `path`, whose
    /// `embedding` this is.
    pub(crate) fn new(path: String, classes: &[String], judge: &Judge, logits: &[f32], embedding: &[f32]) -> Self {
        let temperature = judge.temperature();
        let probabilities = softmax(logits, temperature.unwrap_or(1.0))
            .into_iter()
            .map(|p| p as f32);
        let mut classes: Vec<_> = classes.iter().cloned().zip(probabilities).collect();
        classes.sort_by(|a, b| b.1.total_cmp(&a.1));
        let confidence = classes.first().map_or(0.0, |(_, probability)| f64::from(*probability));
        Prediction {
            path,
            doubt: judge.doubt(confidence, embedding),
            classes,
            temperature,
            error: None,
        }
    }

    /// No prediction for what is at `path`, and why.
    pub fn failed(path: impl Into<String>, reason: impl Into<String>) -> Self {
        Prediction {
            path: path.into(),
            classes: Vec::new(),
            temperature: None,
            doubt: None,
            error: Some(reason.into()),
        }
    }

    /// The answer: the most likely class, or [`UNKNOWN`]; `None` if the image could not be read.
    pub fn answer(&self) -> Option<&str> {
        let (first, _) = self.classes.first()?;
        Some(if self.doubt.is_some() { UNKNOWN } else { first })
    }
}
