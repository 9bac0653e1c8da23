//! Fur: colors, patterns, and how to paint a body part with it.

use tiny_skia::{Color, Shader};

use super::canvas::{Canvas, Joint, Outline, Point, bounds, ellipse, linear, mirrored, radial, ribs, smooth};
use super::palette::{self, alpha, luma, mix, shade};
use super::random::Random;

/// The pattern of the fur.
#[derive(Clone, Copy, PartialEq)]
enum Pattern {
    Solid,
    /// Stripes: a tabby cat, a brindle dog.
    Striped,
    Spotted,
    Patched,
    /// Another color on the back: a saddle.
    Saddled,
    /// Another color at the points: face, ears, legs and tail.
    Pointed,
    /// White on the underside.
    TwoTone,
}

/// The body part to paint; heads are about 20 units wide, centered at (0, 0).
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Part {
    Torso,
    /// A torso seen from the front.
    Chest,
    Leg,
    Tail,
    Ear,
    Head,
}

/// The fur of one animal.
pub(super) struct Coat {
    base: Color,
    marks: Color,
    /// Belly, muzzle and paws.
    pub(super) light: Color,
    /// The edges of the parts.
    pub(super) line: Color,
    line_width: f32,
    pattern: Pattern,
    socks: bool,
    tail_tip: bool,
    blaze: bool,
    light_muzzle: bool,
    /// Length of the tufts at the edges; 0 for short hair.
    tufts: f32,
}

impl Coat {
    pub(super) fn draw(random: &mut Random) -> Self {
        let patterns = [
            Pattern::Solid,
            Pattern::Striped,
            Pattern::Striped,
            Pattern::Spotted,
            Pattern::Patched,
            Pattern::Saddled,
            Pattern::Pointed,
            Pattern::TwoTone,
        ];
        let base = palette::fur(random);
        let darker = shade(base, random.range(-0.62, -0.38));
        let other = palette::fur(random);
        let contrast = (luma(other) - luma(base)).abs() > 0.22;
        let marks = if contrast && random.chance(0.6) {
            other
        } else if luma(base) < 0.25 {
            shade(base, random.range(0.25, 0.5))
        } else {
            darker
        };
        Coat {
            base,
            marks,
            light: mix(base, palette::hex(0xfaf5ea), random.range(0.55, 0.95)),
            line: alpha(shade(base, -0.8), random.range(0.8, 1.0)),
            line_width: random.range(0.8, 1.5),
            pattern: random.pick(&patterns),
            socks: random.chance(0.3),
            tail_tip: random.chance(0.25),
            blaze: random.chance(0.25),
            light_muzzle: random.chance(0.6),
            tufts: if random.chance(0.4) {
                random.range(0.7, 2.0)
            } else {
                0.0
            },
        }
    }

    /// Brightness of the base color, 0 to 1.
    pub(super) fn brightness(&self) -> f32 {
        luma(self.base)
    }

    /// The color of ears and other parts too small for a pattern.
    fn tone(&self, part: Part) -> Color {
        match (self.pattern, part) {
            (Pattern::Pointed, Part::Ear | Part::Tail) | (Pattern::Saddled, Part::Ear | Part::Tail) => self.marks,
            (Pattern::Patched, Part::Ear) => self.marks,
            (Pattern::TwoTone, Part::Leg) => self.light,
            _ => self.base,
        }
    }

    /// The color of the muzzle.
    pub(super) fn muzzle(&self) -> Color {
        match self.pattern {
            Pattern::Pointed => self.marks,
            Pattern::TwoTone => self.light,
            _ if self.light_muzzle || self.blaze => self.light,
            _ => shade(self.base, 0.1),
        }
    }

