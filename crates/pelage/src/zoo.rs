//! The zoo: pretrained weights of other projects, read, kept and downloaded.

pub mod fetch;
mod keras;
pub mod load;
pub mod published;
pub mod store;

pub use load::load;
