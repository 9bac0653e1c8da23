//! The saved model: one safetensors file with weights, architecture, class names in order, preprocessing, calibration
//! and training facts. No pickle, no code. Nothing in a file is believed: a checksum tells damage, `check` what cannot
//! be meant.
//!
//! Most models are one network. One of several has the others' facts in [`Facts::together`]; their tensors are called
//! `2/conv1.weight` and so on.
//!
//! # Older and newer files
//! Every file carries a format version; 1 up to [`crate::tensors::VERSION`] are read, and newer ones are refused,
//! naming the version. What is written is the oldest that can say it: 2, or 3 for a model in bytes. Whatever changes a
//! model's answers (the preprocessing, a head, a calibration) is a field that a reader must know, or it refuses the
//! file. Everything else, [`Facts::training`] above all, is JSON that
//! no reader needs: its fields may come and go without a new version, and unknown ones are kept.

#[cfg(feature = "burn")]
mod answer;
mod check;
mod facts;
#[cfg(feature = "burn")]
mod model;
#[cfg(feature = "burn")]
mod narrow;
mod parts;
#[cfg(feature = "burn")]
mod quantize;
mod together;

#[cfg(feature = "burn")]
pub(crate) use check::check_input;
pub use check::{check_answer, check_classes, check_head};
pub use facts::Facts;
#[cfg(feature = "burn")]
pub use model::Model;
#[cfg(feature = "burn")]
pub use narrow::{Narrow, bf16_instructions};
pub(crate) use parts::Parts;
pub use parts::{trained, with_calibration};
#[cfg(feature = "burn")]
pub use quantize::{InBytes, quantized};
pub use together::{MOST, Member, Together, Voice};
