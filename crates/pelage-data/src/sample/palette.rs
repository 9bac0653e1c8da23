//! Colors. Both classes use the same ones, so that no color tells them apart.

use tiny_skia::Color;

use super::random::Random;

/// Fur, from black to white.
const FUR: [u32; 16] = [
    0x2b2727, 0x3d3a3c, 0x575b63, 0x7d838c, 0xa7a9ab, 0xf2eee6, 0xe9dcc3, 0xd9b98c, 0xe0a35c, 0xd07f3a, 0xb5622b,
    0x8a4f2c, 0x6b4630, 0x4a3226, 0xc3a17a, 0x94826e,
];
/// Irises.
const EYES: [u32; 9] = [
    0x6fae3f, 0x9dbb3a, 0xe0b23a, 0xd98a2b, 0x8a5a2b, 0x5a3a22, 0x4f9bd0, 0x7cc3c9, 0x3f7f5a,
];
/// Noses.
const NOSES: [u32; 4] = [0x2a2224, 0x3a2b2b, 0x6b4038, 0xc77d7d];
/// Collars, balls, cushions and other man-made things.
const BRIGHT: [u32; 12] = [
    0xd8433b, 0xe8813a, 0xf0c040, 0x7bb548, 0x3f9a7a, 0x3f8fc0, 0x4a62b0, 0x8a5ab0, 0xd065a0, 0xf0ece0, 0x8a6a4a,
    0x45505c,
];
/// Walls, floors and other quiet surfaces.
const QUIET: [u32; 14] = [
    0xe8dcc8, 0xd5c4b0, 0xc9d6d8, 0xb5cbb8, 0xe6c9bd, 0xd9d2e2, 0xa8b8c8, 0x8fa396, 0xb58f78, 0x7a8794, 0xf0ead8,
    0xc2a878, 0x6f6459, 0x9c7f8f,
];

/// A color from six hexadecimal digits.
pub(super) fn hex(rgb: u32) -> Color {
    let [_, r, g, b] = rgb.to_be_bytes();
    Color::from_rgba8(r, g, b, 255)
}

/// Mixes `a` and `b`, with a fraction `share` of `b`.
pub(super) fn mix(a: Color, b: Color, share: f32) -> Color {
    let one = |a: f32, b: f32| (a + (b - a) * share).clamp(0.0, 1.0);
    let (r, g, b_) = (
        one(a.red(), b.red()),
        one(a.green(), b.green()),
        one(a.blue(), b.blue()),
    );
    Color::from_rgba(r, g, b_, one(a.alpha(), b.alpha())).unwrap_or(a)
}

/// Lightens (towards white) by a positive amount, darkens by a negative one.
pub(super) fn shade(color: Color, share: f32) -> Color {
    mix(color, hex(if share > 0.0 { 0xffffff } else { 0x140e12 }), share.abs())
}

/// The same color with this opacity.
pub(super) fn alpha(mut color: Color, opacity: f32) -> Color {
    color.set_alpha(opacity);
    color
}

/// Perceived brightness, 0 to 1 (Rec. 601).
pub(super) fn luma(color: Color) -> f32 {
    0.299 * color.red() + 0.587 * color.green() + 0.114 * color.blue()
}

fn varied(random: &mut Random, among: &[u32]) -> Color {
    let color = hex(random.pick(among));
    let warm = hex(random.pick(&[0xff9050, 0x5090ff]));
    let tinted = mix(color, warm, random.range(0.0, 0.07));
    shade(tinted, random.around(0.12))
}

pub(super) fn fur(random: &mut Random) -> Color {
    varied(random, &FUR)
}

pub(super) fn eye(random: &mut Random) -> Color {
    varied(random, &EYES)
}

pub(super) fn nose(random: &mut Random) -> Color {
    varied(random, &NOSES)
}

pub(super) fn bright(random: &mut Random) -> Color {
    varied(random, &BRIGHT)
}

pub(super) fn quiet(random: &mut Random) -> Color {
    varied(random, &QUIET)
}
