//! Small pictures in a labelled grid, as one picture.

use image::{Rgb, RgbImage, imageops};

use crate::report::png;

/// One small picture of a grid.
pub struct Tile {
    /// The picture.
    pub picture: RgbImage,
    /// What stands under it; may be empty.
    pub label: String,
}

const MARGIN: u32 = 12;
const GAP: u32 = 6;
/// Height of a line of text under a tile.
const LABEL: u32 = 14;
const INK: &str = "#282828";

/// `tiles` in rows of `columns`, each in a cell as large as the largest of them, with lines of text above: the first large.
///
/// # Errors
/// A sheet too large to draw.
pub fn sheet(lines: &[String], tiles: &[Tile], columns: usize) -> Result<RgbImage, String> {
    let columns = columns.clamp(1, tiles.len().max(1)) as u32;
    let cell = |side: fn(&RgbImage) -> u32| tiles.iter().map(|tile| side(&tile.picture)).max().unwrap_or(1);
    let (cell_width, cell_height) = (cell(RgbImage::width), cell(RgbImage::height));
    let label = if tiles.iter().all(|tile| tile.label.is_empty()) {
        0
    } else {
        LABEL
    };
    let (step_x, step_y) = (cell_width + GAP, cell_height + GAP + label);
    let head = MARGIN + 6 + 19 * lines.len() as u32;
    let rows = (tiles.len() as u32).div_ceil(columns);
    let text_width = |(i, line): (usize, &String)| line.chars().count() as u32 * if i == 0 { 10 } else { 8 };
    let widest = lines.iter().enumerate().map(text_width).max().unwrap_or(0);
    let width = (columns * step_x - GAP).max(widest) + 2 * MARGIN;
    let height = head + rows * step_y - GAP + MARGIN;
    let place = |i: usize| {
        let i = i as u32;
        (MARGIN + i % columns * step_x, head + i / columns * step_y)
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
        let ((x, y), label) = (place(i), escaped(&tile.label));
        let (x, y) = (x + cell_width / 2, y + cell_height + 11);
        svg += &format!("<text x=\"{x}\" y=\"{y}\" font-size=\"10\" text-anchor=\"middle\">{label}</text>");
    }
    svg += "</g></svg>";

    let drawn = png::render(&svg, 1.0)?;
    let mut sheet = RgbImage::from_fn(drawn.width(), drawn.height(), |x, y| {
        let pixel = drawn.pixels()[(y * drawn.width() + x) as usize];
        Rgb([pixel.red(), pixel.green(), pixel.blue()])
    });
    for (i, tile) in tiles.iter().enumerate() {
        let ((x, y), (w, h)) = (place(i), tile.picture.dimensions());
        let middle = |cell: u32, side: u32| i64::from((cell - side) / 2);
        let (x, y) = (
            i64::from(x) + middle(cell_width, w),
            i64::from(y) + middle(cell_height, h),
        );
        imageops::replace(&mut sheet, &tile.picture, x, y);
    }
    Ok(sheet)
}

/// `picture` with its longer side near `side` pixels: smaller ones by whole factors, each pixel a square; larger ones
/// averaged.
pub fn scaled(picture: &RgbImage, side: u32) -> RgbImage {
    let (width, height) = picture.dimensions();
    let longest = width.max(height).max(1);
    if longest > side {
        let to = |length: u32| (length * side / longest).max(1);
        return imageops::resize(picture, to(width), to(height), imageops::FilterType::Triangle);
    }
    let factor = side / longest;
    imageops::resize(picture, width * factor, height * factor, imageops::FilterType::Nearest)
}

/// Text for XML and HTML.
pub(crate) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe += "&amp;",
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '"' => safe += "&quot;",
            '\'' => safe += "&#39;",
            // No XML may hold them, and nobody can see them.
            control if control.is_control() || matches!(control, '\u{FFFE}' | '\u{FFFF}') => safe.push('\u{FFFD}'),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_stand_where_they_belong() {
        let tile = |color| Tile {
            picture: RgbImage::from_pixel(20, 10, Rgb(color)),
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
