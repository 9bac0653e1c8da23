//! Whether two images look the same: a perceptual hash finds candidates, a thumbnail decides.

use std::collections::{BTreeMap, HashMap};

use image::RgbImage;

/// Bits of 64 by which the hashes of near duplicates may differ.
const NEAR_BITS: u32 = 7;

/// How much brighter (in grays of 0 to 255) the right one of two neighbors must be to set a bit. Without it, a plain
/// background's bits would follow nothing but the noise of compression.
const BRIGHTER: f64 = 1.0;

/// How alike (Pearson's correlation) the thumbnails of near duplicates must be.
const NEAR_CORRELATION: f64 = 0.98;

/// Sides of the thumbnail.
const SIDE: usize = 16;

/// Contrast (standard deviation of grays of 0 to 255) below which an image is flat: all such look alike.
const FLAT: f64 = 4.0;

/// What an image looks like, whatever its size.
pub(super) struct Look {
    /// dHash: the image as 9 x 8 mean grays; one bit for each pair of neighbors, whether the right one is brighter by
    /// more than [`BRIGHTER`].
    hash: u64,
    /// Mean grays of `SIDE` x `SIDE` parts.
    thumbnail: [u8; SIDE * SIDE],
}

impl Look {
    pub(super) fn of(image: &RgbImage) -> Look {
        let grays = mean_grays(image, 9, 8);
        let brighter = grays
            .chunks(9)
            .flat_map(|row| row.windows(2).map(|pair| pair[1] - pair[0] > BRIGHTER));
        let hash = brighter.fold(0, |hash, bit| hash << 1 | u64::from(bit));
        let mut thumbnail = [0; SIDE * SIDE];
        let grays = mean_grays(image, SIDE, SIDE);
        thumbnail
            .iter_mut()
            .zip(grays)
            .for_each(|(to, gray)| *to = gray.round() as u8);
        Look { hash, thumbnail }
    }

    fn is_near(&self, other: &Look) -> bool {
        (self.hash ^ other.hash).count_ones() <= NEAR_BITS
            && correlation(&self.thumbnail, &other.thumbnail) >= NEAR_CORRELATION
    }

    fn is_flat(&self) -> bool {
        covariance(&self.thumbnail, &self.thumbnail) < FLAT * FLAT
    }
}

/// The mean of all channels in each of `columns` x `rows` parts, row by row.
fn mean_grays(image: &RgbImage, columns: usize, rows: usize) -> Vec<f64> {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let raw = image.as_raw();
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

fn covariance(a: &[u8], b: &[u8]) -> f64 {
    let (mut sum_a, mut sum_b, mut products) = (0u64, 0u64, 0u64);
    for (&x, &y) in a.iter().zip(b) {
        sum_a += u64::from(x);
        sum_b += u64::from(y);
        products += u64::from(x) * u64::from(y);
    }
    let n = a.len() as f64;
    products as f64 / n - (sum_a as f64 / n) * (sum_b as f64 / n)
}

fn correlation(a: &[u8], b: &[u8]) -> f64 {
    covariance(a, b) / (covariance(a, a) * covariance(b, b)).sqrt()
}

/// Groups of images that look the same, by the number that stands beside each. Two hashes at most [`NEAR_BITS`] apart
/// agree in at least one of eight 8-bit parts, since seven bits cannot spoil eight; so only hashes that share a part
/// are compared.
pub(super) fn near_groups(looks: &[(usize, &Look)]) -> Vec<Vec<usize>> {
    let mut leader: Vec<usize> = (0..looks.len()).collect();
    fn find(leader: &mut [usize], mut i: usize) -> usize {
        while leader[i] != i {
            leader[i] = leader[leader[i]];
            i = leader[i];
        }
        i
    }
    for part in 0..8 {
        let mut buckets: HashMap<u8, Vec<usize>> = HashMap::new();
        for (i, (_, look)) in looks.iter().enumerate() {
            if !look.is_flat() {
                buckets.entry((look.hash >> (part * 8)) as u8).or_default().push(i);
            }
        }
        for bucket in buckets.values() {
            for (at, &i) in bucket.iter().enumerate() {
                for &j in &bucket[at + 1..] {
                    if looks[i].1.is_near(looks[j].1) {
                        let (a, b) = (find(&mut leader, i), find(&mut leader, j));
                        leader[a.max(b)] = a.min(b);
                    }
                }
            }
        }
    }
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (i, look) in looks.iter().enumerate() {
        groups.entry(find(&mut leader, i)).or_default().push(look.0);
    }
    groups.into_values().filter(|group| group.len() > 1).collect()
}
