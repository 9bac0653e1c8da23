//! Backgrounds: rooms, meadows, streets, paper, studios, with objects that belong to neither class.

mod indoors;
mod outdoors;
mod shapes;
mod sky;

use indoors::room;
use outdoors::{meadow, street, tuft};
use shapes::{everything, upright};

use super::canvas::{Canvas, Point, ellipse, limb, radial, rectangle, smooth};
use super::palette::{alpha, bright, hex, mix, quiet, shade};
use super::random::Random;

/// A kind of background.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Scene {
    Room,
    Meadow,
    Street,
    Paper,
    Studio,
}

impl Scene {
    /// Draws a random one with its objects, for a coat of this brightness (0 to 1); `ground` is the y of the animal's
    /// feet.
    pub(super) fn draw(canvas: &mut Canvas, ground: f32, coat: f32, random: &mut Random) -> Self {
        use Scene::{Meadow, Paper, Room, Street, Studio};
        let scene = random.pick(&[Room, Room, Room, Meadow, Meadow, Meadow, Street, Paper, Studio]);
        let horizon = (ground - random.range(6.0, 30.0)).clamp(30.0, 88.0);
        match scene {
            Room => room(canvas, horizon, random),
            Meadow => meadow(canvas, horizon, random),
            Street => street(canvas, horizon, random),
            Paper => paper(canvas, random),
            Studio => studio(canvas, random),
        }
        for _ in 0..random.count(0, 3) {
            let at = (random.range(0.0, canvas.width), ground + random.range(-10.0, 8.0));
            thing(canvas, at, random);
        }
        // Haze, darker than a light coat and lighter than a dark one, so that the animal stands out.
        let tone = if coat > 0.45 {
            random.range(-0.8, -0.4)
        } else {
            random.range(0.1, 0.7)
        };
        let haze = alpha(shade(quiet(random), tone), random.range(0.3, 0.6));
        let all = everything(canvas);
        canvas.blot(all, haze);
        scene
    }

    /// Draws what is in front of the animal.
    pub(super) fn foreground(self, canvas: &mut Canvas, ground: f32, random: &mut Random) {
        if self == Scene::Meadow && random.chance(0.7) {
            let color = shade(mix(hex(0x5f9a3c), hex(0xb0a040), random.unit()), random.around(0.3));
            for _ in 0..random.count(6, 30) {
                tuft(
                    canvas,
                    (random.range(0.0, canvas.width), ground + random.range(2.0, 14.0)),
                    color,
                    random,
                );
            }
        }
        if random.chance(0.25) {
            let at = (random.range(0.0, canvas.width), ground + random.range(8.0, 18.0));
            thing(canvas, at, random);
        }
    }
}

fn paper(canvas: &mut Canvas, random: &mut Random) {
    let (w, h) = (canvas.width, canvas.height);
    let ground = if random.chance(0.5) {
        quiet(random)
    } else {
        bright(random)
    };
    let ink = mix(
        ground,
        if random.chance(0.5) {
            bright(random)
        } else {
            quiet(random)
        },
        random.range(0.3, 1.0),
    );
    upright(canvas, everything(canvas), ground);
    let step = random.range(8.0, 22.0);
    let (columns, rows) = ((w / step) as usize + 2, (h / step) as usize + 2);
    let kind = random.count(0, 4);
    for (i, j) in (0..columns).flat_map(|i| (0..rows).map(move |j| (i, j))) {
        let (x, y) = (i as f32 * step, j as f32 * step);
        match kind {
            0 => canvas.blot(
                ellipse((x + step * 0.5 * (j % 2) as f32, y), step * 0.22, step * 0.22),
                ink,
            ),
            1 if (i + j) % 2 == 0 => canvas.blot(rectangle(x, y, step, step), ink),
            2 => canvas.blot(
                vec![
                    (x, y),
                    (x + step * 0.5, y),
                    (x - step * 0.5, y + step),
                    (x - step, y + step),
                ],
                ink,
            ),
            3 => canvas.line(
                &[(x, y), (x + step / 2.0, y + step * 0.3), (x + step, y)],
                step * 0.16,
                ink,
            ),
            4 => {
                let tone = bright(random);
                let at = (x + random.around(step * 0.4), y + random.around(step * 0.4));
                canvas.blot(
                    vec![
                        at,
                        (at.0 + step * 0.3, at.1 + 1.0),
                        (at.0 + random.around(3.0), at.1 + step * 0.3),
                    ],
                    tone,
                );
            }
            _ => {}
        }
    }
}

