//! The zoo: pretrained weights of other projects, read, kept and downloaded.

mod added;
pub mod fetch;
mod keras;
pub mod load;
mod onnx;
pub mod published;
pub mod store;

pub use added::{AddedNetwork, Adding};
pub use load::load;
pub use onnx::Reading;
