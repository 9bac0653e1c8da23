//! Figures: curves, charts and the picture of a network as SVG, and SVG as pixels.

pub mod chart;
pub mod comparison;
pub mod curves;
pub mod markup;
pub mod network;
pub mod png;
pub mod text;
