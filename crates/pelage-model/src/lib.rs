//! All that a finished model needs.
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

pub use error::{Error, Result};
