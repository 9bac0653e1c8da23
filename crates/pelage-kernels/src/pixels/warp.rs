//! Affine transform of an RGB image with bilinear interpolation, brightness and normalization in the same pass.
//!
//! Coordinates are 64-bit fixed-point numbers with 32 fractional bits: stepping along a row and dividing are exact. So
//! arithmetic, without testing each pixel, splits each row into a middle part whose pixels lie between four of the
//! image's, and two ends beyond the border. A point within 2^-33 of the border counts as on it, and so as inside; in
//! SciPy that depends on f64 rounding.

use std::ops::Range;

use super::{Finish, LANES, Normalization, TILE};
use crate::isa::{Isa, for_each_isa, multiply_add};

/// Where output pixels come from: (row, column) shows the input at `matrix * (row, column) + offset`; pixel centers
/// have integer coordinates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Map {
    /// Rows of the matrix.
    pub matrix: [[f64; 2]; 2],
    /// Added to (row, column).
    pub offset: [f64; 2],
}

impl Map {
    /// The identity.
    pub const IDENTITY: Map = Map {
        matrix: [[1.0, 0.0], [0.0, 1.0]],
        offset: [0.0; 2],
    };

    fn at(&self, row: f64, column: f64) -> [f64; 2] {
        std::array::from_fn(|i| self.matrix[i][0] * row + self.matrix[i][1] * column + self.offset[i])
    }
}

/// How the image continues beyond its border; the quoted names are SciPy's `ndimage` modes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Border {
    /// 'nearest': the edge pixel is repeated.
    Nearest,
    /// 'constant': one value of 0 to 255.
    Constant(f32),
    /// 'reflect': mirrored, with the edge pixel repeated.
    Reflect,
    /// 'wrap': repeated periodically, with the first and last pixel coinciding.
    Wrap,
}

/// Limit of coordinates, in pixels.
const FARTHEST: f64 = (1 << 29) as f64;

/// Fractional bits.
const FRACTION: u32 = 32;
const ONE: i64 = 1 << FRACTION;

/// Warps `pixels` (`height * width * 3` bytes) into `out` (`out_height * out_width * 3` values): `map` with bilinear
/// interpolation, then `brightness`, a factor applied to whole values of 0 to 255, then `normalization`. No
/// antialiasing: a map that shrinks the image to less than half skips pixels.
///
/// # Panics
/// If a slice has the wrong length, `pixels` is empty but `out` is not, or `map` has coordinates beyond 2^29 pixels or
/// NaN.
pub fn warp(
    isa: Isa,
    pixels: &[u8],
    [height, width]: [usize; 2],
    map: &Map,
    border: Border,
    brightness: Option<f32>,
    normalization: &Normalization,
    out: &mut [f32],
    [out_height, out_width]: [usize; 2],
) {
    assert_eq!(pixels.len(), height * width * 3, "length of pixels");
    assert_eq!(out.len(), out_height * out_width * 3, "length of out");
    if out.is_empty() {
        return;
    }
    assert!(!pixels.is_empty(), "no pixels to warp");
    // One past the ends, so that a single step is within bounds too.
    let (down, right) = (out_height as f64, out_width as f64);
    let corners = [
        map.at(0.0, 0.0),
        map.at(0.0, right),
        map.at(down, 0.0),
        map.at(down, right),
    ];
    assert!(
        corners.iter().flatten().all(|value| value.abs() < FARTHEST),
        "{map:?} is out of range"
    );
    let image = Image { pixels, height, width };
    let finish = Finish::new(brightness, normalization);
    dispatch_warp(isa, &image, map, border, &finish, out, out_width);
}

for_each_isa!(
    fused dispatch_warp,
    warp_body,
    (image: &Image, map: &Map, border: Border, finish: &Finish, out: &mut [f32], out_width: usize)
);

#[inline(always)]
fn warp_body<const FUSED: bool>(
    image: &Image,
    map: &Map,
    border: Border,
    finish: &Finish,
    out: &mut [f32],
    out_width: usize,
) {
    let fixed = |value: f64| (value * ONE as f64).round() as i64;
    let step = [fixed(map.matrix[0][1]), fixed(map.matrix[1][1])];
    let last = image.last();
    for (row, out) in out.chunks_exact_mut(out_width * 3).enumerate() {
        let line = Line {
            start: map.at(row as f64, 0.0).map(fixed),
            step,
        };
        let seen = match border {
            Border::Constant(_) => line.inside(last.map(|last| last + 1), out_width),
            _ => 0..out_width,
        };
        let middle = line.inside(last, out_width);
        let middle = if middle.is_empty() { seen.end..seen.end } else { middle };
        let edge = |at: [i64; 2]| image.neighborhood([fold(at[0], last[0], border), fold(at[1], last[1], border)]);
        run::<FUSED>(image, seen.start..middle.start, line, edge, finish, out);
        run::<FUSED>(
            image,
            middle.clone(),
            line,
            |at| (at, [at[0] >> FRACTION, at[1] >> FRACTION]),
            finish,
            out,
        );
        run::<FUSED>(image, middle.end..seen.end, line, edge, finish, out);
        if let Border::Constant(value) = border {
            let pixel = [0, 1, 2].map(|c| finish.value::<FUSED>(c, value));
            let (pixels, _) = out.as_chunks_mut();
            pixels[..seen.start].fill(pixel);
            pixels[seen.end..].fill(pixel);
        }
    }
}

