//! Thin helpers over tiny-skia: closed outlines, open lines and limbs, with an optional clip. Lengths are in hundredths
//! of the shorter side; y points down.

use tiny_skia::{
    Color, FillRule, GradientStop, LineCap, LineJoin, LinearGradient, Mask, Paint, Path, PathBuilder, Pixmap,
    RadialGradient, Shader, SpreadMode, Stroke, Transform,
};

/// A point, in units.
pub(super) type Point = (f32, f32);
/// A closed polygon, fine enough to look smooth.
pub(super) type Outline = Vec<Point>;
/// A point on the center line of a limb, and the limb's radius there.
pub(super) type Joint = (f32, f32, f32);

/// Segments between two control points of a smooth curve.
const FINENESS: usize = 6;

/// The drawing surface.
pub(super) struct Canvas {
    pixmap: Pixmap,
    transform: Transform,
    clip: Option<Mask>,
    /// Width in units.
    pub(super) width: f32,
    /// Height in units.
    pub(super) height: f32,
}

impl Canvas {
    /// A canvas of `width` x `height` pixels, at least 1 x 1.
    pub(super) fn new(width: u32, height: u32) -> Self {
        let (width, height) = (width.max(1), height.max(1));
        let scale = width.min(height) as f32 / 100.0;
        let pixmap = Pixmap::new(width, height).expect("sides are not 0, and the caller can hold so many pixels");
        Canvas {
            pixmap,
            transform: Transform::from_scale(scale, scale),
            clip: None,
            width: width as f32 / scale,
            height: height as f32 / scale,
        }
    }

    /// The pixels as premultiplied RGBA; everything is covered, so alpha is 255.
    pub(super) fn into_pixels(self) -> Vec<u8> {
        self.pixmap.take()
    }

    /// Draws in a transformed coordinate system.
    pub(super) fn within(&mut self, place: Transform, draw: impl FnOnce(&mut Self)) {
        let outer = self.transform;
        self.transform = outer.pre_concat(place);
        draw(self);
        self.transform = outer;
    }

    /// Draws clipped to these outlines.
    pub(super) fn clipped(&mut self, outlines: &[Outline], draw: impl FnOnce(&mut Self)) {
        let outer = self.clip.clone();
        if let Some(path) = closed(outlines) {
            match &mut self.clip {
                Some(mask) => mask.intersect_path(&path, FillRule::Winding, true, self.transform),
                None => {
                    self.clip = Mask::new(self.pixmap.width(), self.pixmap.height());
                    let mask = self.clip.as_mut();
                    mask.into_iter()
                        .for_each(|m| m.fill_path(&path, FillRule::Winding, true, self.transform));
                }
            }
            draw(self);
        }
        self.clip = outer;
    }

    /// Fills the union of the outlines.
    pub(super) fn fill(&mut self, outlines: &[Outline], shader: Shader<'static>) {
        if let Some(path) = closed(outlines) {
            let paint = Paint {
                shader,
                ..Paint::default()
            };
            self.pixmap
                .fill_path(&path, &paint, FillRule::Winding, self.transform, self.clip.as_ref());
        }
    }

    /// Fills one outline with one color.
    pub(super) fn blot(&mut self, outline: Outline, color: Color) {
        self.fill(&[outline], Shader::SolidColor(color));
    }

    /// Draws along the edges of the outlines.
    pub(super) fn edge(&mut self, outlines: &[Outline], width: f32, shader: Shader<'static>) {
        self.stroke(closed(outlines), width, shader);
    }

    /// Draws a smooth line through the points.
    pub(super) fn line(&mut self, points: &[Point], width: f32, color: Color) {
        self.stroke(path(&curve(points), false), width, Shader::SolidColor(color));
    }

    fn stroke(&mut self, path: Option<Path>, width: f32, shader: Shader<'static>) {
        if let Some(path) = path {
            let stroke = Stroke {
                width,
                line_cap: LineCap::Round,
                line_join: LineJoin::Round,
                ..Stroke::default()
            };
            let paint = Paint {
                shader,
                ..Paint::default()
            };
            self.pixmap
                .stroke_path(&path, &paint, &stroke, self.transform, self.clip.as_ref());
        }
    }
}

