//! The outcome of an explanation.

use serde::Serialize;

/// The outcome for one image.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explained {
    /// The image's name, as given by the caller.
    pub path: String,
    /// The classes with their probabilities, most likely first; empty if the image could not be read.
    pub classes: Vec<(String, f32)>,
    /// The class that was explained.
    pub class: String,
    /// Why there is no explanation, if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
