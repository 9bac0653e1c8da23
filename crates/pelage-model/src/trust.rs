//! How far an answer can be trusted. A temperature makes probabilities honest; a density of what the model saw in training
//! tells images that are like none of them.

pub mod calibration;
pub mod density;
pub mod judge;

pub use calibration::{Calibration, load_beside, model_hash};
pub use judge::{Doubt, Judge};
