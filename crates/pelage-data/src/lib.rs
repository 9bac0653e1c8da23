//! From files to batches of plain memory. Nothing here knows Burn.
//!
//! Without the feature `files`, which is on by default, there is what inference needs, also in a browser: [`decode`],
//! [`preprocess`], and [`augment`].
#![forbid(unsafe_code)]
#[cfg(feature = "files")]
pub mod alike;
#[cfg(feature = "files")]
pub mod atomic;
pub mod augment;
#[cfg(feature = "files")]
pub mod cache;
#[cfg(feature = "files")]
pub mod capture;
#[cfg(feature = "files")]
pub mod catalog;
pub mod choices;
#[cfg(feature = "files")]
pub mod composed;
#[cfg(feature = "files")]
pub mod dataset;
pub mod decode;
pub mod error;
#[cfg(feature = "files")]
pub mod groups;
#[cfg(feature = "files")]
pub mod growing;
#[cfg(feature = "files")]
pub mod inspect;
#[cfg(feature = "files")]
pub mod loader;
#[cfg(feature = "files")]
pub mod lock;
#[cfg(feature = "files")]
pub mod memory;
#[cfg(feature = "files")]
pub mod organize;
#[cfg(feature = "files")]
pub mod output;
pub mod preprocess;
#[cfg(feature = "files")]
pub mod progress;
#[cfg(feature = "files")]
pub mod readable;
#[cfg(feature = "files")]
pub mod sample;
#[cfg(feature = "files")]
pub mod shard;
pub mod shown;
#[cfg(feature = "files")]
pub mod source;
#[cfg(feature = "files")]
pub mod table;
pub mod targets;

pub use error::{Error, Result, Unreadable};
pub use image::RgbImage;
#[cfg(feature = "files")]
pub use progress::Progress;
