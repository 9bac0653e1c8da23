//! Run folders: creating, locking to their settings, resuming, and everything they keep.

pub mod config;
pub mod extension;
pub mod fine_tune;
pub mod folder;
pub mod history;
pub mod images;
mod learnt;
pub mod own;
pub mod range;
pub mod record;
mod recorded;
pub mod run;
mod suspected;
pub mod tensorboard;

pub use config::Config;
pub use extension::Extension;
pub use run::{Run, free_folder};
