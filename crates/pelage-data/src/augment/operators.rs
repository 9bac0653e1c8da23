//! Changes of 8-bit images, one at a time: what torchvision's policies call, number by number as Pillow does it. Pixels
//! are moved whole, to the nearest place, and black is what comes from beyond the border.

/// What an operator does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing.
    Identity,
    /// Shifts rows, each by `magnitude` times its number.
    ShearX,
    /// Shifts columns likewise.
    ShearY,
    /// Shifts to the right by so many whole pixels.
    TranslateX,
    /// Shifts down.
    TranslateY,
    /// Turns about the middle, counterclockwise, by so many degrees.
    Rotate,
    /// From black (magnitude -1) over the image (0) beyond it.
    Brightness,
    /// From gray values over the image beyond it.
    Color,
    /// From the mean gray value over the image beyond it.
    Contrast,
    /// From a smoothed image over the image beyond it.
    Sharpness,
    /// Keeps so many bits of each value.
    Posterize,
    /// Inverts values from `magnitude` on.
    Solarize,
    /// Stretches each channel to 0 to 255.
    AutoContrast,
    /// Makes each channel's values equally frequent.
    Equalize,
}

impl Kind {
    /// All of them, in torchvision's order.
    pub const ALL: [Kind; 14] = [
        Kind::Identity,
        Kind::ShearX,
        Kind::ShearY,
        Kind::TranslateX,
        Kind::TranslateY,
        Kind::Rotate,
        Kind::Brightness,
        Kind::Color,
        Kind::Contrast,
        Kind::Sharpness,
        Kind::Posterize,
        Kind::Solarize,
        Kind::AutoContrast,
        Kind::Equalize,
    ];
}

/// An operator and how much it does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Operator {
    /// What it does.
    pub kind: Kind,
    /// How much, see [`Kind`].
    pub magnitude: f32,
}

impl Operator {
    /// Changes `pixels` `[rows, columns, 3]`.
    pub fn apply(self, pixels: &mut Vec<u8>, size: [usize; 2]) {
        let magnitude = f64::from(self.magnitude);
        match self.kind {
            Kind::Identity => {}
            Kind::ShearX => *pixels = moved(pixels, size, [1.0, magnitude, 0.0, 0.0, 1.0, 0.0]),
            Kind::ShearY => *pixels = moved(pixels, size, [1.0, 0.0, 0.0, magnitude, 1.0, 0.0]),
            Kind::TranslateX => *pixels = moved(pixels, size, [1.0, 0.0, -magnitude.trunc(), 0.0, 1.0, 0.0]),
            Kind::TranslateY => *pixels = moved(pixels, size, [1.0, 0.0, 0.0, 0.0, 1.0, -magnitude.trunc()]),
            Kind::Rotate => *pixels = moved(pixels, size, rotation(magnitude, size)),
            Kind::Brightness => self.blend(pixels, |_, _| [0; 3]),
            Kind::Color => self.blend(pixels, |_, pixel| [gray(pixel); 3]),
            Kind::Contrast => {
                let sum: u64 = pixels.as_chunks().0.iter().map(|pixel| u64::from(gray(*pixel))).sum();
                let mean = (sum as f64 / (pixels.len() / 3).max(1) as f64 + 0.5) as u8;
                self.blend(pixels, |_, _| [mean; 3]);
            }
            Kind::Sharpness => {
                let smooth = smoothed(pixels, size);
                self.blend(pixels, |i, _| smooth[i]);
            }
            Kind::Posterize => {
                let mask = !((1u32 << (8 - self.magnitude as u32)) - 1) as u8;
                pixels.iter_mut().for_each(|value| *value &= mask);
            }
            Kind::Solarize => {
                let inverted = |value: &&mut u8| f32::from(**value) >= self.magnitude;
                pixels.iter_mut().filter(inverted).for_each(|value| *value = !*value);
            }
            Kind::AutoContrast => look_up(pixels, stretched),
            Kind::Equalize => look_up(pixels, equalized),
        }
    }

    /// `ImageEnhance`: from `other` (at magnitude -1) over each pixel (0) and beyond, cut to 0 to 255 and truncated.
    fn blend(self, pixels: &mut [u8], other: impl Fn(usize, [u8; 3]) -> [u8; 3]) {
        let factor = (1.0 + f64::from(self.magnitude)) as f32;
        for (i, pixel) in pixels.as_chunks_mut::<3>().0.iter_mut().enumerate() {
            let other = other(i, *pixel);
            for c in 0..3 {
                let (from, to) = (f32::from(other[c]), f32::from(pixel[c]));
                // A cast cuts to the range of a u8, and truncates.
                pixel[c] = (from + factor * (to - from)) as u8;
            }
        }
    }
}

