//! Likely wrong labels among the images of a run, by confident learning (Northcutt et al. 2021): images that a
//! classifier which has not seen them puts firmly into another class.

pub mod find;
mod page;

pub use find::{JudgedBy, Suspect, Suspects, find};
pub use page::html;
