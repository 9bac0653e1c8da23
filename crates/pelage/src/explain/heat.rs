//! Heat maps, their colors, and their overlay on an image.

use image::{Rgb, RgbImage};

/// How much each part of an image matters, 0 to 1: of the most that a part of it does, or of all there is.
#[derive(Clone, Debug, PartialEq)]
pub struct Heatmap {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// The values, row by row.
    pub values: Vec<f32>,
}

/// matplotlib's `inferno` (van der Walt and Smith 2015, CC0), every sixteenth color: perceptually uniform, with
/// increasing brightness. Linear interpolation is off by 6 of 255 at most.
const INFERNO: [u32; 17] = [
    0x000004, 0x0B0724, 0x210C4A, 0x3D0965, 0x57106E, 0x71196E, 0x8A226A, 0xA32C61, 0xBC3754, 0xD04545, 0xE35933,
    0xF1711F, 0xF98C0A, 0xFCAA0F, 0xF9C932, 0xF2E865, 0xFCFFA4,
];

/// The color of a value, 0 to 1: black, violet, red, orange, pale yellow.
pub fn color(value: f32) -> Rgb<u8> {
    let place = value.clamp(0.0, 1.0) * (INFERNO.len() - 1) as f32;
    let from = (place as usize).min(INFERNO.len() - 2);
    let part = place - from as f32;
    let channel = |color: u32, shift: u32| ((color >> shift) & 0xFF) as f32;
    let mix = |shift| {
        let [a, b] = [INFERNO[from], INFERNO[from + 1]].map(|color| channel(color, shift));
        (a + (b - a) * part).round() as u8
    };
    Rgb([mix(16), mix(8), mix(0)])
}

impl Heatmap {
    /// Non-negative `values`, divided by the largest; all zero stays zero.
    pub(crate) fn scaled(height: usize, width: usize, mut values: Vec<f32>) -> Self {
        let most = values.iter().fold(0f32, |most, &value| most.max(value));
        if most > 0.0 {
            values.iter_mut().for_each(|value| *value /= most);
        }
        Heatmap { height, width, values }
    }

    /// Whether no part matters.
    pub fn is_zero(&self) -> bool {
        self.values.iter().all(|&value| value == 0.0)
    }

    /// The value at a position, 0 to 1 down and across, bilinear between the centers of the cells.
    pub fn at(&self, down: f32, across: f32) -> f32 {
        let place = |part: f32, count: usize| {
            let place = (part * count as f32 - 0.5).clamp(0.0, (count - 1) as f32);
            let from = place as usize;
            (from, (from + 1).min(count - 1), place - from as f32)
        };
        let ((y0, y1, v), (x0, x1, u)) = (place(down, self.height), place(across, self.width));
        let row = |y: usize| {
            let [a, b] = [x0, x1].map(|x| self.values[y * self.width + x]);
            a + (b - a) * u
        };
        let (top, bottom) = (row(y0), row(y1));
        top + (bottom - top) * v
    }
}

/// `image` with the heat map over it, half transparent: 7 parts of 10 of the image show where it is cold, 3 where it is
/// hottest. The map is stretched to the image.
pub fn overlay(image: &RgbImage, heatmap: &Heatmap) -> RgbImage {
    let (width, height) = image.dimensions();
    RgbImage::from_fn(width, height, |x, y| {
        let value = heatmap.at((y as f32 + 0.5) / height as f32, (x as f32 + 0.5) / width as f32);
        let (under, over) = (image.get_pixel(x, y), color(value));
        let cover = 0.3 + 0.4 * value.clamp(0.0, 1.0);
        Rgb(std::array::from_fn(|i| {
            let (under, over) = (f32::from(under[i]), f32::from(over[i]));
            (under + (over - under) * cover).round() as u8
        }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colors_end_where_infernos_end() {
        assert_eq!(color(0.0), Rgb([0, 0, 4]));
        assert_eq!(color(1.0), Rgb([0xFC, 0xFF, 0xA4]));
        assert_eq!(color(f32::NAN).0.len(), 3);
        let brightness = |value: f32| color(value).0.iter().map(|&c| u32::from(c)).sum::<u32>();
        assert!((1..=20).all(|i| brightness(i as f32 / 20.0) > brightness((i - 1) as f32 / 20.0)));
    }

    #[test]
    fn between_the_cells_it_is_linear() {
        let map = Heatmap {
            height: 2,
            width: 2,
            values: vec![0.0, 1.0, 0.5, 0.25],
        };
        assert_eq!(map.at(0.25, 0.25), 0.0);
        assert_eq!(map.at(0.25, 0.75), 1.0);
        assert_eq!(map.at(0.0, 1.0), 1.0);
        assert_eq!(map.at(0.5, 0.5), 0.4375);
        assert_eq!(map.at(0.75, 0.5), 0.375);
    }

    #[test]
    fn an_overlay_shows_both() {
        let gray = RgbImage::from_pixel(3, 2, Rgb([100; 3]));
        let cold = Heatmap::scaled(1, 1, vec![0.0]);
        assert_eq!(overlay(&gray, &cold).get_pixel(1, 1), &Rgb([70, 70, 71]));
        let hot = Heatmap::scaled(1, 1, vec![3.0]);
        assert_eq!(overlay(&gray, &hot).get_pixel(2, 0), &Rgb([206, 209, 145]));
    }
}