/// A linear gradient from one color at `from` to another at `to`.
pub(super) fn linear(from: Point, to: Point, colors: [Color; 2]) -> Shader<'static> {
    let stops = vec![GradientStop::new(0.0, colors[0]), GradientStop::new(1.0, colors[1])];
    LinearGradient::new(from.into(), to.into(), stops, SpreadMode::Pad, Transform::identity())
        .unwrap_or(Shader::SolidColor(colors[0]))
}

/// A radial gradient from one color at the center to another at `radius`.
pub(super) fn radial(middle: Point, radius: f32, colors: [Color; 2]) -> Shader<'static> {
    let stops = vec![GradientStop::new(0.0, colors[0]), GradientStop::new(1.0, colors[1])];
    let (middle, still) = (middle.into(), Transform::identity());
    RadialGradient::new(middle, 0.0, middle, radius, stops, SpreadMode::Pad, still)
        .unwrap_or(Shader::SolidColor(colors[0]))
}

/// Moved, then scaled (a negative x mirrors), then rotated by degrees.
pub(super) fn place(at: Point, scale: Point, degrees: f32) -> Transform {
    let (sin, cos) = sin_cos(degrees);
    Transform::from_row(cos, sin, -sin, cos, at.0, at.1).pre_scale(scale.0, scale.1)
}

/// Sine and cosine by their series: the standard library's differ between platforms in the last bit.
pub(super) fn sin_cos(degrees: f32) -> (f32, f32) {
    let series = |degrees: f64| {
        let turned = degrees - 360.0 * (degrees / 360.0).round();
        let folded = if turned.abs() > 90.0 {
            180.0f64.copysign(turned) - turned
        } else {
            turned
        };
        let x = folded.to_radians();
        let terms = (1..8).scan(x, |term, n| {
            let n = f64::from(2 * n);
            *term *= -x * x / (n * (n + 1.0));
            Some(*term)
        });
        (x + terms.sum::<f64>()) as f32
    };
    (series(f64::from(degrees)), series(f64::from(degrees) + 90.0))
}

/// A rectangle, by its corner and sides.
pub(super) fn rectangle(left: f32, top: f32, width: f32, height: f32) -> Outline {
    vec![
        (left, top),
        (left + width, top),
        (left + width, top + height),
        (left, top + height),
    ]
}

/// An ellipse, by its center and radii.
pub(super) fn ellipse(middle: Point, rx: f32, ry: f32) -> Outline {
    let at = |i: usize| {
        let (sin, cos) = sin_cos(i as f32 * 12.0);
        (middle.0 + rx * cos, middle.1 + ry * sin)
    };
    (0..30).map(at).collect()
}

/// The points, followed by their mirror images in x in reverse order: one half of a face makes the whole.
pub(super) fn mirrored(half: &[Point]) -> Outline {
    half.iter()
        .copied()
        .chain(half.iter().rev().filter(|p| p.0 != 0.0).map(|&(x, y)| (-x, y)))
        .collect()
}

/// A smooth closed outline through the points (Catmull-Rom).
pub(super) fn smooth(points: &[Point]) -> Outline {
    let n = points.len();
    let piece = |i: usize| {
        let control = [(i + n - 1) % n, i, (i + 1) % n, (i + 2) % n].map(|k| points[k]);
        (0..FINENESS).map(move |step| catmull_rom(control, step as f32 / FINENESS as f32))
    };
    (0..n).flat_map(piece).collect()
}

/// A smooth open line through the points.
fn curve(points: &[Point]) -> Vec<Point> {
    let at = |i: isize| points[i.clamp(0, points.len() as isize - 1) as usize];
    let piece = |i: isize| {
        let control = [at(i - 1), at(i), at(i + 1), at(i + 2)];
        (0..FINENESS).map(move |step| catmull_rom(control, step as f32 / FINENESS as f32))
    };
    (0..points.len() as isize - 1)
        .flat_map(piece)
        .chain(points.last().copied())
        .collect()
}

