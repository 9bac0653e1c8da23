//! Rotation, shift, shear and zoom in one bilinear pass, as Keras's `apply_affine_transform` does through
//! `scipy.ndimage.affine_transform(order=1)`.

use serde::{Deserialize, Serialize};

/// What is seen beyond the border, by SciPy's names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FillMode {
    /// The border pixel goes on: a a a | a b c d | d d d.
    #[default]
    Nearest,
    /// One value.
    Constant,
    /// Mirrored about the border: c b a | a b c d | d c b.
    Reflect,
    /// Begun again from the other side.
    Wrap,
}

impl std::str::FromStr for FillMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "nearest" => Ok(FillMode::Nearest),
            "constant" => Ok(FillMode::Constant),
            "reflect" => Ok(FillMode::Reflect),
            "wrap" => Ok(FillMode::Wrap),
            other => Err(format!("'{other}' is none of nearest, constant, reflect, wrap")),
        }
    }
}

/// The parameters of Keras's `apply_affine_transform`; x counts rows there, and so here.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transform {
    /// Rotation in degrees.
    pub theta: f32,
    /// Shift of rows in pixels.
    pub tx: f32,
    /// Shift of columns in pixels.
    pub ty: f32,
    /// Shear in degrees.
    pub shear: f32,
    /// Zoom of rows; above 1 shows more than the picture.
    pub zx: f32,
    /// Zoom of columns.
    pub zy: f32,
}

impl Default for Transform {
    fn default() -> Self {
        Transform {
            theta: 0.0,
            tx: 0.0,
            ty: 0.0,
            shear: 0.0,
            zx: 1.0,
            zy: 1.0,
        }
    }
}

impl Transform {
    /// The matrix and offset that take an output (row, column) to an input one: rotation, then shift, shear and zoom,
    /// about the middle (height / 2 - 0.5, width / 2 - 0.5).
    fn matrix(&self, width: usize, height: usize) -> ([[f64; 2]; 2], [f64; 2]) {
        let (sin, cos) = f64::from(self.theta).to_radians().sin_cos();
        let (shear_sin, shear_cos) = f64::from(self.shear).to_radians().sin_cos();
        let (zx, zy) = (f64::from(self.zx), f64::from(self.zy));
        let (tx, ty) = (f64::from(self.tx), f64::from(self.ty));
        // rotation [[cos, -sin], [sin, cos]] x shear [[1, -sin s], [0, cos s]] x zoom
        let matrix = [
            [cos * zx, (-cos * shear_sin - sin * shear_cos) * zy],
            [sin * zx, (-sin * shear_sin + cos * shear_cos) * zy],
        ];
        let middle = [height as f64 / 2.0 - 0.5, width as f64 / 2.0 - 0.5];
        let shift = [cos * tx - sin * ty, sin * tx + cos * ty];
        let offset =
            std::array::from_fn(|i| middle[i] + shift[i] - matrix[i][0] * middle[0] - matrix[i][1] * middle[1]);
        (matrix, offset)
    }
}

/// Warps `pixels` (`height * width * 3` bytes) into `out`; `flips` (rows, columns) are applied to the result.
#[allow(clippy::too_many_arguments, reason = "a picture and what to do with it")]
pub fn warp(
    pixels: &[u8],
    width: usize,
    height: usize,
    transform: &Transform,
    flips: [bool; 2],
    fill_mode: FillMode,
    fill_value: f32,
    out: &mut [f32],
) {
    let (matrix, offset) = transform.matrix(width, height);
    let (last_row, last_column) = ((height - 1) as f64, (width - 1) as f64);
    for (row, out) in out.chunks_exact_mut(width * 3).enumerate() {
        let row = if flips[0] { height - 1 - row } else { row };
        for (column, out) in out.chunks_exact_mut(3).enumerate() {
            let column = if flips[1] { width - 1 - column } else { column };
            let y = matrix[0][0] * row as f64 + matrix[0][1] * column as f64 + offset[0];
            let x = matrix[1][0] * row as f64 + matrix[1][1] * column as f64 + offset[1];
            let inside = y >= 0.0 && x >= 0.0 && y < last_row && x < last_column;
            let pixel = if inside {
                let (top, left) = (y as usize, x as usize);
                let (down, right) = ((y - top as f64) as f32, (x - left as f64) as f32);
                let at = (top * width + left) * 3;
                blend(
                    &pixels[at..at + 6],
                    &pixels[at + width * 3..at + width * 3 + 6],
                    down,
                    right,
                )
            } else {
                beyond(pixels, [height, width], [y, x], fill_mode, fill_value)
            };
            out.copy_from_slice(&pixel);
        }
    }
}

/// Bilinear between two pixels of one row and the two below.
#[inline(always)]
fn blend(above: &[u8], below: &[u8], down: f32, right: f32) -> [f32; 3] {
    std::array::from_fn(|c| {
        let upper = f32::from(above[c]) + (f32::from(above[c + 3]) - f32::from(above[c])) * right;
        let lower = f32::from(below[c]) + (f32::from(below[c + 3]) - f32::from(below[c])) * right;
        upper + (lower - upper) * down
    })
}

/// A pixel whose neighborhood crosses the border, by SciPy's rules.
#[cold]
fn beyond(pixels: &[u8], sides: [usize; 2], at: [f64; 2], fill_mode: FillMode, fill_value: f32) -> [f32; 3] {
    let mut place = [0.0; 2];
    for i in 0..2 {
        let (value, last) = (at[i], (sides[i] - 1) as f64);
        place[i] = match fill_mode {
            FillMode::Nearest => value.clamp(0.0, last),
            FillMode::Constant if value < 0.0 || value > last => return [fill_value; 3],
            FillMode::Constant => value,
            FillMode::Reflect => reflect(value, sides[i] as f64),
            FillMode::Wrap => wrap(value, last),
        };
    }
    let [top, left] = std::array::from_fn(|i| place[i].floor() as usize);
    let clamped = |row: usize, column: usize| (row.min(sides[0] - 1) * sides[1] + column.min(sides[1] - 1)) * 3;
    let row = |row: usize| -> [u8; 6] {
        let (a, b) = (clamped(row, left), clamped(row, left + 1));
        [
            pixels[a],
            pixels[a + 1],
            pixels[a + 2],
            pixels[b],
            pixels[b + 1],
            pixels[b + 2],
        ]
    };
    blend(
        &row(top),
        &row(top + 1),
        (place[0] - top as f64) as f32,
        (place[1] - left as f64) as f32,
    )
}

/// SciPy's 'reflect' of a coordinate on `count` points, half a pixel beyond the ends.
fn reflect(value: f64, count: f64) -> f64 {
    let place = (value + 0.5).rem_euclid(2.0 * count);
    let folded = if place < count { place } else { 2.0 * count - place };
    (folded - 0.5).clamp(0.0, count - 1.0)
}

/// SciPy's 'wrap': the period is one less than the number of points, a habit of ndimage that Keras inherits.
fn wrap(value: f64, last: f64) -> f64 {
    if last <= 0.0 {
        0.0
    } else if value < 0.0 {
        value + last * ((-value / last).trunc() + 1.0)
    } else if value > last {
        value - last * (value / last).trunc()
    } else {
        value
    }
}
