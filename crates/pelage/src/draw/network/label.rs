//! The text of a box, and the width that it needs.

use super::blocks::{Item, Segment};
use crate::draw::text::thousands;

/// Font sizes of a box's three lines.
pub(super) const LINES: [f64; 3] = [12.0, 10.5, 10.5];

/// The output shape for display.
pub(super) fn shape(item: &Item) -> String {
    item.shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" × ")
}

/// The three lines of a box.
pub(super) fn lines(items: &[Item], segment: &Segment, i: usize) -> [String; 3] {
    let item = &items[i];
    let parameters = match item.parameters {
        0 => String::new(),
        count => format!(" · {} parameters", thousands(count)),
    };
    [
        segment.short_name(items, i).to_string(),
        item.kind.clone(),
        shape(item) + &parameters,
    ]
}

/// The width that a box needs for its text, estimated for DejaVu Sans.
pub(super) fn box_width(items: &[Item], segment: &Segment, i: usize) -> f64 {
    let widths = lines(items, segment, i);
    let widths = widths
        .iter()
        .zip(LINES)
        .map(|(line, size)| line.chars().count() as f64 * size * 0.61);
    widths.fold(130.0, f64::max) + 20.0
}
