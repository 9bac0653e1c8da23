//! Features of every face: eyes, a nose, a mood. Faces are drawn in units of a tenth of the head's radius.

use tiny_skia::Color;

use super::canvas::{Canvas, Point, ellipse, radial, smooth};
use super::coat::Coat;
use super::palette::{self, alpha, hex, luma, shade};
use super::random::Random;

/// The view of the head.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum View {
    /// From the front, turned by -1 (left) to 1 (right).
    Front(f32),
    /// From the side, looking right.
    Profile,
}

/// Facial traits that say nothing about the class.
pub(super) struct Face {
    pub(super) view: View,
    pub(super) iris: Color,
    pub(super) nose: Color,
    pub(super) asleep: bool,
    /// Where the eyes look.
    gaze: Point,
}

impl Face {
    pub(super) fn draw(random: &mut Random, view: View) -> Self {
        Face {
            view,
            iris: palette::eye(random),
            nose: palette::nose(random),
            asleep: random.chance(0.1),
            gaze: (random.around(0.3), random.around(0.25)),
        }
    }

    /// Draws one eye; `pupil` is its width and height as fractions of the eye's.
    pub(super) fn eye(&self, canvas: &mut Canvas, at: Point, radii: Point, slant: f32, pupil: Point, coat: &Coat) {
        let (rx, ry) = radii;
        if self.asleep {
            let line = shade(coat.line, -0.4);
            canvas.line(
                &[(at.0 - rx, at.1), (at.0, at.1 + ry * 0.7), (at.0 + rx, at.1)],
                0.8,
                line,
            );
            return;
        }
        let corner = slant * ry;
        let almond = |grow: f32| {
            let (rx, ry) = (rx + grow, ry + grow);
            let top = (at.0, at.1 - ry);
            let inner = (at.0 - rx, at.1 + corner);
            let outer = (at.0 + rx, at.1 - corner);
            let upper = |side: f32| (at.0 + side * rx * 0.7, at.1 - ry * 0.72 - side * corner * 0.6);
            let lower = |side: f32| (at.0 + side * rx * 0.7, at.1 + ry * 0.72 - side * corner * 0.6);
            smooth(&[
                inner,
                upper(-1.0),
                top,
                upper(1.0),
                outer,
                lower(1.0),
                (at.0, at.1 + ry),
                lower(-1.0),
            ])
        };
        canvas.blot(almond(0.5), alpha(hex(0x1d1418), 0.9));
        let colors = [shade(self.iris, 0.25), shade(self.iris, -0.25)];
        canvas.fill(&[almond(0.0)], radial((at.0, at.1 + ry * 0.4), rx * 1.3, colors));
        canvas.clipped(&[almond(0.0)], |canvas| {
            let middle = (at.0 + self.gaze.0 * rx, at.1 + self.gaze.1 * ry);
            canvas.blot(ellipse(middle, pupil.0 * rx, pupil.1 * ry), hex(0x141014));
        });
        let spark = (at.0 + rx * 0.25 + self.gaze.0, at.1 - ry * 0.35);
        canvas.blot(ellipse(spark, rx * 0.26, ry * 0.26), alpha(hex(0xffffff), 0.95));
    }

    /// A dark or light color, whichever contrasts with the coat.
    pub(super) fn contrast(&self, coat: &Coat) -> Color {
        if luma(coat.muzzle()) > 0.5 {
            alpha(hex(0x2a2024), 0.8)
        } else {
            alpha(hex(0xf6f2ea), 0.85)
        }
    }
}