/// Interpolates and finishes a range of columns of a row, [`TILE`] at a time: first gathers their neighbors, then
/// blends them as vectors. `locate` maps a point on the line to one within the image and to the pixel above and left
/// of it.
#[inline(always)]
fn run<const FUSED: bool>(
    image: &Image,
    columns: Range<usize>,
    line: Line,
    locate: impl Fn([i64; 2]) -> ([i64; 2], [i64; 2]),
    finish: &Finish,
    out: &mut [f32],
) {
    if columns.is_empty() {
        return;
    }
    let (mut above_left, mut above_right) = ([0; LANES], [0; LANES]);
    let (mut below_left, mut below_right) = ([0; LANES], [0; LANES]);
    let (mut down, mut right) = ([0.0; LANES], [0.0; LANES]);
    let mut values = [0.0; LANES];
    for first in columns.clone().step_by(TILE) {
        let count = TILE.min(columns.end - first);
        for i in 0..count {
            let (at, [top, left]) = locate(line.at(first + i));
            let share = |place: i64, whole: i64| (place - (whole << FRACTION)) as f32 * (1.0 / ONE as f32);
            let place = (top as usize * image.width + left as usize) * 3;
            let (above, below) = (image.two_pixels(place), image.two_pixels(place + image.width * 3));
            let lanes = i * 4..i * 4 + 4;
            above_left[lanes.clone()].copy_from_slice(&above[0..4]);
            above_right[lanes.clone()].copy_from_slice(&above[3..7]);
            below_left[lanes.clone()].copy_from_slice(&below[0..4]);
            below_right[lanes.clone()].copy_from_slice(&below[3..7]);
            down[lanes.clone()].fill(share(at[0], top));
            right[lanes].fill(share(at[1], left));
        }
        let between = |left: u8, right: u8, share: f32| {
            multiply_add::<FUSED>(f32::from(right) - f32::from(left), share, f32::from(left))
        };
        for k in 0..LANES {
            let above = between(above_left[k], above_right[k], right[k]);
            let below = between(below_left[k], below_right[k], right[k]);
            values[k] = finish.value::<FUSED>(k, multiply_add::<FUSED>(below - above, down[k], above));
        }
        let out = &mut out[first * 3..(first + count) * 3];
        for (out, value) in out.as_chunks_mut::<3>().0.iter_mut().zip(values.as_chunks::<4>().0) {
            *out = [value[0], value[1], value[2]];
        }
    }
}

/// The input coordinates of one row of output pixels.
#[derive(Clone, Copy)]
struct Line {
    start: [i64; 2],
    step: [i64; 2],
}

impl Line {
    #[inline(always)]
    fn at(&self, column: usize) -> [i64; 2] {
        let column = column as i64;
        [
            self.start[0] + self.step[0] * column,
            self.start[1] + self.step[1] * column,
        ]
    }

    /// The columns in `0..width` whose coordinates are both in `0..end`.
    fn inside(&self, end: [i64; 2], width: usize) -> Range<usize> {
        let [rows, columns] = std::array::from_fn(|i| within(self.start[i], self.step[i], end[i], width as i64));
        let first = rows.start.max(columns.start);
        first..rows.end.min(columns.end).max(first)
    }
}

/// The `i` of `0..count` for which `start + i * step` is in `0..end`.
fn within(start: i64, step: i64, end: i64, count: i64) -> Range<usize> {
    // A negative step is a positive one, mirrored.
    let (start, step) = if step < 0 {
        (end - 1 - start, -step)
    } else {
        (start, step)
    };
    if step == 0 {
        return if (0..end).contains(&start) {
            0..count as usize
        } else {
            0..0
        };
    }
    // Division rounded up: the first that is not below.
    let reaches = |value: i64| (-(start - value).div_euclid(step)).clamp(0, count) as usize;
    reaches(0)..reaches(end)
}

pub(super) struct Image<'a> {
    pixels: &'a [u8],
    height: usize,
    width: usize,
}

impl Image<'_> {
    /// Coordinates of the last row and column.
    fn last(&self) -> [i64; 2] {
        [self.height, self.width].map(|side| (side as i64 - 1) * ONE)
    }

    /// A point from 0 to [`Image::last`], and the pixel above and left of it that has neighbors to the right and below,
    /// if the image has more than one row or column.
    #[inline(always)]
    fn neighborhood(&self, at: [i64; 2]) -> ([i64; 2], [i64; 2]) {
        let before = |place: i64, side: usize| (place >> FRACTION).min(side as i64 - 2).max(0);
        (at, [before(at[0], self.height), before(at[1], self.width)])
    }

    /// Two neighboring pixels and two more bytes. Bytes past the end are zeros; they get weight 0, being the neighbors
    /// that an image of one row or one column lacks.
    #[inline(always)]
    fn two_pixels(&self, place: usize) -> [u8; 8] {
        match self.pixels.get(place..).and_then(|rest| rest.first_chunk()) {
            Some(eight) => *eight,
            None => self.end(place),
        }
    }

    #[cold]
    fn end(&self, place: usize) -> [u8; 8] {
        std::array::from_fn(|i| self.pixels.get(place + i).copied().unwrap_or(0))
    }
}

/// The coordinate from 0 to `last` that `value` folds to.
#[inline(always)]
fn fold(value: i64, last: i64, border: Border) -> i64 {
    match border {
        Border::Nearest | Border::Constant(_) => value.clamp(0, last),
        Border::Reflect => {
            let (half, count) = (ONE / 2, last + ONE);
            let place = (value + half).rem_euclid(2 * count);
            (place.min(2 * count - place) - half).clamp(0, last)
        }
        Border::Wrap if (0..=last).contains(&value) => value,
        // A single row or column repeats itself.
        Border::Wrap if last == 0 => 0,
        Border::Wrap if value < 0 => last - (-value).rem_euclid(last),
        Border::Wrap => value.rem_euclid(last),
    }
}
