//! Meadows and streets under a sky.

use tiny_skia::Color;

use super::indoors::window;
use super::shapes::{everything, upright};
use super::sky::sky;
use crate::sample::canvas::{Canvas, Point, ellipse, limb, linear, radial, rectangle};
use crate::sample::coat::flat;
use crate::sample::palette::{alpha, bright, hex, mix, quiet, shade};
use crate::sample::random::Random;

pub(super) fn meadow(canvas: &mut Canvas, horizon: f32, random: &mut Random) {
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

pub(super) fn tuft(canvas: &mut Canvas, (x, y): Point, color: Color, random: &mut Random) {
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

pub(super) fn street(canvas: &mut Canvas, horizon: f32, random: &mut Random) {
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
