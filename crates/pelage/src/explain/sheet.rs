//! A contact sheet: small images in a labelled grid.

use std::ops::Range;

use image::{Rgb, RgbImage, imageops};

use crate::draw::markup::escaped;
use crate::draw::png;
use crate::{Error, Result};

/// One small image of a grid.
pub struct Tile {
    /// The image.
    pub image: RgbImage,
    /// The label below it; may be empty.
    pub label: String,
}

const MARGIN: u32 = 12;
const GAP: u32 = 6;
/// Height of a label.
const LABEL: u32 = 14;
const INK: &str = "#282828";
/// Okabe and Ito's vermilion, which stands out from most images.
const FRAME: Rgb<u8> = Rgb([213, 94, 0]);

/// `tiles` in rows of `columns`, below lines of text, the first of them large.
///
/// # Errors
/// A sheet too large to draw.
pub fn sheet(lines: &[String], tiles: &[Tile], columns: usize) -> Result<RgbImage> {
    let columns = columns.clamp(1, tiles.len().max(1));
    let cell_width = tiles.iter().map(|tile| tile.image.width()).max().unwrap_or(1);
    let head = MARGIN + 6 + 19 * lines.len() as u32;
    // Top and height of each row, without the labels.
    let (mut rows, mut top) = (Vec::new(), head);
    for row in tiles.chunks(columns) {
        let height = row.iter().map(|tile| tile.image.height()).max().unwrap_or(0);
        let has_label = row.iter().any(|tile| !tile.label.is_empty());
        rows.push((top, height));
        top += height + GAP + if has_label { LABEL } else { 0 };
    }
    let text_width = |(i, line): (usize, &String)| line.chars().count() as u32 * if i == 0 { 10 } else { 7 };
    let widest = lines.iter().enumerate().map(text_width).max().unwrap_or(0);
    let width = (columns as u32 * (cell_width + GAP) - GAP).max(widest) + 2 * MARGIN;
    let height = top - GAP + MARGIN;
    let place = |i: usize| {
        let (top, height) = rows[i / columns];
        (MARGIN + (i % columns) as u32 * (cell_width + GAP), top, height)
    };

    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\">\
         <rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\
         <g font-family=\"sans-serif\" fill=\"{INK}\">"
    );
    for (i, line) in lines.iter().enumerate() {
        let (size, weight) = if i == 0 { (15, "bold") } else { (12, "normal") };
        let y = MARGIN + 14 + 19 * i as u32;
        let line = escaped(line);
        svg += &format!("<text x=\"{MARGIN}\" y=\"{y}\" font-size=\"{size}\" font-weight=\"{weight}\">{line}</text>");
    }
    for (i, tile) in tiles.iter().enumerate().filter(|(_, tile)| !tile.label.is_empty()) {
        let ((x, y, height), label) = (place(i), escaped(&tile.label));
        let (x, y) = (x + cell_width / 2, y + height + 11);
        svg += &format!("<text x=\"{x}\" y=\"{y}\" font-size=\"10\" text-anchor=\"middle\">{label}</text>");
    }
    svg += "</g></svg>";

    let drawn = png::render(&svg, 1.0).map_err(|reason| Error::Rendering {
        what: "a contact sheet",
        reason,
    })?;
    let mut sheet = RgbImage::from_fn(drawn.width(), drawn.height(), |x, y| {
        let pixel = drawn.pixels()[(y * drawn.width() + x) as usize];
        Rgb([pixel.red(), pixel.green(), pixel.blue()])
    });
    for (i, tile) in tiles.iter().enumerate() {
        let ((x, y, height), (w, h)) = (place(i), tile.image.dimensions());
        let middle = |cell: u32, side: u32| i64::from((cell - side) / 2);
        let (x, y) = (i64::from(x) + middle(cell_width, w), i64::from(y) + middle(height, h));
        imageops::replace(&mut sheet, &tile.image, x, y);
    }
    Ok(sheet)
}

/// `image` scaled so that its longer side is close to `side` pixels: smaller ones by whole factors, each pixel a
/// square; larger ones averaged.
pub fn scaled(image: &RgbImage, side: u32) -> RgbImage {
    let (width, height) = image.dimensions();
    let longest = width.max(height).max(1);
    if longest > side {
        let to = |length: u32| (length * side / longest).max(1);
        return imageops::resize(image, to(width), to(height), imageops::FilterType::Triangle);
    }
    let factor = side / longest;
    imageops::resize(image, width * factor, height * factor, imageops::FilterType::Nearest)
}

/// The part of `image` with these rows and columns, see [`scaled`].
pub(super) fn part(image: &RgbImage, [rows, columns]: &[Range<usize>; 2], side: u32) -> RgbImage {
    let [y, x, h, w] = [rows.start, columns.start, rows.len(), columns.len()].map(|n| n as u32);
    scaled(&imageops::crop_imm(image, x, y, w, h).to_image(), side)
}

/// The whole image with a frame around that part, see [`scaled`].
pub(super) fn framed(image: &RgbImage, [rows, columns]: &[Range<usize>; 2], side: u32) -> RgbImage {
    let mut whole = scaled(image, side);
    let factor = whole.width() as f32 / image.width().max(1) as f32;
    let at = |pixel: usize, most: u32| ((pixel as f32 * factor) as u32).min(most - 1);
    let (top, bottom) = (at(rows.start, whole.height()), at(rows.end, whole.height()));
    let (left, right) = (at(columns.start, whole.width()), at(columns.end, whole.width()));
    for (x, y, pixel) in whole.enumerate_pixels_mut() {
        let within = (left..=right).contains(&x) && (top..=bottom).contains(&y);
        let edge = x < left + 2 || x + 2 > right || y < top + 2 || y + 2 > bottom;
        if within && edge {
            *pixel = FRAME;
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_stand_where_they_belong() {
        let tile = |color| Tile {
            image: RgbImage::from_pixel(20, 10, Rgb(color)),
            label: "a<b".into(),
        };
        let tiles = [tile([255, 0, 0]), tile([0, 255, 0]), tile([0, 0, 255])];
        let sheet = sheet(&["one & two".into()], &tiles, 2).unwrap();
        let count = |color| sheet.pixels().filter(|pixel| pixel.0 == color).count();
        for color in [[255, 0, 0], [0, 255, 0], [0, 0, 255]] {
            assert_eq!(count(color), 200, "{color:?}");
        }
        assert!(
            sheet
                .pixels()
                .filter(|pixel| pixel[0] < 100 && pixel[1] < 100 && pixel[2] < 100)
                .count()
                > 50
        );
    }

    #[test]
    fn pixels_grow_by_whole_factors() {
        let small = RgbImage::from_fn(3, 2, |x, y| Rgb([(40 * (x + 3 * y)) as u8; 3]));
        let large = scaled(&small, 10);
        assert_eq!(large.dimensions(), (9, 6));
        assert_eq!(large.get_pixel(5, 4), small.get_pixel(1, 1));
        assert_eq!(scaled(&large, 6).dimensions(), (6, 4));
    }
}