/// A segment of a Catmull-Rom spline (1974), between the second and third of four points.
fn catmull_rom(p: [Point; 4], t: f32) -> Point {
    let one = |a: f32, b: f32, c: f32, d: f32| {
        0.5 * (2.0 * b + t * (c - a + t * (2.0 * a - 5.0 * b + 4.0 * c - d + t * (3.0 * b - a - 3.0 * c + d))))
    };
    (one(p[0].0, p[1].0, p[2].0, p[3].0), one(p[0].1, p[1].1, p[2].1, p[3].1))
}

/// Cross-sections of a limb: the two edge points at every point of its smooth center line, the left one first.
pub(super) fn ribs(joints: &[Joint]) -> Vec<[Point; 2]> {
    let middle = curve(&joints.iter().map(|j| (j.0, j.1)).collect::<Vec<_>>());
    let radii = curve(
        &joints
            .iter()
            .enumerate()
            .map(|(i, j)| (i as f32, j.2))
            .collect::<Vec<_>>(),
    );
    let last = middle.len() - 1;
    let rib = |i: usize| {
        let ((x0, y0), (x1, y1)) = (middle[i.saturating_sub(1)], middle[(i + 1).min(last)]);
        let ((x, y), r) = (middle[i], radii[i].1.max(0.2));
        let length = ((x1 - x0) * (x1 - x0) + (y1 - y0) * (y1 - y0)).sqrt().max(1e-3);
        let (nx, ny) = ((y1 - y0) / length * r, (x0 - x1) / length * r);
        [(x + nx, y + ny), (x - nx, y - ny)]
    };
    (0..=last).map(rib).collect()
}

/// The outline of a limb with round ends.
pub(super) fn limb(joints: &[Joint]) -> Outline {
    let ribs = ribs(joints);
    // A half circle beyond the end, from one edge point to the other.
    let cap = |[from, to]: [Point; 2]| {
        let middle = ((from.0 + to.0) / 2.0, (from.1 + to.1) / 2.0);
        let (x, y) = (from.0 - middle.0, from.1 - middle.1);
        (1..6).map(move |i| {
            let (sin, cos) = sin_cos(i as f32 * 30.0);
            (middle.0 + x * cos - y * sin, middle.1 + x * sin + y * cos)
        })
    };
    let (first, last) = (ribs[0], ribs[ribs.len() - 1]);
    let there = ribs.iter().map(|rib| rib[0]);
    let back = ribs.iter().rev().map(|rib| rib[1]);
    there
        .chain(cap(last))
        .chain(back)
        .chain(cap([first[1], first[0]]))
        .collect()
}

/// The bounding box: smallest and largest x and y.
pub(super) fn bounds(outlines: &[Outline]) -> (Point, Point) {
    let all = outlines.iter().flatten();
    all.fold(((f32::MAX, f32::MAX), (f32::MIN, f32::MIN)), |(low, high), &(x, y)| {
        ((low.0.min(x), low.1.min(y)), (high.0.max(x), high.1.max(y)))
    })
}

/// One path of several closed outlines, all with the same orientation, so that the winding rule gives their union.
fn closed(outlines: &[Outline]) -> Option<Path> {
    let mut all = PathBuilder::new();
    for outline in outlines {
        let next = outline.iter().cycle().skip(1);
        let area: f32 = outline.iter().zip(next).map(|(a, b)| a.0 * b.1 - b.0 * a.1).sum();
        let turned: Vec<Point> = if area < 0.0 {
            outline.iter().rev().copied().collect()
        } else {
            outline.clone()
        };
        path(&turned, true).into_iter().for_each(|path| all.push_path(&path));
    }
    all.finish()
}

fn path(points: &[Point], close: bool) -> Option<Path> {
    let mut path = PathBuilder::new();
    let (first, rest) = points.split_first()?;
    path.move_to(first.0, first.1);
    rest.iter().for_each(|p| path.line_to(p.0, p.1));
    if close {
        path.close();
    }
    path.finish()
}
