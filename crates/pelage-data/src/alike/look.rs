//! Whether two images look the same: a perceptual hash finds candidates, a thumbnail decides.

use image::RgbImage;

/// Bits of 64 by which the hashes of near duplicates may differ.
pub(crate) const NEAR_BITS: u32 = 7;

/// How much brighter (in grays of 0 to 255) the right one of two neighbors must be to set a bit. Without it, a plain
/// background's bits would follow nothing but the noise of compression.
const BRIGHTER: f64 = 1.0;

/// How alike (Pearson's correlation) the thumbnails of near duplicates must be.
pub(crate) const NEAR_CORRELATION: f64 = 0.98;

/// Sides of the thumbnail.
const SIDE: usize = 16;

/// Sides of what is compared before thumbnails are.
const COARSE: usize = 4;

/// How far apart, squared, thumbnails of length 1 are whose correlation is [`NEAR_CORRELATION`]: twice what that lacks
/// of 1. And some more, for rounding.
const NEAR_DISTANCE: f32 = 2.0 * (1.0 - NEAR_CORRELATION as f32) + 1e-4;

/// Contrast (standard deviation of grays of 0 to 255) below which an image is flat: all such look alike.
const FLAT: f64 = 4.0;

/// What an image looks like, whatever its size.
#[derive(Clone)]
pub struct Look {
    /// dHash: the image as 9 x 8 mean grays; one bit for each pair of neighbors, whether the right one is brighter by
    /// more than [`BRIGHTER`].
    pub(crate) hash: u64,
    /// Mean grays of `SIDE` x `SIDE` parts.
    thumbnail: [u8; SIDE * SIDE],
    /// The mean of these, and how much they differ from it, in mean squares.
    mean: f64,
    variance: f64,
    /// The sum of each of `COARSE` x `COARSE` squares of the thumbnail after it was brought to mean 0 and length 1,
    /// over the root of what each sums: a projection, so that of two images these are no farther apart than those.
    coarse: [f32; COARSE * COARSE],
}

impl Look {
    pub(crate) fn of(image: &RgbImage) -> Look {
        Look::of_pixels(image.as_raw(), [image.width(), image.height()])
    }

    /// Of the RGB pixels of an image of this width and height.
    pub(crate) fn of_pixels(pixels: &[u8], size: [u32; 2]) -> Look {
        let grays = mean_grays(pixels, size, 9, 8);
        let brighter = grays
            .chunks(9)
            .flat_map(|row| row.windows(2).map(|pair| pair[1] - pair[0] > BRIGHTER));
        let hash = brighter.fold(0, |hash, bit| hash << 1 | u64::from(bit));
        let mut thumbnail = [0; SIDE * SIDE];
        let grays = mean_grays(pixels, size, SIDE, SIDE);
        thumbnail
            .iter_mut()
            .zip(grays)
            .for_each(|(to, gray)| *to = gray.round() as u8);
        Look::new(hash, thumbnail)
    }

    pub(crate) fn new(hash: u64, thumbnail: [u8; SIDE * SIDE]) -> Look {
        let count = thumbnail.len() as f64;
        let sum: u32 = thumbnail.iter().map(|&gray| u32::from(gray)).sum();
        let mean = f64::from(sum) / count;
        let variance = products(&thumbnail, &thumbnail) / count - mean * mean;
        let side = SIDE / COARSE;
        let scale = (count * variance).sqrt() * side as f64;
        let mut coarse = [0.0; COARSE * COARSE];
        for (at, &gray) in thumbnail.iter().enumerate() {
            let square = at / SIDE / side * COARSE + at % SIDE / side;
            coarse[square] += ((f64::from(gray) - mean) / scale) as f32;
        }
        Look {
            hash,
            thumbnail,
            mean,
            variance,
            coarse,
        }
    }

    /// As text: the hash and the thumbnail in hexadecimal digits.
    pub fn to_text(&self) -> String {
        let digits = self.thumbnail.iter().map(|gray| format!("{gray:02x}"));
        format!("{:016x}{}", self.hash, digits.collect::<String>())
    }

    /// The same read back; none where it is no such text.
    pub fn of_text(text: &str) -> Option<Look> {
        if text.len() != 16 + 2 * SIDE * SIDE || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let hash = u64::from_str_radix(&text[..16], 16).ok()?;
        let mut thumbnail = [0; SIDE * SIDE];
        for (gray, at) in thumbnail.iter_mut().zip((16..).step_by(2)) {
            *gray = u8::from_str_radix(&text[at..at + 2], 16).ok()?;
        }
        Some(Look::new(hash, thumbnail))
    }

    pub(crate) fn is_near(&self, other: &Look) -> bool {
        (self.hash ^ other.hash).count_ones() <= NEAR_BITS
            && self.coarse_distance(other) <= NEAR_DISTANCE
            && self.correlation(other) >= NEAR_CORRELATION
    }

    fn coarse_distance(&self, other: &Look) -> f32 {
        let squares = self.coarse.iter().zip(&other.coarse);
        squares.map(|(a, b)| (a - b) * (a - b)).sum()
    }

    pub(crate) fn correlation(&self, other: &Look) -> f64 {
        let products = products(&self.thumbnail, &other.thumbnail);
        let covariance = products / self.thumbnail.len() as f64 - self.mean * other.mean;
        covariance / (self.variance * other.variance).sqrt()
    }

    pub(crate) fn is_flat(&self) -> bool {
        self.variance < FLAT * FLAT
    }
}

/// The sum of the products of grays.
fn products(a: &[u8; SIDE * SIDE], b: &[u8; SIDE * SIDE]) -> f64 {
    // At most 256 times 255 squared.
    // By way of i16, of which processors multiply and add pairs.
    let product = |(&x, &y): (&u8, &u8)| i32::from(i16::from(x)) * i32::from(i16::from(y));
    let sum: i32 = a.iter().zip(b).map(product).sum();
    f64::from(sum)
}

/// The mean of all channels in each of `columns` x `rows` parts, row by row.
fn mean_grays(raw: &[u8], size: [u32; 2], columns: usize, rows: usize) -> Vec<f64> {
    let [width, height] = size.map(|side| side as usize);
    let part = |i: usize, parts: usize, side: usize| {
        let from = i * side / parts;
        from..((i + 1) * side / parts).max(from + 1)
    };
    let mut grays = Vec::with_capacity(columns * rows);
    for row in 0..rows {
        let rows = part(row, rows, height);
        for column in 0..columns {
            let columns = part(column, columns, width);
            let line = |y: usize| &raw[(y * width + columns.start) * 3..(y * width + columns.end) * 3];
            let sum: u64 = rows
                .clone()
                .map(|y| line(y).iter().map(|&v| u64::from(v)).sum::<u64>())
                .sum();
            grays.push(sum as f64 / (rows.len() * columns.len() * 3) as f64);
        }
    }
    grays
}
