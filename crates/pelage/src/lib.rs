//! pelage: from a folder of images to an image classifier.
//!
//! # The flow of data
//!
//! ```text
//! source -> catalog -> decode -> augment -> batch -> network -> loss -> step -> history
//! (folder,  (which      (JPEG to  (affine,   (NHWC    (Burn      (and the    (CSV, curves,
//!  zip, CSV) class each) u8 RGB)   flip ...)  f32)     modules)   gradient)   checkpoints)
//!                                                          |
//!       evaluate, predict, explain, report, submit: the same decoding, the same network
//! ```
//!
//! Three crates below this one are re-exported: [`data`] (files to batches), [`model`] (networks, the saved model,
//! prediction) and [`burn`], whose `Tensor` and `Device` appear in some signatures. Images are channels last,
//! `[n, h, w, 3]`.
//!
//! # Train on a folder of images
//!
//! One folder per class, or class names in file names. The run folder keeps settings, best weights, history, curves and
//! a checkpoint; a killed run is resumed by [`Run::resume`] and ends with the same weights.
//!
//! ```no_run
//! # fn main() -> pelage::Result<()> {
//! use pelage::{Config, Control, Recipe, Run};
//!
//! let recipe = Recipe { epochs: 10, ..Recipe::default() };
//! let config = Config { validation_split: Some(0.2), recipe, ..Config::new("pictures") };
//! let run = Run::create(config, "runs/mine", &|_progress| {})?;
//! let outcome = run.train(&mut |_event| Control::Continue)?;
//! println!("best epoch: {:?}", outcome.best_epoch);
//! # Ok(()) }
//! ```
//!
//! # Start from a pretrained network
//!
//! ```no_run
//! # fn main() -> pelage::Result<()> {
//! use pelage::train::transfer::Transfer;
//! use pelage::{Architecture, Config, Control, Recipe, Run, zoo::store::Store};
//!
//! let weights = Store::default().find(Architecture::MobileNetV2)?;
//! let recipe = Recipe::transfer(Architecture::MobileNetV2, Transfer::new(Some(weights)));
//! let config = Config { recipe, ..Config::new("data") };
//! Run::create(config, "runs/mobile", &|_| {})?.train(&mut |_| Control::Continue)?;
//! # Ok(()) }
//! ```
//!
//! # Predict
//!
//! ```no_run
//! # fn main() -> pelage::Result<()> {
//! use pelage::{Model, predict};
//!
//! let model = Model::open("runs/mine")?;
//! let entries = pelage::data::source::list("holiday".as_ref())?;
//! for prediction in predict::predict(&model, &entries, &mut |_done| {}) {
//!     println!("{}: {:?}", prediction.path, prediction.answer());
//! }
//! # Ok(()) }
//! ```
//!
//! # Evaluate, calibrate, compare
//!
//! ```no_run
//! # fn main() -> pelage::Result<()> {
//! use pelage::{Compute, calibrate, compare, evaluate};
//!
//! let (compute, quiet) = (Compute::default(), |_| {});
//! let report = evaluate::evaluate("runs/mine".as_ref(), evaluate::Wanted::Validated, None, &compute, &quiet)?;
//! println!("accuracy {:.4}", report.evaluation.accuracy);
//! calibrate::calibrate("runs/mine".as_ref(), None, 0.95, &compute, &quiet)?;
//! let both = compare::compare(&["runs/mine".into(), "runs/mobile".into()], None, None, &compute, &quiet)?;
//! println!("{:?}", both.runs[1].difference);
//! # Ok(()) }
//! ```
//!
//! # Explain and report
//!
//! ```no_run
//! # fn main() -> pelage::Result<()> {
//! use pelage::data::output::{Format, Output};
//! use pelage::explain::folder::{Options, explain};
//! use pelage::{Compute, report};
//!
//! let (compute, quiet) = (Compute::default(), |_| {});
//! let page = Output::new("report.html".as_ref(), Format::Html, false)?;
//! report::write("runs/mine".as_ref(), None, &page, &compute, &quiet)?;
//! let (images, out) = (["cat.jpg".into()], "explained".as_ref());
//! explain("runs/mine".as_ref(), &images, None, &Options::default(), out, &compute, &quiet)?;
//! # Ok(()) }
//! ```
//!
//! The folder `examples/` has programs that train on a folder, predict and explain, and more: images in memory,
//! features, a loop of your own.
#![forbid(unsafe_code)]

pub mod bench;
pub mod calibrate;
pub mod card;
pub mod compare;
pub mod compute;
pub mod draw;
pub mod ensemble;
pub mod evaluate;
pub mod explain;
pub mod export;
pub mod features;
pub mod folds;
pub mod interface;
pub mod logistic;
mod page;
pub mod predict;
pub mod quantize;
pub mod report;
pub mod runs;
pub mod save;
pub mod search;
pub mod submit;
pub mod suspects;
pub mod train;
pub mod zoo;

pub use burn;
pub use compute::Compute;
pub use pelage_data as data;
pub use pelage_data::atomic;
pub use pelage_model as model;
pub use pelage_model::device;
pub use pelage_model::networks::Architecture;
pub use pelage_model::predict::Prediction;
pub use pelage_model::saved::Model;
pub use pelage_model::{Error, Result};
pub use runs::{Config, Run};
pub use save::save;
pub use train::{Control, Event, Outcome, Recipe};
