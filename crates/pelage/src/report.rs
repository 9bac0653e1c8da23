//! What a run leaves to look at.

pub mod curves;
pub mod history;
pub mod markup;
pub mod png;
