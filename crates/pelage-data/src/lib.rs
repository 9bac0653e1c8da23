//! From files to batches of plain memory. Nothing here knows Burn.
#![forbid(unsafe_code)]
pub mod augment;
pub mod cache;
pub mod catalog;
pub mod decode;
pub mod error;
pub mod inspect;
pub mod loader;
pub mod organize;
pub mod preprocess;
pub mod sample;
pub mod source;

pub use error::{Error, Result};
