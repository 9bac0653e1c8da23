//! What a run leaves to look at.

pub mod comparison;
pub mod curves;
pub mod history;
