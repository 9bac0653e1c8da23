//! Where the animal is: rooms, meadows, streets, papers. Things stand around that belong to neither class.

use tiny_skia::Color;

use super::canvas::{Canvas, Outline, Point, ellipse, limb, linear, radial, rectangle, smooth};
use super::coat::flat;
use super::palette::{alpha, bright, hex, mix, quiet, shade};
use super::random::Random;

/// A place, and whether it is out of doors.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Scene {
    Room,
    Meadow,
    Street,
    Paper,
    Studio,
}

impl Scene {
    /// Draws one, with its things, for a coat so bright (0 to 1); `ground` is where the animal's feet will be.
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
        // Far away and in its own light, so that what is near stands out.
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

    /// What is nearer than the animal.
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

fn everything(canvas: &Canvas) -> Outline {
    rectangle(0.0, 0.0, canvas.width, canvas.height)
}

fn upright(canvas: &mut Canvas, outline: Outline, color: Color) {
    let colors = [shade(color, 0.12), shade(color, -0.12)];
    let height = canvas.height;
    canvas.fill(&[outline], linear((0.0, 0.0), (0.0, height), colors));
}

fn room(canvas: &mut Canvas, horizon: f32, random: &mut Random) {
    let (w, h) = (canvas.width, canvas.height);
    let wall = quiet(random);
    upright(canvas, everything(canvas), wall);
    wallpaper(canvas, horizon, wall, random);
    match random.count(0, 4) {
        0 | 1 => window(canvas, (random.range(0.0, w * 0.7), random.range(0.0, 20.0)), random),
        2 | 3 => (0..random.count(1, 3)).for_each(|_| picture(canvas, horizon, random)),
        _ => {}
    }
    let floor = quiet(random);
    upright(canvas, rectangle(0.0, horizon, w, h), floor);
    match random.count(0, 2) {
        0 => {
            let lines = (1..6).map(|i| horizon + (h - horizon) * (i * i) as f32 / 25.0);
            lines.for_each(|y| canvas.line(&[(0.0, y), (w, y)], 0.6, alpha(shade(floor, -0.4), 0.6)));
        }
        1 => {
            let middle = (w * random.range(0.3, 0.7), (horizon + h) / 2.0 + 4.0);
            let (rug, size) = (bright(random), random.range(28.0, 50.0));
            canvas.blot(ellipse(middle, size, size * 0.3), rug);
            canvas.blot(ellipse(middle, size * 0.8, size * 0.22), shade(rug, random.around(0.4)));
        }
        _ => {}
    }
    canvas.blot(
        rectangle(0.0, horizon - 2.4, w, 2.4),
        shade(wall, random.pick(&[0.5, -0.3])),
    );
    if random.chance(0.35) {
        sofa(canvas, horizon, random);
    }
}

fn wallpaper(canvas: &mut Canvas, horizon: f32, wall: Color, random: &mut Random) {
    let (w, step) = (canvas.width, random.range(6.0, 16.0));
    let color = alpha(shade(wall, random.pick(&[-0.25, -0.12, 0.3])), 0.8);
    let columns = (w / step) as usize + 1;
    match random.count(0, 4) {
        0 => (0..columns).for_each(|i| canvas.blot(rectangle(i as f32 * step, 0.0, step * 0.4, horizon), color)),
        1 => {
            for (i, j) in (0..columns).flat_map(|i| (0..10).map(move |j| (i, j))) {
                let at = ((i as f32 + 0.5 * (j % 2) as f32) * step, j as f32 * step);
                canvas.blot(ellipse(at, step * 0.16, step * 0.16), color);
            }
        }
        _ => {}
    }
}

fn sky(random: &mut Random) -> [Color; 2] {
    let skies = [
        [0x5fa8dc, 0xd3ebf5],
        [0x8ab8d8, 0xf0e6d0],
        [0xe89a6a, 0xf7dfae],
        [0xa9b4bf, 0xdfe3e6],
        [0x31466e, 0x8a7fa8],
        [0x7cc4c0, 0xeef5e0],
    ];
    random.pick(&skies).map(hex)
}

fn window(canvas: &mut Canvas, (x, y): Point, random: &mut Random) {
    let (w, h) = (random.range(22.0, 36.0), random.range(24.0, 40.0));
    let frame = if random.chance(0.7) {
        hex(0xf4f0e6)
    } else {
        hex(0x6b4a34)
    };
    canvas.blot(rectangle(x - 2.0, y - 2.0, w + 4.0, h + 4.0), frame);
    canvas.fill(&[rectangle(x, y, w, h)], linear((x, y), (x, y + h), sky(random)));
    canvas.clipped(&[rectangle(x, y, w, h)], |canvas| {
        canvas.blot(
            ellipse((x + w * random.unit(), y + h), w * 0.6, h * random.range(0.2, 0.5)),
            hex(0x6f9a5a),
        );
    });
    canvas.line(&[(x + w / 2.0, y), (x + w / 2.0, y + h)], 1.4, frame);
    canvas.line(&[(x, y + h / 2.0), (x + w, y + h / 2.0)], 1.4, frame);
    if random.chance(0.5) {
        let cloth = bright(random);
        for side in [x - 5.0, x + w - 2.0] {
            canvas.blot(
                smooth(&[
                    (side, y - 4.0),
                    (side + 7.0, y - 4.0),
                    (side + 5.0, y + h + 5.0),
                    (side + 1.0, y + h + 5.0),
                ]),
                cloth,
            );
        }
    }
}

fn picture(canvas: &mut Canvas, horizon: f32, random: &mut Random) {
    let (w, h) = (random.range(10.0, 22.0), random.range(10.0, 22.0));
    let at = (
        random.range(0.0, canvas.width - w),
        random.range(3.0, (horizon - h - 6.0).max(4.0)),
    );
    canvas.blot(rectangle(at.0, at.1, w, h), shade(quiet(random), -0.5));
    let inside = rectangle(at.0 + 1.5, at.1 + 1.5, w - 3.0, h - 3.0);
    canvas.blot(inside.clone(), quiet(random));
    canvas.clipped(&[inside], |canvas| {
        for _ in 0..3 {
            let middle = (at.0 + w * random.unit(), at.1 + h * random.unit());
            canvas.blot(
                ellipse(middle, w * random.range(0.1, 0.4), h * random.range(0.1, 0.4)),
                bright(random),
            );
        }
    });
}

fn sofa(canvas: &mut Canvas, horizon: f32, random: &mut Random) {
    let (cloth, x, w) = (bright(random), random.range(-20.0, 40.0), random.range(50.0, 90.0));
    let cloth = mix(cloth, quiet(random), 0.4);
    let top = horizon - random.range(14.0, 26.0);
    canvas.blot(
        smooth(&[
            (x, top),
            (x + w, top),
            (x + w + 2.0, horizon + 8.0),
            (x - 2.0, horizon + 8.0),
        ]),
        cloth,
    );
    canvas.blot(
        limb(&[(x + 2.0, horizon + 2.0, 5.0), (x + w - 2.0, horizon + 2.0, 5.0)]),
        shade(cloth, 0.14),
    );
    for side in [x, x + w] {
        canvas.blot(
            limb(&[(side, top + 9.0, 5.0), (side, horizon + 5.0, 5.0)]),
            shade(cloth, -0.15),
        );
    }
}

fn meadow(canvas: &mut Canvas, horizon: f32, random: &mut Random) {
    let (w, h) = (canvas.width, canvas.height);
    canvas.fill(&[everything(canvas)], linear((0.0, 0.0), (0.0, horizon), sky(random)));
    if random.chance(0.5) {
        let sun = (w * random.unit(), random.range(4.0, 30.0));
        let glow = hex(0xfff2c0);
        canvas.fill(
            &[ellipse(sun, 24.0, 24.0)],
            radial(sun, 24.0, [alpha(glow, 0.6), alpha(glow, 0.0)]),
        );
        canvas.blot(ellipse(sun, 5.0, 5.0), glow);
    }
    for _ in 0..random.count(0, 3) {
        let (x, y) = (w * random.unit(), random.range(5.0, 35.0));
        let cloud = [(0.0, 6.0), (6.0, 4.5), (-6.0, 4.0), (11.0, 2.5)]
            .map(|(dx, r)| ellipse((x + dx, y - r * 0.3), r, r * 0.7));
        canvas.fill(&cloud, flat(alpha(hex(0xffffff), random.range(0.5, 0.95))));
    }
    let grounds = [0x7fb04f, 0x5f9a4a, 0xa9b85a, 0xd8c48a, 0xe9eef2, 0xb98a4a];
    let color = shade(hex(random.pick(&grounds)), random.around(0.15));
    for i in 0..random.count(0, 3) {
        let hill = mix(
            shade(color, -0.1 - 0.08 * i as f32),
            hex(0x9ab8cc),
            random.range(0.2, 0.6),
        );
        let (x, rise) = (w * random.unit(), random.range(6.0, 26.0));
        let width = random.range(25.0, 60.0);
        if random.chance(0.35) {
            canvas.blot(
                vec![
                    (x - width * 0.6, horizon),
                    (x, horizon - rise * 1.5),
                    (x + width * 0.6, horizon),
                ],
                hill,
            );
        } else {
            canvas.blot(ellipse((x, horizon), width, rise), hill);
        }
    }
    match random.count(0, 3) {
        0 => (0..random.count(1, 4))
            .for_each(|_| tree(canvas, (w * random.unit(), horizon + random.range(0.0, 4.0)), random)),
        1 => fence(canvas, horizon, random),
        _ => {}
    }
    upright(canvas, rectangle(0.0, horizon, w, h), color);
    for _ in 0..random.count(5, 40) {
        let at = (w * random.unit(), random.range(horizon, h));
        if random.chance(0.3) {
            canvas.blot(ellipse(at, 1.1, 1.0), bright(random));
        } else {
            tuft(canvas, at, shade(color, random.around(0.3)), random);
        }
    }
}

fn tuft(canvas: &mut Canvas, (x, y): Point, color: Color, random: &mut Random) {
    let height = random.range(2.0, 6.0);
    for lean in [-0.5, 0.0, 0.5] {
        let tip = x + lean * height + random.around(1.0);
        canvas.blot(vec![(x - 0.7, y), (tip, y - height), (x + 0.7, y)], color);
    }
}

fn tree(canvas: &mut Canvas, (x, y): Point, random: &mut Random) {
    let (size, leaf) = (
        random.range(8.0, 18.0),
        shade(
            mix(hex(0x4a8044), hex(0xc08a3a), random.range(0.0, 0.7)),
            random.around(0.2),
        ),
    );
    canvas.blot(limb(&[(x, y, size * 0.14), (x, y - size, size * 0.1)]), hex(0x6b4a34));
    if random.chance(0.5) {
        for i in 0..3 {
            let (bottom, half) = (y - size * (0.5 + 0.5 * i as f32), size * (0.75 - 0.17 * i as f32));
            canvas.blot(vec![(x - half, bottom), (x, bottom - size), (x + half, bottom)], leaf);
        }
    } else {
        let crown = [(-0.4, 1.3, 0.5), (0.4, 1.3, 0.5), (0.0, 1.8, 0.6)];
        let crown = crown.map(|(dx, up, r)| ellipse((x + dx * size, y - up * size), r * size, r * size));
        canvas.fill(&crown, flat(leaf));
    }
}

fn fence(canvas: &mut Canvas, horizon: f32, random: &mut Random) {
    let color = mix(hex(0xf0ece4), hex(0x8a6a4a), random.unit());
    let (step, height) = (random.range(6.0, 10.0), random.range(12.0, 22.0));
    for rail in [0.3, 0.7] {
        canvas.blot(
            rectangle(0.0, horizon - height * rail, canvas.width, 1.6),
            shade(color, -0.15),
        );
    }
    for i in 0..(canvas.width / step) as usize + 1 {
        let (x, top) = (i as f32 * step, horizon - height);
        let plank = vec![
            (x, horizon),
            (x, top),
            (x + step * 0.3, top - 3.0),
            (x + step * 0.6, top),
            (x + step * 0.6, horizon),
        ];
        canvas.blot(plank, color);
    }
}

fn street(canvas: &mut Canvas, horizon: f32, random: &mut Random) {
    let (w, h) = (canvas.width, canvas.height);
    let brick = mix(
        hex(random.pick(&[0xa8583f, 0xb0876a, 0x8f8f94, 0xd0c2ae, 0x7a5a66])),
        quiet(random),
        0.2,
    );
    canvas.blot(everything(canvas), shade(brick, random.pick(&[-0.3, 0.35])));
    let (bw, bh) = (random.range(9.0, 16.0), random.range(4.0, 8.0));
    for row in 0..(horizon / bh) as usize + 1 {
        for column in 0..(w / bw) as usize + 2 {
            let x = column as f32 * bw - if row % 2 == 0 { bw / 2.0 } else { 0.0 };
            let tone = shade(brick, random.around(0.1));
            canvas.blot(rectangle(x, row as f32 * bh, bw - 0.8, bh - 0.8), tone);
        }
    }
    if random.chance(0.4) {
        window(canvas, (random.range(5.0, w - 40.0), random.range(2.0, 12.0)), random);
    }
    let floor = quiet(random);
    upright(canvas, rectangle(0.0, horizon, w, h), floor);
    let step = random.range(14.0, 30.0);
    for i in -2..(w / step) as i32 + 4 {
        let x = i as f32 * step;
        canvas.line(
            &[(x, horizon), ((x - w / 2.0) * 2.0 + w / 2.0, h)],
            0.7,
            alpha(shade(floor, -0.4), 0.6),
        );
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
