//! Everything a finished model needs: the networks, readers for weights, the saved model, prediction, and how far to
//! trust it. No training, no figures, no network access; without the feature `pytorch` it compiles for
//! `wasm32-unknown-unknown`. Without the feature `burn` there are graphs, files, calibration and the [`interpreter`].
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
//! [`interpreter`] (the same networks without Burn), [`probability`], [`trust`] (calibration and rejection), [`saved`]
//! (the model file), [`predict`].
#![forbid(unsafe_code)]

#[cfg(feature = "burn")]
pub mod device;
pub mod error;
pub mod input;
pub mod interpreter;
pub mod networks;
#[cfg(feature = "burn")]
pub mod ops;
pub mod options;
pub mod paths;
pub mod precision;
#[cfg(feature = "burn")]
pub mod predict;
pub mod prediction;
pub mod probability;
pub mod saved;
pub mod tensors;
pub mod trust;
pub mod values;
#[cfg(feature = "burn")]
pub mod weights;

#[cfg(feature = "burn")]
pub use burn;
pub use error::{Error, Result};
pub use prediction::Prediction;
#[cfg(feature = "burn")]
pub use saved::Model;

/// Threads may share one model.
#[cfg(feature = "burn")]
const _: fn() = || {
    fn shared<T: Send + Sync + Clone>() {}
    shared::<Model>();
};
