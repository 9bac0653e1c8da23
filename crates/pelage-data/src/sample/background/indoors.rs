//! Rooms.

use tiny_skia::Color;

use super::shapes::{everything, upright};
use super::sky::sky;
use crate::sample::canvas::{Canvas, Point, ellipse, limb, linear, rectangle, smooth};
use crate::sample::palette::{alpha, bright, hex, mix, quiet, shade};
use crate::sample::random::Random;

pub(super) fn room(canvas: &mut Canvas, horizon: f32, random: &mut Random) {
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

pub(super) fn window(canvas: &mut Canvas, (x, y): Point, random: &mut Random) {
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