    /// Paints the union of the outlines. `axis` is the center line of an elongated part, for stripes across it; `scale`
    /// is the factor by which the drawing will be enlarged.
    pub(super) fn paint(
        &self,
        canvas: &mut Canvas,
        outlines: &[Outline],
        axis: &[Joint],
        part: Part,
        scale: f32,
        random: &mut Random,
    ) {
        let tufts = self.tufts / scale * if part == Part::Leg { 0.5 } else { 1.0 };
        let outlines: Vec<Outline> = outlines.iter().map(|outline| tufted(outline, tufts, random)).collect();
        let (low, high) = bounds(&outlines);
        let tone = self.tone(part);
        // No line where a leg joins the body.
        let faint = if part == Part::Leg {
            alpha(self.line, 0.0)
        } else {
            self.line
        };
        let begun = (0.0, low.1 + (high.1 - low.1) * 0.35);
        canvas.edge(
            &outlines,
            2.0 * self.line_width / scale,
            linear((0.0, low.1), begun, [faint, self.line]),
        );
        let lit = [shade(tone, 0.08), shade(tone, -0.1)];
        canvas.fill(&outlines, linear(low, (low.0, high.1), lit));
        canvas.clipped(&outlines, |canvas| {
            self.mark(canvas, axis, part, (low, high), random);
            self.white(canvas, part, (low, high));
            let dark = palette::hex(0x1c1424);
            let middle = (low.0, low.1 + (high.1 - low.1) * 0.45);
            let strength = if part == Part::Leg { 0.12 } else { 0.28 };
            canvas.fill(
                &outlines,
                linear(middle, (low.0, high.1), [alpha(dark, 0.0), alpha(dark, strength)]),
            );
            if matches!(part, Part::Torso | Part::Chest | Part::Head) {
                let glow = (low.0 + (high.0 - low.0) * 0.6, low.1 + (high.1 - low.1) * 0.2);
                let white = palette::hex(0xfff6e0);
                canvas.fill(
                    &outlines,
                    radial(glow, (high.0 - low.0) * 0.45, [alpha(white, 0.22), alpha(white, 0.0)]),
                );
            }
        });
    }

    fn mark(&self, canvas: &mut Canvas, axis: &[Joint], part: Part, (low, high): (Point, Point), random: &mut Random) {
        let (width, height) = (high.0 - low.0, high.1 - low.1);
        let all = [vec![low, (high.0, low.1), high, (low.0, high.1)]];
        match (self.pattern, part) {
            (Pattern::Striped, Part::Head) => face_stripes(canvas, self.marks),
            (Pattern::Striped, Part::Ear) | (Pattern::Solid | Pattern::TwoTone, _) => {}
            (Pattern::Striped, _) => stripes(canvas, axis, part, self.marks, random),
            (Pattern::Spotted, _) => {
                let (few, many) = if part == Part::Torso || part == Part::Chest {
                    (12, 20)
                } else {
                    (3, 6)
                };
                for _ in 0..random.count(few, many) {
                    let middle = (low.0 + width * random.unit(), low.1 + height * random.range(0.0, 0.85));
                    let (size, flat) = (random.range(0.045, 0.1) * width.min(height), random.range(0.7, 1.2));
                    canvas.blot(ellipse(middle, size * flat, size / flat), self.marks);
                }
            }
            (Pattern::Patched, Part::Ear) => {}
            (Pattern::Patched, _) => {
                for _ in 0..random.count(1, 3) {
                    let middle = (low.0 + width * random.unit(), low.1 + height * random.range(0.0, 0.6));
                    let size = random.range(0.2, 0.34) * if part == Part::Leg { height } else { width.max(height) };
                    canvas.blot(lump(middle, size, random), self.marks);
                }
            }
            (Pattern::Saddled, Part::Torso | Part::Chest | Part::Head) => {
                let end = low.1 + height * if part == Part::Head { 0.45 } else { 0.6 };
                let from = (0.0, end - height * 0.18);
                canvas.fill(&all, linear(from, (0.0, end), [self.marks, alpha(self.marks, 0.0)]));
            }
            (Pattern::Pointed, Part::Head) => {
                canvas.fill(&all, radial((1.0, 3.5), 9.5, [self.marks, alpha(self.marks, 0.0)]));
            }
            (Pattern::Pointed, Part::Leg) => {
                let from = (0.0, low.1 + height * 0.35);
                canvas.fill(&all, linear(from, (0.0, high.1), [alpha(self.marks, 0.0), self.marks]));
            }
            (Pattern::Saddled | Pattern::Pointed, _) => {}
        }
    }

    /// Paints white socks, bib, blaze and tip of the tail.
    fn white(&self, canvas: &mut Canvas, part: Part, (low, high): (Point, Point)) {
        let (width, height) = (high.0 - low.0, high.1 - low.1);
        let two_tone = self.pattern == Pattern::TwoTone;
        match part {
            Part::Torso if two_tone => {
                let belly = ((low.0 + high.0) / 2.0, high.1 + height * 0.1);
                canvas.blot(ellipse(belly, width * 0.62, height * 0.52), self.light);
            }
            Part::Chest if two_tone || self.light_muzzle => {
                let bib = ((low.0 + high.0) / 2.0, low.1 + height * 0.5);
                canvas.blot(ellipse(bib, width * 0.2, height * 0.42), self.light);
            }
            Part::Leg if self.socks => {
                let top = low.1 + height * 0.66;
                let sock = vec![(low.0, top), (high.0, top - 0.6), (high.0, high.1), (low.0, high.1)];
                canvas.blot(sock, self.light);
            }
            Part::Tail if self.tail_tip => {
                canvas.blot(ellipse((low.0, low.1), width * 0.45, height * 0.4), self.light);
            }
            Part::Head if two_tone || self.blaze => {
                let half = [
                    (0.0, -10.0),
                    (1.2, -4.0),
                    (2.6, 1.0),
                    (6.5, 5.0),
                    (5.0, 11.0),
                    (0.0, 13.0),
                ];
                canvas.blot(smooth(&mirrored(&half)), self.light);
            }
            _ => {}
        }
    }
}

