//! RandomErasing (Zhong et al. 2020) as timm has it: a rectangle of a normalized image becomes zero.

use super::crop::Part;
use super::random::Random;

/// The share of the area that is erased.
const AREA: [f64; 2] = [0.02, 1.0 / 3.0];
/// The bounds of height over width.
const RATIO: [f64; 2] = [0.3, 1.0 / 0.3];
/// How often a rectangle is drawn before the image stays as it is.
const TRIES: usize = 10;

/// Erases a rectangle of `values` `[rows, columns, 3]` with this probability.
pub(crate) fn erase(probability: f32, values: &mut [f32], [rows, columns]: [usize; 2], random: &mut Random) {
    if random.unit() >= probability {
        return;
    }
    for _ in 0..TRIES {
        let (share, position) = (random.unit_f64(), random.unit_f64());
        if let Some(sides) = sides(share, position, [rows, columns]) {
            return clear(Part::anywhere(sides, [rows, columns], random), values, columns);
        }
    }
}

/// Rows and columns of a rectangle, for an area and a shape at these positions (0 to 1) of their ranges, the shape's on
/// a logarithmic scale; `None` if it does not fit.
pub fn sides(share: f64, position: f64, [rows, columns]: [usize; 2]) -> Option<[usize; 2]> {
    let area = (rows * columns) as f64 * (AREA[0] + (AREA[1] - AREA[0]) * share);
    let [low, high] = RATIO.map(f64::ln);
    let ratio = (low + (high - low) * position).exp();
    let [height, width] = [area * ratio, area / ratio].map(|square| square.sqrt().round_ties_even() as usize);
    (height < rows && width < columns).then_some([height, width])
}

/// Sets a part to zero.
pub fn clear(part: Part, values: &mut [f32], columns: usize) {
    let rows = values.chunks_exact_mut(columns * 3).skip(part.top).take(part.height);
    rows.for_each(|row| row[part.left * 3..(part.left + part.width) * 3].fill(0.0));
}
