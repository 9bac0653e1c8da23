//! torchvision's RandomResizedCrop (Szegedy et al. 2015, section 6): a part of random area and shape, at the size of
//! the network.

use super::random::Random;

/// The bounds of width over height.
const RATIO: [f64; 2] = [3.0 / 4.0, 4.0 / 3.0];
/// How often a part is drawn before the centre is taken.
const TRIES: usize = 10;

/// A part of an image, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The first row.
    pub top: usize,
    /// The first column.
    pub left: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

/// Draws a part, with a share of the area between the two of `area`, of an image of `[rows, columns]`.
pub(crate) fn draw(area: [f32; 2], [rows, columns]: [usize; 2], random: &mut Random) -> Part {
    for _ in 0..TRIES {
        let share = random.between(f64::from(area[0]), f64::from(area[1]));
        if let Some([height, width]) = sides(share, random.unit_f64(), [rows, columns]) {
            return Part::anywhere([height, width], [rows, columns], random);
        }
    }
    centre([rows, columns])
}

/// Rows and columns of a part that has this share of the area, and a shape at `position` (0 to 1) between the narrowest
/// and the widest on a logarithmic scale; `None` if it does not fit.
pub fn sides(share: f64, position: f64, [rows, columns]: [usize; 2]) -> Option<[usize; 2]> {
    let [low, high] = RATIO.map(f64::ln);
    let ratio = (low + (high - low) * position).exp();
    let area = (rows * columns) as f64 * share;
    // Python rounds halves to the even number.
    let [height, width] = [area / ratio, area * ratio].map(|square| square.sqrt().round_ties_even() as usize);
    let fits = (1..=rows).contains(&height) && (1..=columns).contains(&width);
    fits.then_some([height, width])
}

/// The largest middle part of an allowed shape.
pub fn centre([rows, columns]: [usize; 2]) -> Part {
    let shape = columns as f64 / rows as f64;
    let [height, width] = if shape < RATIO[0] {
        [(columns as f64 / RATIO[0]).round_ties_even() as usize, columns]
    } else if shape > RATIO[1] {
        [rows, (rows as f64 * RATIO[1]).round_ties_even() as usize]
    } else {
        [rows, columns]
    };
    Part {
        top: (rows - height) / 2,
        left: (columns - width) / 2,
        height,
        width,
    }
}

impl Part {
    /// One of this size (rows, columns) anywhere in an image of `[rows, columns]`.
    pub(super) fn anywhere([height, width]: [usize; 2], [rows, columns]: [usize; 2], random: &mut Random) -> Part {
        Part {
            top: random.below(rows - height + 1),
            left: random.below(columns - width + 1),
            height,
            width,
        }
    }

    /// Its pixels, of an image of so many `columns`.
    pub fn of(&self, pixels: &[u8], columns: usize) -> Vec<u8> {
        let rows = pixels.chunks_exact(columns * 3).skip(self.top).take(self.height);
        rows.flat_map(|row| &row[self.left * 3..(self.left + self.width) * 3])
            .copied()
            .collect()
    }
}