/// Paints tapering bands across a limb: from the back of a torso, from both sides of a chest, all around legs and tail.
fn stripes(canvas: &mut Canvas, axis: &[Joint], part: Part, color: Color, random: &mut Random) {
    let ribs = ribs(axis);
    let step = if part == Part::Torso || part == Part::Chest {
        2
    } else {
        3
    };
    for i in (1..ribs.len().saturating_sub(2)).step_by(step) {
        let reach = match part {
            Part::Torso => random.range(0.45, 0.75),
            Part::Chest => random.range(0.15, 0.3),
            _ => 1.0,
        };
        let towards = |a: Point, b: Point| (a.0 + (b.0 - a.0) * reach, a.1 + (b.1 - a.1) * reach);
        let [near, far] = ribs[i];
        let next = ribs[i + 1];
        let width = random.range(0.6, 1.0);
        let thick = |a: Point, b: Point| (a.0 + (b.0 - a.0) * width, a.1 + (b.1 - a.1) * width);
        if reach == 1.0 {
            canvas.blot(vec![near, thick(near, next[0]), thick(far, next[1]), far], color);
        } else {
            canvas.blot(vec![near, thick(near, next[0]), towards(near, far)], color);
        }
        if part == Part::Chest {
            canvas.blot(vec![far, thick(far, next[1]), towards(far, near)], color);
        }
    }
}

/// Paints the M on the forehead and the bars on the cheeks.
fn face_stripes(canvas: &mut Canvas, color: Color) {
    for (x, lean) in [(-3.2, -0.8), (0.0, 0.0), (3.2, 0.8)] {
        canvas.blot(vec![(x + lean - 0.9, -10.0), (x + lean + 0.9, -10.0), (x, -4.6)], color);
    }
    for side in [-1.0, 1.0] {
        for y in [0.5, 3.2] {
            canvas.blot(
                vec![(side * 11.5, y - 0.9), (side * 11.5, y + 0.9), (side * 6.6, y + 1.0)],
                color,
            );
        }
    }
}

/// A round shape that is not quite a circle.
fn lump(middle: Point, size: f32, random: &mut Random) -> Outline {
    let edge: Vec<Point> = ellipse(middle, size, size * random.range(0.7, 1.1))
        .into_iter()
        .step_by(5)
        .map(|(x, y)| (x + random.around(size * 0.25), y + random.around(size * 0.25)))
        .collect();
    smooth(&edge)
}

/// Long hair: every other point of the outline is pulled outwards.
fn tufted(outline: &Outline, length: f32, random: &mut Random) -> Outline {
    if length == 0.0 {
        return outline.clone();
    }
    let n = outline.len();
    let mut tufts = Outline::with_capacity(n);
    let (mut since, turn) = (0.0, winding(outline));
    for i in 0..n {
        let ((x0, y0), (x, y), (x1, y1)) = (outline[(i + n - 1) % n], outline[i], outline[(i + 1) % n]);
        let (dx, dy) = (x1 - x0, y1 - y0);
        let span = (dx * dx + dy * dy).sqrt();
        since += span / 2.0;
        if since > length * 1.6 && span > 0.0 {
            since = 0.0;
            let out = length * random.range(0.5, 1.2) * turn / span;
            tufts.push((x + dy * out, y - dx * out + length * 0.3));
        } else {
            tufts.push((x, y));
        }
    }
    tufts
}

/// 1 for an outline that is clockwise on the screen, else -1: says which side is the outside.
fn winding(outline: &Outline) -> f32 {
    let next = outline.iter().cycle().skip(1);
    let area: f32 = outline.iter().zip(next).map(|(a, b)| a.0 * b.1 - b.0 * a.1).sum();
    area.signum()
}

/// A shader of one color.
pub(super) fn flat(color: Color) -> Shader<'static> {
    Shader::SolidColor(color)
}