fn studio(canvas: &mut Canvas, random: &mut Random) {
    let (w, h) = (canvas.width, canvas.height);
    let color = quiet(random);
    let middle = (w * random.unit(), h * random.unit());
    let colors = [
        shade(color, random.range(0.1, 0.4)),
        shade(color, random.range(-0.45, -0.1)),
    ];
    canvas.fill(&[everything(canvas)], radial(middle, random.range(60.0, 110.0), colors));
    for _ in 0..random.pick(&[0, 0, 8, 14]) {
        let (at, size) = ((w * random.unit(), h * random.unit()), random.range(3.0, 14.0));
        canvas.blot(
            ellipse(at, size, size),
            alpha(shade(bright(random), 0.3), random.range(0.15, 0.5)),
        );
    }
}

/// A ball, a bowl, a plant, a cushion, a ball of wool, a box.
fn thing(canvas: &mut Canvas, (x, y): Point, random: &mut Random) {
    let (color, s) = (bright(random), random.range(4.0, 9.0));
    canvas.blot(ellipse((x, y), s * 1.1, s * 0.25), alpha(hex(0x1c1424), 0.25));
    let lit = |at: Point, r: f32| {
        radial(
            (at.0 - r * 0.3, at.1 - r * 0.4),
            r * 1.4,
            [shade(color, 0.25), shade(color, -0.25)],
        )
    };
    match random.count(0, 5) {
        0 => {
            let (r, at) = (s * 0.8, (x, y - s * 0.8));
            canvas.fill(&[ellipse(at, r, r)], lit(at, r));
            let seam = shade(color, 0.6);
            canvas.line(
                &[(x - r * 0.9, y - s), (x, y - s * 0.55), (x + r * 0.9, y - s)],
                s * 0.14,
                seam,
            );
        }
        1 => {
            canvas.blot(
                vec![
                    (x - s, y - s * 0.8),
                    (x + s, y - s * 0.8),
                    (x + s * 0.75, y),
                    (x - s * 0.75, y),
                ],
                color,
            );
            canvas.blot(ellipse((x, y - s * 0.8), s, s * 0.25), shade(color, -0.35));
        }
        2 => {
            let leaf = mix(hex(0x4f8f4a), hex(0x9ab84a), random.unit());
            for i in 0..7 {
                let lean = (i as f32 - 3.0) * 0.42 * s;
                let stem = [
                    (x, y - s, s * 0.12),
                    (x + lean * 0.6, y - s * 2.0, s * 0.22),
                    (x + lean, y - s * 2.6 + lean.abs() * 0.4, 0.2),
                ];
                canvas.blot(limb(&stem), shade(leaf, random.around(0.2)));
            }
            canvas.blot(
                vec![
                    (x - s * 0.7, y - s * 1.1),
                    (x + s * 0.7, y - s * 1.1),
                    (x + s * 0.5, y),
                    (x - s * 0.5, y),
                ],
                color,
            );
        }
        3 => {
            let cushion = smooth(&[
                (x - s * 1.6, y - s * 1.3),
                (x, y - s * 1.1),
                (x + s * 1.6, y - s * 1.3),
                (x + s * 1.4, y),
                (x - s * 1.4, y),
            ]);
            canvas.fill(&[cushion], lit((x, y - s), s * 1.4));
        }
        4 => {
            let (r, at) = (s * 0.8, (x, y - s * 0.8));
            canvas.fill(&[ellipse(at, r, r)], lit(at, r));
            for i in -1..=1 {
                let d = i as f32 * r * 0.45;
                canvas.line(
                    &[
                        (x + d - r * 0.4, at.1 - r * 0.5),
                        (x + d, at.1),
                        (x + d - r * 0.1, at.1 + r * 0.6),
                    ],
                    0.5,
                    shade(color, -0.4),
                );
            }
            canvas.line(
                &[(x + r, y - 0.6), (x + r * 1.8, y), (x + r * 2.4, y - 1.0)],
                0.6,
                color,
            );
        }
        _ => {
            canvas.blot(rectangle(x - s, y - s * 1.4, s * 2.0, s * 1.4), color);
            canvas.blot(
                vec![
                    (x - s, y - s * 1.4),
                    (x - s * 0.7, y - s * 1.8),
                    (x + s * 1.3, y - s * 1.8),
                    (x + s, y - s * 1.4),
                ],
                shade(color, 0.3),
            );
            canvas.blot(
                vec![
                    (x + s, y - s * 1.4),
                    (x + s * 1.3, y - s * 1.8),
                    (x + s * 1.3, y - s * 0.4),
                    (x + s, y),
                ],
                shade(color, -0.3),
            );
        }
    }
}
