//! What a run leaves to look at: its history and curves, and the page that `pelage report` makes.

pub mod chart;
pub mod comparison;
pub mod curves;
pub mod findings;
pub mod history;
pub mod markup;
pub mod page;
pub mod png;
mod thumbnail;
