//! What makes a dog: a long muzzle with a large nose, ears of many kinds, a tongue, a tapering or curled tail.

use tiny_skia::Color;

use super::body::{Build, Tail};
use super::canvas::{Canvas, Joint, Outline, Point, ellipse, limb, mirrored, smooth};
use super::coat::{Coat, Part, flat};
use super::face::{Face, View};
use super::palette::{alpha, hex, mix, shade};
use super::random::Random;

/// How the ears are carried.
#[derive(Clone, Copy, PartialEq)]
enum Ears {
    /// Hanging beside the head.
    Hanging,
    /// Standing, the tip folded forwards.
    Folded,
    /// Lying to the side.
    Sideways,
    /// Standing like a shepherd's.
    Standing,
}

/// A dog's head.
pub(super) struct Head {
    ears: Ears,
    ear_length: f32,
    ear_width: f32,
    width: f32,
    /// Length of the muzzle, 0.6 for a pug, 1.2 for a greyhound.
    muzzle: f32,
    jowls: f32,
    eye: f32,
    nose: f32,
    tongue: f32,
    brows: bool,
}

impl Head {
    pub(super) fn draw(random: &mut Random) -> Self {
        use Ears::{Folded, Hanging, Sideways, Standing};
        let ears = [
            Hanging, Hanging, Hanging, Hanging, Hanging, Hanging, Folded, Folded, Sideways, Standing,
        ];
        Head {
            ears: random.pick(&ears),
            ear_length: random.range(0.75, 1.25),
            ear_width: random.range(0.8, 1.2),
            width: random.range(0.9, 1.1),
            muzzle: random.range(0.65, 1.2),
            jowls: random.range(0.9, 1.2),
            eye: random.range(1.4, 1.9),
            nose: random.range(1.0, 1.35),
            tongue: if random.chance(0.65) {
                random.range(2.5, 5.0)
            } else {
                0.0
            },
            brows: random.chance(0.3),
        }
    }

    /// Draws the head at (0, 0); the skull has a radius of 9, and the muzzle extends beyond it.
    pub(super) fn paint(&self, canvas: &mut Canvas, face: &Face, coat: &Coat, scale: f32, random: &mut Random) {
        match face.view {
            View::Front(turn) => self.front(canvas, turn, face, coat, scale, random),
            View::Profile => self.profile(canvas, face, coat, scale, random),
        }
    }

    /// Draws an ear, with its root at (7, -6) on the head's right half; `side` mirrors it to the left.
    fn ear(&self, canvas: &mut Canvas, side: f32, at: Point, coat: &Coat, scale: f32, random: &mut Random) {
        let (l, w) = (self.ear_length, self.ear_width);
        let points: Vec<Point> = match self.ears {
            Ears::Hanging => vec![
                (4.6, -8.6),
                (8.2, -8.8),
                (10.6 + w, -3.5),
                (11.2 + w, 1.0 + 4.0 * l),
                (9.0 + w * 0.5, 4.5 + 6.0 * l),
                (7.2, 2.0 + 4.0 * l),
                (6.8, -2.5),
            ],
            Ears::Folded => vec![
                (2.6, -8.0),
                (4.6, -11.5 - 1.5 * l),
                (8.6, -11.5 - 1.0 * l),
                (11.2 + w, -5.5),
                (10.4, -2.0 + l),
                (8.2, -4.0),
                (7.4, -5.0),
            ],
            Ears::Sideways => vec![
                (4.6, -8.8),
                (8.6, -10.0),
                (12.0 + 2.0 * l, -8.5),
                (14.0 + 2.5 * l, -4.5),
                (12.0 + 1.0 * l, -3.4),
                (8.4, -3.0),
            ],
            Ears::Standing => vec![
                (2.2, -7.0),
                (3.6, -12.0 - 2.0 * l),
                (6.6, -15.5 - 2.6 * l),
                (9.0, -12.0 - 2.0 * l),
                (9.4 + 0.4 * w, -5.0),
                (7.4, -2.5),
            ],
        };
        let moved = |grow: f32| -> Outline {
            let middle = (7.5, if self.ears == Ears::Standing { -7.5 } else { -4.0 });
            let one = |p: Point| (middle.0 + (p.0 - middle.0) * grow, middle.1 + (p.1 - middle.1) * grow);
            smooth(
                &points
                    .iter()
                    .map(|&p| one(p))
                    .map(|(x, y)| (side * x + at.0, y + at.1))
                    .collect::<Vec<_>>(),
            )
        };
        coat.paint(canvas, &[moved(1.0)], &[], Part::Ear, scale, random);
        if self.ears == Ears::Standing {
            canvas.blot(moved(0.6), alpha(mix(hex(0xd79a94), coat.line, 0.4), 0.7));
        } else {
            canvas.fill(&[moved(0.94)], flat(alpha(coat.line, 0.16)));
        }
    }

