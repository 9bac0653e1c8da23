//! The parameters of rotation, shift, shear and zoom, by the names and meanings of Keras's `apply_affine_transform`.

use pelage_kernels::pixels::{Border, Map};

crate::choices! {
    /// What is seen beyond the border, by SciPy's names.
    #[derive(Default)]
    FillMode {
        /// The border pixel goes on: a a a | a b c d | d d d.
        #[default]
        Nearest = "nearest",
        /// One value.
        Constant = "constant",
        /// Mirrored about the border: c b a | a b c d | d c b.
        Reflect = "reflect",
        /// Begun again from the other side, whose border pixel is one with this side's.
        Wrap = "wrap",
    }
}

impl FillMode {
    pub(super) fn border(self, fill_value: f32) -> Border {
        match self {
            FillMode::Nearest => Border::Nearest,
            FillMode::Constant => Border::Constant(fill_value),
            FillMode::Reflect => Border::Reflect,
            FillMode::Wrap => Border::Wrap,
        }
    }
}

/// The parameters of Keras's `apply_affine_transform`: x counts columns, y rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transform {
    /// Rotation in degrees.
    pub theta: f32,
    /// Shift of columns in pixels.
    pub tx: f32,
    /// Shift of rows in pixels.
    pub ty: f32,
    /// Shear in degrees.
    pub shear: f32,
    /// Zoom of columns; above 1 shows more than the image.
    pub zx: f32,
    /// Zoom of rows.
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
    /// Where the pixels of an image come from: zoom, shear, shift, then rotation about the middle. `flips` (rows,
    /// columns) are applied to the result.
    ///
    /// Keras confuses the sides of an image that is not square, and turns it about (width / 2, height / 2) instead of
    /// (height / 2, width / 2); here the middle is the middle.
    pub(super) fn map(&self, width: usize, height: usize, flips: [bool; 2]) -> Map {
        let (sin, cos) = f64::from(self.theta).to_radians().sin_cos();
        let (shear_sin, shear_cos) = f64::from(self.shear).to_radians().sin_cos();
        let (tx, ty) = (f64::from(self.tx), f64::from(self.ty));
        let (zx, zy) = (f64::from(self.zx), f64::from(self.zy));
        // In (x, y): rotation [[cos, -sin], [sin, cos]] x shear [[1, -sin s], [0, cos s]] x zoom [[zx, 0], [0, zy]].
        let [xx, xy] = [cos * zx, (-cos * shear_sin - sin * shear_cos) * zy];
        let [yx, yy] = [sin * zx, (-sin * shear_sin + cos * shear_cos) * zy];
        let mut map = Map {
            matrix: [[yy, yx], [xy, xx]],
            offset: [0.0; 2],
        };
        let last = [height as f64 - 1.0, width as f64 - 1.0];
        let middle = last.map(|last| last / 2.0);
        let shift = [sin * tx + cos * ty, cos * tx - sin * ty];
        for i in 0..2 {
            map.offset[i] = middle[i] + shift[i] - map.matrix[i][0] * middle[0] - map.matrix[i][1] * middle[1];
            for side in 0..2 {
                if flips[side] {
                    map.offset[i] += map.matrix[i][side] * last[side];
                    map.matrix[i][side] = -map.matrix[i][side];
                }
            }
        }
        map
    }
}

/// `map`, of an image of the size `to`, where that is to be seen in one of the size `from` (rows, columns).
pub(super) fn scaled(mut map: Map, from: [usize; 2], to: [usize; 2]) -> Map {
    for i in 0..2 {
        // Exact where nothing changes: adding and taking away a half would round.
        if from[i] != to[i] {
            let scale = from[i] as f64 / to[i] as f64;
            map.matrix[i] = map.matrix[i].map(|factor| factor * scale);
            // The first pixel's corner stays where it is, half a pixel before its middle.
            map.offset[i] = (map.offset[i] + 0.5) * scale - 0.5;
        }
    }
    map
}
