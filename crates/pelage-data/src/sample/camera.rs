//! Camera effects: exposure, color cast, light from one side, soft focus, grain.

use image::RgbImage;

use super::canvas::Canvas;
use super::random::Random;

/// Captures the scene as an image.
pub(super) fn shoot(canvas: Canvas, width: u32, height: u32, random: &mut Random) -> RgbImage {
    let (w, h) = (width as usize, height as usize);
    let rgba = canvas.into_pixels();
    let mut pixels: Vec<f32> = rgba
        .chunks_exact(4)
        .flat_map(|p| [p[0], p[1], p[2]])
        .map(f32::from)
        .collect();
    let softness = random.range(-0.1, 0.24);
    if softness > 0.0 {
        soften(&mut pixels, w, h, softness);
    }
    let (exposure, contrast) = (random.range(0.85, 1.15), random.range(1.2, 1.6));
    let warmth = random.around(0.06);
    let cast = [1.0 + warmth, 1.0 + random.around(0.02), 1.0 - warmth];
    let (across, down, corners) = (random.around(0.22), random.around(0.12), random.range(0.0, 0.3));
    let grain = random.range(0.5, 5.0);
    for (i, pixel) in pixels.chunks_exact_mut(3).enumerate() {
        let (x, y) = ((i % w) as f32 / w as f32 - 0.5, (i / w) as f32 / h as f32 - 0.5);
        let light = exposure * (1.0 + across * x + down * y - corners * (x * x + y * y));
        let gray = random.around(grain);
        for (value, cast) in pixel.iter_mut().zip(cast) {
            *value = ((*value - 140.0) * contrast + 122.0) * light * cast + gray + random.around(grain * 0.4);
        }
    }
    let bytes = pixels
        .iter()
        .map(|value| value.round().clamp(0.0, 255.0) as u8)
        .collect();
    RgbImage::from_raw(width, height, bytes).expect("three bytes per pixel")
}

/// Blurs: mixes every pixel with its neighbors, weighted by `softness` on each side, along rows, then along columns.
fn soften(pixels: &mut [f32], width: usize, height: usize, softness: f32) {
    for (count, step, lines, stride) in [(width, 3, height, width * 3), (height, width * 3, width, 3)] {
        for start in (0..lines).flat_map(|line| (0..3).map(move |c| line * stride + c)) {
            let mut before = pixels[start];
            for i in 0..count {
                let at = start + i * step;
                let after = if i + 1 < count { pixels[at + step] } else { pixels[at] };
                let here = pixels[at];
                pixels[at] = here + softness * (before + after - 2.0 * here);
                before = here;
            }
        }
    }
}
