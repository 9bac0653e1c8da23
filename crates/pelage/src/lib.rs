//! pelage: from a folder of pictures to an image classifier.
#![forbid(unsafe_code)]

pub mod atomic;
pub mod bench;
pub mod calibrate;
pub mod compare;
pub mod compute;
pub mod draw;
pub mod evaluate;
pub mod explain;
pub mod features;
pub mod predict;
pub mod report;
pub mod runs;
pub mod submit;
pub mod train;
pub mod zoo;

pub use burn;
pub use compute::Compute;
pub use pelage_data as data;
pub use pelage_model as model;
pub use pelage_model::device;
pub use pelage_model::networks::Architecture;
pub use pelage_model::predict::Prediction;
pub use pelage_model::saved::Model;
pub use pelage_model::{Error, Result};
pub use runs::{Config, Run};
pub use train::{Control, Event, Outcome, Recipe};
