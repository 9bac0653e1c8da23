//! Everything a finished model needs: the networks, readers for weights, the saved model, prediction, and how far to
//! trust it. No training, no figures, no network access; without the feature `pytorch` it compiles for
//! `wasm32-unknown-unknown`.
//!
//! ```no_run
//! # fn main() -> pelage_model::Result<()> {
//! let model = pelage_model::Model::open("runs/cnn3-1")?;
//! # let bytes: Vec<u8> = Vec::new();
//! let prediction = model.predict_bytes("cat.jpg", &bytes);
//! assert!(prediction.answer().is_some());
//! # Ok(()) }
//! ```
//!
//! The modules, bottom up: [`values`] (tensors in plain memory), [`ops`] (our operations inside Burn), [`networks`] (a
//! closed set, each a description that runs), [`weights`] (other projects' files), [`input`] (from images to a tensor),
//! [`probability`], [`trust`] (calibration and rejection), [`saved`] (the model file), [`predict`].
#![forbid(unsafe_code)]

pub mod device;
pub mod error;
pub mod input;
pub mod networks;
pub mod ops;
pub mod paths;
pub mod predict;
pub mod probability;
pub mod saved;
pub mod tensors;
pub mod trust;
pub mod values;
pub mod weights;

pub use burn;
pub use error::{Error, Result};
pub use predict::Prediction;
pub use saved::Model;

/// Threads may share one model.
const _: fn() = || {
    fn shared<T: Send + Sync + Clone>() {}
    shared::<Model>();
};
