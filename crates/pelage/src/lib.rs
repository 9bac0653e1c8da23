//! pelage: from a folder of pictures to an image classifier.
//!
//! The modules stand in the order in which data meets them: [`ops`] (our operations inside Burn), [`model`]
//! (the networks), [`weights`] (pretrained ones), [`features`] (what a frozen backbone sees), [`train`] (one readable [`train::fit`]), [`bundle`] (the saved model), [`evaluate`],
//! [`predict`], [`explain`] (what a network looks at), [`confidence`] (how far to trust an answer), [`submit`] (Kaggle's file),
//! [`compare`] (of runs), [`report`] (history, figures, a page), [`mod@bench`] (how fast it is here).
//!
//! ```no_run
//! use pelage::train::{Control, Recipe, run::Run};
//!
//! # fn main() -> pelage::Result<()> {
//! let recipe = Recipe { data: "data".into(), epochs: 10, ..Recipe::default() };
//! let run = Run::create(recipe, "runs/mine".as_ref(), &|_progress| {})?;
//! let outcome = run.train(&mut |_event| Control::Continue)?;
//! # Ok(()) }
//! ```
#![forbid(unsafe_code)]

pub mod atomic;
pub mod bench;
pub mod bundle;
pub mod compare;
pub mod confidence;
pub mod device;
pub mod error;
pub mod evaluate;
pub mod explain;
pub mod features;
pub mod model;
pub mod ops;
pub mod predict;
pub mod report;
pub mod submit;
pub mod train;
pub mod weights;

pub use error::{Error, Result};
pub use pelage_data as data;
