//! What makes a cat: pointed ears, a short face with a small nose, whiskers, almond eyes, a long tail of even width.

use super::body::{Build, Tail};
use super::canvas::{Canvas, Outline, Point, ellipse, mirrored, smooth};
use super::coat::{Coat, Part, flat};
use super::face::{Face, View};
use super::palette::{alpha, hex, mix, shade};
use super::random::Random;

/// A cat's head.
pub(super) struct Head {
    width: f32,
    cheeks: f32,
    ear_height: f32,
    ear_width: f32,
    /// How far the ears lean outwards.
    ear_lean: f32,
    eye: Point,
    eye_slant: f32,
    /// Width of the pupil as a fraction of the eye.
    pupil: f32,
    whiskers: f32,
    droop: f32,
}

impl Head {
    pub(super) fn draw(random: &mut Random) -> Self {
        Head {
            width: random.range(0.94, 1.12),
            cheeks: random.range(0.0, 2.2),
            ear_height: random.range(7.5, 11.0),
            ear_width: random.range(5.6, 7.6),
            ear_lean: random.range(0.0, 3.2),
            eye: (random.range(2.4, 3.1), random.range(2.1, 2.9)),
            eye_slant: random.range(0.0, 0.4),
            pupil: random.range(0.22, 0.72),
            whiskers: random.range(8.5, 12.0),
            droop: random.around(2.0),
        }
    }

    /// Draws the head at (0, 0); the skull has a radius of 10.
    pub(super) fn paint(&self, canvas: &mut Canvas, face: &Face, coat: &Coat, scale: f32, random: &mut Random) {
        match face.view {
            View::Front(turn) => self.front(canvas, turn, face, coat, scale, random),
            View::Profile => self.profile(canvas, face, coat, scale, random),
        }
    }

    fn ear(&self, canvas: &mut Canvas, corners: [Point; 3], coat: &Coat, scale: f32, random: &mut Random) {
        let [outer, tip, inner] = corners;
        let bulge = |a: Point, b: Point, by: f32| ((a.0 + b.0) / 2.0 + by, (a.1 + b.1) / 2.0 - 0.6);
        let side = (outer.0 - inner.0).signum();
        let ear = vec![
            outer,
            bulge(outer, tip, side * 0.9),
            tip,
            bulge(tip, inner, -side * 0.4),
            inner,
        ];
        coat.paint(canvas, &[ear], &[], Part::Ear, scale, random);
        let middle = ((outer.0 + inner.0) / 2.0, (outer.1 + inner.1) / 2.0 + 1.0);
        let inwards = |p: Point| (middle.0 + (p.0 - middle.0) * 0.62, middle.1 + (p.1 - middle.1) * 0.68);
        let pink = mix(hex(0xd79a94), coat.line, 0.25);
        canvas.blot([outer, tip, inner].map(inwards).to_vec(), alpha(pink, 0.85));
    }

    fn front(&self, canvas: &mut Canvas, turn: f32, face: &Face, coat: &Coat, scale: f32, random: &mut Random) {
        let w = self.width;
        for side in [-1.0, 1.0] {
            // The ear on the far side of a turned head is narrower.
            let narrow = 1.0 - 0.22 * (turn * side).max(0.0);
            let base = side * w * (8.9 - turn * side * 0.8);
            let inner = base - side * self.ear_width * narrow;
            let tip = (base + side * (self.ear_lean - 1.8) * narrow, -6.0 - self.ear_height);
            self.ear(canvas, [(base, -1.0), tip, (inner, -8.2)], coat, scale, random);
        }
        let c = self.cheeks;
        let half = [
            (0.0, -9.3),
            (5.6 * w, -8.3),
            (9.4 * w, -3.2),
            ((9.8 + c * 0.5) * w, 2.6),
            ((8.0 + c) * w, 6.2),
            (4.4 * w, 8.6),
            (0.0, 9.4),
        ];
        coat.paint(canvas, &[smooth(&mirrored(&half))], &[], Part::Head, scale, random);

        let shift = turn * 2.2;
        for side in [-1.0, 1.0] {
            let at = (side * (4.6 - turn * side * 0.5) * w + shift, -0.7);
            let rx = self.eye.0 * (1.0 - 0.15 * (turn * side).max(0.0));
            face.eye(
                canvas,
                at,
                (rx, self.eye.1),
                self.eye_slant * side,
                (self.pupil, 0.92),
                coat,
            );
        }
        self.muzzle(canvas, shift * 1.25, face, coat);
    }

