//! Figures: curves, charts and network diagrams as SVG, and rendering SVG to pixels.

pub mod chart;
pub mod comparison;
pub mod curves;
mod legend;
pub mod markup;
pub mod network;
pub mod png;
pub mod rates;
pub mod text;
mod ticks;
