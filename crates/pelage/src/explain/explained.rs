//! What `explain` tells of each image.

/// What became of one picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Explained {
    /// The picture, as the user would name it.
    pub path: String,
    /// The classes with their probabilities, most likely first; empty where it could not be read.
    pub classes: Vec<(String, f32)>,
    /// The class that was explained.
    pub class: String,
    /// Why there is nothing to see.
    pub error: Option<String>,
}
