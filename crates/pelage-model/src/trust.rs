//! How far an answer can be trusted. A temperature calibrates the probabilities; a density of the training set's
//! embeddings detects images that are unlike all of it.

pub mod calibration;
pub mod density;
pub mod judge;

pub use calibration::{Calibration, load_beside};
pub use judge::{Doubt, Judge};

/// The answer for an image that the model rejects.
pub const UNKNOWN: &str = "unknown";