    fn muzzle(&self, canvas: &mut Canvas, x: f32, face: &Face, coat: &Coat) {
        let fur = alpha(coat.muzzle(), 0.9);
        canvas.blot(ellipse((x, 6.4), 2.3, 1.9), fur);
        for side in [-1.0, 1.0] {
            canvas.blot(ellipse((x + side * 2.0, 4.6), 2.5, 2.0), fur);
        }
        let mouth = shade(coat.line, -0.3);
        canvas.line(&[(x, 3.2), (x, 4.4), (x - 1.2, 5.6), (x - 2.9, 5.2)], 0.55, mouth);
        canvas.line(&[(x, 3.2), (x, 4.4), (x + 1.2, 5.6), (x + 2.9, 5.2)], 0.55, mouth);
        canvas.blot(smooth(&[(x - 1.5, 2.1), (x, 1.8), (x + 1.5, 2.1), (x, 3.6)]), face.nose);
        for side in [-1.0, 1.0] {
            self.whiskers(canvas, (x + side * 3.0, 4.4), side, face, coat);
        }
    }

    fn whiskers(&self, canvas: &mut Canvas, from: Point, side: f32, face: &Face, coat: &Coat) {
        let color = face.contrast(coat);
        for i in -1..=1 {
            let i = i as f32;
            let end = (from.0 + side * self.whiskers, from.1 + i * 2.6 + self.droop);
            let middle = (from.0 + side * self.whiskers * 0.5, from.1 + i * 1.5 - 0.6);
            canvas.line(&[(from.0, from.1 + i * 0.7), middle, end], 0.4, color);
        }
    }

    fn profile(&self, canvas: &mut Canvas, face: &Face, coat: &Coat, scale: f32, random: &mut Random) {
        let tip = -6.5 - self.ear_height;
        let lean = self.ear_lean * 0.5;
        self.ear(
            canvas,
            [(0.5, -7.0), (3.6 - lean, tip + 1.0), (5.6, -6.0)],
            coat,
            scale,
            random,
        );
        let c = self.cheeks * 0.5;
        let skull: Outline = smooth(&[
            (-9.4, 0.5),
            (-7.8, -5.8),
            (-1.5, -9.2),
            (4.6, -7.4),
            (7.6, -3.0),
            (9.9, 0.6),
            (11.3, 2.6),
            (10.6, 5.2),
            (7.6, 7.4),
            (1.5, 8.6 + c),
            (-6.0, 7.2),
        ]);
        coat.paint(canvas, std::slice::from_ref(&skull), &[], Part::Head, scale, random);
        self.ear(
            canvas,
            [(-7.2, -4.5), (-4.6 - lean, tip), (0.6, -7.4)],
            coat,
            scale,
            random,
        );
        canvas.clipped(&[skull], |canvas| {
            canvas.fill(&[ellipse((9.4, 4.8), 3.2, 2.7)], flat(alpha(coat.muzzle(), 0.9)));
        });
        let eye = (self.eye.0 * 0.8, self.eye.1);
        face.eye(
            canvas,
            (5.2, -1.2),
            eye,
            -self.eye_slant,
            (self.pupil * 0.8, 0.92),
            coat,
        );
        let mouth = shade(coat.line, -0.3);
        canvas.line(&[(10.9, 3.6), (9.6, 5.0), (7.4, 5.0)], 0.55, mouth);
        canvas.blot(smooth(&[(10.0, 1.3), (11.5, 1.7), (11.6, 3.0), (10.5, 3.2)]), face.nose);
        self.whiskers(canvas, (8.4, 4.2), -1.0, face, coat);
        self.whiskers(canvas, (9.6, 4.2), 0.7, face, coat);
    }
}

/// A cat's proportions.
pub(super) fn build(random: &mut Random) -> Build {
    Build {
        leg: random.range(0.78, 1.02),
        bulk: random.range(0.84, 1.14),
        tuck: random.range(0.0, 0.16),
        bone: random.range(0.8, 1.0),
        head: random.range(0.92, 1.08),
        tail: Tail {
            length: random.range(30.0, 42.0),
            rise: random.range(-15.0, 75.0),
            bends: [random.range(-30.0, 70.0), random.range(-110.0, 60.0)],
            radii: if random.chance(0.25) {
                [2.8, 4.6, 3.6]
            } else {
                [2.5, 2.3, random.range(1.7, 2.3)]
            },
        },
    }
}