    fn front(&self, canvas: &mut Canvas, turn: f32, face: &Face, coat: &Coat, scale: f32, random: &mut Random) {
        let w = self.width;
        let before = matches!(self.ears, Ears::Hanging | Ears::Folded);
        let place = |side: f32| (side * (w - 1.0) * 7.0 - turn * 0.8, 0.0);
        if !before {
            for side in [-1.0, 1.0] {
                self.ear(canvas, side, place(side), coat, scale, random);
            }
        }
        let half = [
            (0.0, -9.4),
            (4.8 * w, -8.8),
            (8.3 * w, -4.4),
            (8.2 * w, 0.6),
            (6.6 * w * self.jowls, 5.2),
            (4.6 * w * self.jowls, 9.0),
            (0.0, 10.4),
        ];
        coat.paint(canvas, &[smooth(&mirrored(&half))], &[], Part::Head, scale, random);
        if before {
            for side in [-1.0, 1.0] {
                self.ear(canvas, side, place(side), coat, scale, random);
            }
        }
        let shift = turn * 2.0;
        for side in [-1.0, 1.0] {
            let at = (side * (3.9 - turn * side * 0.4) * w + shift, -2.2);
            face.eye(canvas, at, (self.eye, self.eye * 0.95), -0.1 * side, (0.68, 0.72), coat);
            if self.brows {
                canvas.blot(
                    ellipse((at.0 + side * 0.2, at.1 - 3.1), 1.3, 0.8),
                    alpha(coat.light, 0.85),
                );
            }
        }
        self.snout(canvas, (shift * 1.7, 0.0), face, coat);
    }

    fn snout(&self, canvas: &mut Canvas, at: Point, face: &Face, coat: &Coat) {
        let (x, y) = at;
        let (rx, ry) = (4.3 * self.jowls, 3.6 + self.muzzle);
        let mouth = shade(coat.line, -0.35);
        if self.tongue > 0.0 {
            self.tongue(canvas, (x + 0.3, y + 8.2), (x + 0.5, y + 8.6 + self.tongue), 1.7);
        }
        let muzzle = ellipse((x, y + 5.4), rx, ry);
        canvas.edge(std::slice::from_ref(&muzzle), 0.7, flat(alpha(coat.line, 0.35)));
        canvas.blot(muzzle, coat.muzzle());
        canvas.line(
            &[(x, y + 4.0), (x, y + 6.6), (x - 1.6, y + 8.0), (x - 3.6, y + 7.4)],
            0.6,
            mouth,
        );
        canvas.line(
            &[(x, y + 4.0), (x, y + 6.6), (x + 1.6, y + 8.0), (x + 3.6, y + 7.4)],
            0.6,
            mouth,
        );
        self.nose(canvas, (x, y + 3.0), face.nose);
    }

