//! A legend in rows above a plot, where it never covers what it names.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// What one line of a plot is called.
pub(crate) struct Key {
    pub(crate) name: String,
    pub(crate) color: RGBColor,
}

/// Length of the stroke before a name, and the space before and after a name, in pixels.
const STROKE: i32 = 22;
const GAP: i32 = 7;
const BETWEEN: i32 = 22;

/// Names of a legend of `keys` with text of `size`, within a width: in rows.
pub(crate) struct Legend {
    rows: Vec<Vec<(i32, Key)>>,
    size: i32,
}

impl Legend {
    /// Rows of as many `keys` as fit into `width` pixels; a name that would not fit alone is cut.
    pub(crate) fn new(keys: Vec<Key>, width: u32, size: i32) -> Self {
        let (width, mut x) = (width as i32, 0);
        let mut rows: Vec<Vec<(i32, Key)>> = Vec::new();
        for key in keys {
            let name = cut(key.name, ((width - STROKE - GAP) / advance('x', size)).max(2) as usize);
            let wide = STROKE + GAP + name.chars().map(|character| advance(character, size)).sum::<i32>();
            if rows.is_empty() || x + wide > width {
                rows.push(Vec::new());
                x = 0;
            }
            if let Some(row) = rows.last_mut() {
                row.push((x, Key { name, ..key }));
            }
            x += wide + BETWEEN;
        }
        Legend { rows, size }
    }

    /// Its height in pixels.
    pub(crate) fn height(&self) -> u32 {
        self.rows.len() as u32 * self.line()
    }

    fn line(&self) -> u32 {
        self.size as u32 + 7
    }

    /// Draws it with its upper left corner there, in ink.
    pub(crate) fn draw(
        &self,
        area: &DrawingArea<SVGBackend<'_>, Shift>,
        (left, top): (i32, i32),
        ink: RGBColor,
    ) -> Result<(), Box<dyn std::error::Error>> {
        for (number, row) in self.rows.iter().enumerate() {
            let middle = top + (number as u32 * self.line() + self.line() / 2) as i32;
            for (x, key) in row {
                let stroke = vec![(left + x, middle), (left + x + STROKE, middle)];
                area.draw(&PathElement::new(stroke, key.color.stroke_width(3)))?;
                let anchor = Pos::new(HPos::Left, VPos::Center);
                let style = ("sans-serif", self.size).into_font().color(&ink).pos(anchor);
                area.draw(&Text::new(key.name.clone(), (left + x + STROKE + GAP, middle), style))?;
            }
        }
        Ok(())
    }
}

/// About the width of a character: no font is at hand when an SVG is written. Of Chinese and the like twice as much.
fn advance(character: char, size: i32) -> i32 {
    let narrow = (f64::from(size) * 0.6).ceil() as i32;
    if character < '\u{1100}' { narrow } else { 2 * narrow }
}

/// At most `most` characters of a name.
fn cut(name: String, most: usize) -> String {
    match name.chars().count() > most {
        true => name.chars().take(most - 1).chain(['…']).collect(),
        false => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_do_not_fit_begin_a_row_and_endless_ones_are_cut() {
        let key = |name: &str| Key {
            name: name.into(),
            color: BLACK,
        };
        let names = |legend: &Legend| -> Vec<Vec<String>> {
            let row = |row: &Vec<(i32, Key)>| row.iter().map(|(_, key)| key.name.clone()).collect();
            legend.rows.iter().map(row).collect()
        };
        let legend = Legend::new(["one", "two", "three"].map(key).into(), 160, 14);
        assert_eq!(names(&legend), [vec!["one", "two"], vec!["three"]]);
        assert_eq!(legend.height(), 42);
        let long = "x".repeat(99);
        let legend = Legend::new(vec![key(&long), key("y")], 160, 14);
        let cut = &names(&legend)[0][0];
        assert!(cut.ends_with('…') && cut.chars().count() < 17, "{cut}");
        assert_eq!(Legend::new(Vec::new(), 160, 14).height(), 0);
    }
}