/// ITU-R 601-2 luma, in Pillow's fixed-point numbers.
fn gray([red, green, blue]: [u8; 3]) -> u8 {
    let [red, green, blue] = [red, green, blue].map(u32::from);
    ((red * 19_595 + green * 38_470 + blue * 7_471 + 0x8000) >> 16) as u8
}

/// The matrix of `Image.rotate`: where pixels come from, (x, y) to (a x + b y + c, d x + e y + f).
fn rotation(degrees: f64, [rows, columns]: [usize; 2]) -> [f64; 6] {
    let rounded = |value: f64| (value * 1e15).round_ties_even() / 1e15;
    let (sin, cos) = (-degrees.rem_euclid(360.0).to_radians()).sin_cos();
    let (sin, cos) = (rounded(sin), rounded(cos));
    let [x, y] = [columns, rows].map(|side| side as f64 / 2.0);
    [cos, sin, x - cos * x - sin * y, -sin, cos, y + sin * x - cos * y]
}

/// The image whose pixels come from where `matrix` says, by Pillow's 16.16 fixed-point numbers.
fn moved(pixels: &[u8], [rows, columns]: [usize; 2], [a, b, c, d, e, f]: [f64; 6]) -> Vec<u8> {
    let fixed = |value: f64| (value * 65_536.0 + 0.5).floor() as i64;
    // A pixel's middle is half a pixel from its corner.
    let start = [fixed(c + 0.5 * (a + b)), fixed(f + 0.5 * (d + e))];
    let [a, b, d, e] = [a, b, d, e].map(fixed);
    let mut moved = vec![0; pixels.len()];
    for (y, row) in moved.chunks_exact_mut(columns * 3).enumerate() {
        for (x, pixel) in row.as_chunks_mut::<3>().0.iter_mut().enumerate() {
            let (x, y) = (x as i64, y as i64);
            let from = [start[0] + a * x + b * y, start[1] + d * x + e * y].map(|place| place >> 16);
            if (0..columns as i64).contains(&from[0]) && (0..rows as i64).contains(&from[1]) {
                let at = (from[1] as usize * columns + from[0] as usize) * 3;
                pixel.copy_from_slice(&pixels[at..at + 3]);
            }
        }
    }
    moved
}

/// Pillow's SMOOTH: a 3x3 mean in which the middle counts five times. The border stays as it is.
fn smoothed(pixels: &[u8], [rows, columns]: [usize; 2]) -> Vec<[u8; 3]> {
    let source = pixels.as_chunks::<3>().0;
    let mut smooth = source.to_vec();
    for y in 1..rows.saturating_sub(1) {
        for x in 1..columns.saturating_sub(1) {
            let at = y * columns + x;
            smooth[at] = std::array::from_fn(|c| {
                let around = |row: usize| (row - 1..=row + 1).map(|i| u32::from(source[i][c])).sum::<u32>();
                let sum = around(at - columns) + around(at) + around(at + columns) + 4 * u32::from(source[at][c]);
                // Rounded: sum / 13 is never half-way between two whole numbers.
                ((2 * sum + 13) / 26) as u8
            });
        }
    }
    smooth
}

/// Replaces the values of each channel by those of a table, which is made of how frequent they are.
fn look_up(pixels: &mut [u8], table: fn(&[u32; 256]) -> Option<[u8; 256]>) {
    for c in 0..3 {
        let mut frequent = [0; 256];
        pixels
            .as_chunks::<3>()
            .0
            .iter()
            .for_each(|pixel| frequent[usize::from(pixel[c])] += 1);
        if let Some(table) = table(&frequent) {
            let pixels = pixels.as_chunks_mut::<3>().0.iter_mut();
            pixels.for_each(|pixel| pixel[c] = table[usize::from(pixel[c])]);
        }
    }
}

/// `ImageOps.autocontrast`; `None`: nothing to change.
fn stretched(frequent: &[u32; 256]) -> Option<[u8; 256]> {
    let low = frequent.iter().position(|&count| count > 0)?;
    let high = frequent
        .iter()
        .rposition(|&count| count > 0)
        .filter(|high| *high > low)?;
    let scale = 255.0 / (high - low) as f64;
    let offset = -(low as f64) * scale;
    Some(std::array::from_fn(|value| (value as f64 * scale + offset) as u8))
}

/// `ImageOps.equalize`; `None`: nothing to change.
fn equalized(frequent: &[u32; 256]) -> Option<[u8; 256]> {
    let last = frequent.iter().copied().rfind(|&count| count > 0)?;
    let step = (frequent.iter().sum::<u32>() - last) / 255;
    if step == 0 {
        return None;
    }
    let mut sum = step / 2;
    Some(std::array::from_fn(|value| {
        let level = (sum / step).min(255) as u8;
        sum += frequent[value];
        level
    }))
}
