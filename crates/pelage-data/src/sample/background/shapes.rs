//! Shapes that several backgrounds are made of.

use tiny_skia::Color;

use crate::sample::canvas::{Canvas, Outline, linear, rectangle};
use crate::sample::palette::shade;

pub(super) fn everything(canvas: &Canvas) -> Outline {
    rectangle(0.0, 0.0, canvas.width, canvas.height)
}

pub(super) fn upright(canvas: &mut Canvas, outline: Outline, color: Color) {
    let colors = [shade(color, 0.12), shade(color, -0.12)];
    let height = canvas.height;
    canvas.fill(&[outline], linear((0.0, 0.0), (0.0, height), colors));
}