    fn nose(&self, canvas: &mut Canvas, (x, y): Point, color: Color) {
        let n = self.nose;
        let half = [
            (0.0, y - 1.7 * n),
            (1.8 * n, y - 1.5 * n),
            (2.6 * n, y - 0.2),
            (1.3 * n, y + 1.3 * n),
            (0.0, y + 1.8 * n),
        ];
        canvas.blot(
            smooth(&mirrored(&half)).into_iter().map(|p| (p.0 + x, p.1)).collect(),
            color,
        );
        canvas.blot(
            ellipse((x - 0.6 * n, y - 0.9 * n), 0.8 * n, 0.4 * n),
            alpha(hex(0xffffff), 0.5),
        );
    }

    fn tongue(&self, canvas: &mut Canvas, from: Point, to: Point, radius: f32) {
        let joints: [Joint; 2] = [(from.0, from.1, radius), (to.0, to.1, radius * 0.95)];
        canvas.blot(limb(&joints), hex(0xd9707c));
        canvas.line(&[from, (to.0, to.1 - 0.4)], 0.35, alpha(hex(0x9c4450), 0.8));
    }

    fn profile(&self, canvas: &mut Canvas, face: &Face, coat: &Coat, scale: f32, random: &mut Random) {
        let reach = 8.0 + 8.0 * self.muzzle;
        let ear = (-9.0, 0.0);
        if self.ears == Ears::Standing {
            self.ear(canvas, 1.0, (-4.5, 0.8), coat, scale, random);
        }
        if self.tongue > 0.0 {
            self.tongue(canvas, (reach - 3.0, 5.6), (reach - 2.4, 6.5 + self.tongue), 1.5);
        }
        let j = self.jowls;
        let skull = smooth(&[
            (-9.4, 1.0),
            (-8.0, -5.6),
            (-2.0, -8.8),
            (3.8, -7.0),
            (6.4, -3.0),
            (reach - 2.0, -1.4),
            (reach + 0.4, 1.2),
            (reach - 0.6, 4.6),
            (8.0, 6.4 * j),
            (2.0, 8.2 * j),
            (-6.0, 7.6),
        ]);
        coat.paint(canvas, std::slice::from_ref(&skull), &[], Part::Head, scale, random);
        canvas.clipped(&[skull], |canvas| {
            canvas.blot(
                ellipse((reach - 0.5, 3.4), reach * 0.46, 4.4),
                alpha(coat.muzzle(), 0.9),
            );
        });
        self.ear(canvas, 1.0, ear, coat, scale, random);
        face.eye(canvas, (3.4, -2.4), (self.eye * 0.9, self.eye), 0.1, (0.7, 0.75), coat);
        if self.brows {
            canvas.blot(ellipse((3.8, -5.4), 1.3, 0.8), alpha(coat.light, 0.85));
        }
        let mouth = shade(coat.line, -0.35);
        canvas.line(&[(reach - 0.6, 3.4), (reach - 4.0, 5.0), (6.0, 4.4)], 0.6, mouth);
        let n = self.nose;
        canvas.blot(ellipse((reach - 0.2, 0.2), 2.1 * n, 1.8 * n), face.nose);
    }
}

/// A dog's proportions.
pub(super) fn build(random: &mut Random) -> Build {
    let curled = random.chance(0.25);
    let bushy = random.chance(0.3);
    Build {
        leg: random.range(0.7, 1.18),
        bulk: random.range(0.84, 1.14),
        tuck: random.range(0.0, 0.3),
        bone: random.range(0.95, 1.25),
        head: random.range(0.92, 1.08),
        tail: Tail {
            length: if curled { 27.0 } else { random.range(11.0, 25.0) },
            rise: if curled { 70.0 } else { random.range(-35.0, 60.0) },
            bends: if curled {
                [130.0, 190.0]
            } else {
                [random.range(0.0, 50.0), random.range(0.0, 40.0)]
            },
            radii: if bushy { [3.0, 5.0, 1.2] } else { [3.2, 2.4, 0.7] },
        },
    }
}
