//! Batches of mixed images: mixup (Zhang et al. 2018) and CutMix (Yun et al. 2019), as torchvision does them. Each
//! image is mixed with the one before it in its batch, and its target with the other's in the same proportion.

use super::random::Random;
use crate::targets::Targets;

/// What is mixed, and how much of each image is its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mixture {
    /// All values, of which this share is the image's own.
    Mixup(f32),
    /// A rectangle is another image's.
    CutMix {
        /// Its rows, from and to.
        rows: [usize; 2],
        /// Its columns.
        columns: [usize; 2],
    },
}

impl Mixture {
    /// Draws for a batch of images of `[rows, columns]`; `mixup` and `cutmix` are the alphas of Beta distributions of
    /// the own share, and 0 for none of this kind. Of both kinds, one in two.
    pub(crate) fn draw(mixup: f32, cutmix: f32, size: [usize; 2], random: &mut Random) -> Option<Mixture> {
        let first = random.unit() < 0.5;
        match (mixup > 0.0, cutmix > 0.0) {
            (false, false) => None,
            (true, second) if !second || first => Some(Mixture::Mixup(beta(f64::from(mixup), random) as f32)),
            _ => {
                let share = beta(f64::from(cutmix), random);
                let middle = size.map(|side| random.below(side));
                Some(Mixture::rectangle(share, middle, size))
            }
        }
    }

    /// The rectangle about `middle` that leaves this share of an image of `[rows, columns]`, where it does not extend
    /// beyond the border.
    pub fn rectangle(share: f64, middle: [usize; 2], size: [usize; 2]) -> Mixture {
        let half = 0.5 * (1.0 - share).sqrt();
        let [rows, columns] = [0, 1].map(|axis| {
            let reach = (half * size[axis] as f64) as usize;
            [
                middle[axis].saturating_sub(reach),
                (middle[axis] + reach).min(size[axis]),
            ]
        });
        Mixture::CutMix { rows, columns }
    }

    /// Mixes images `[n, rows, columns, 3]` of the classes `labels` in place, and gives their targets.
    pub fn apply(self, pixels: &mut [f32], size: [usize; 2], labels: &[usize], classes: usize) -> Targets {
        let each = size[0] * size[1] * 3;
        let last = pixels[pixels.len() - each..].to_vec();
        // From the end, where the one before is still unmixed.
        for i in (0..labels.len()).rev() {
            let (before, own) = pixels.split_at_mut(i * each);
            let other = if i == 0 { &last } else { &before[(i - 1) * each..] };
            self.one(&mut own[..each], other, size[1]);
        }
        let own = self.own(size);
        let mut values = vec![0.0; labels.len() * classes];
        for (i, row) in values.chunks_mut(classes).enumerate() {
            row[labels[i]] += own;
            row[labels[(i + labels.len() - 1) % labels.len()]] += 1.0 - own;
        }
        Targets::Distributions { classes, values }
    }

    fn one(self, own: &mut [f32], other: &[f32], width: usize) {
        match self {
            Mixture::Mixup(share) => {
                let pairs = own.iter_mut().zip(other);
                pairs.for_each(|(own, other)| *own = *own * share + *other * (1.0 - share));
            }
            Mixture::CutMix { rows, columns } => {
                for row in rows[0]..rows[1] {
                    let part = (row * width + columns[0]) * 3..(row * width + columns[1]) * 3;
                    own[part.clone()].copy_from_slice(&other[part]);
                }
            }
        }
    }

    /// The share of the image that is its own.
    fn own(self, [height, width]: [usize; 2]) -> f32 {
        match self {
            Mixture::Mixup(share) => share,
            Mixture::CutMix { rows, columns } => {
                let cut = (rows[1] - rows[0]) * (columns[1] - columns[0]);
                1.0 - cut as f32 / (height * width) as f32
            }
        }
    }
}

/// A draw from Beta(alpha, alpha).
fn beta(alpha: f64, random: &mut Random) -> f64 {
    let [one, other] = [log_gamma(alpha, random), log_gamma(alpha, random)];
    1.0 / (1.0 + (other - one).exp())
}

/// The logarithm of a draw from Gamma(alpha), which may be smaller than any f64 is.
fn log_gamma(alpha: f64, random: &mut Random) -> f64 {
    // Marsaglia and Tsang 2000, section 6: that of alpha + 1, times a power of a uniform draw.
    let power = (1.0 - random.unit_f64()).ln() / alpha;
    gamma(alpha + 1.0, random).ln() + power
}

/// A draw from Gamma(alpha), for an alpha of 1 and more (Marsaglia and Tsang 2000).
fn gamma(alpha: f64, random: &mut Random) -> f64 {
    let d = alpha - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = normal(random);
        let v = (1.0 + c * x).powi(3);
        let u = 1.0 - random.unit_f64();
        if v > 0.0 && u.ln() < 0.5 * x * x + d - d * v + d * v.ln() {
            return d * v;
        }
    }
}

/// A draw from the standard normal distribution (Box and Muller 1958).
fn normal(random: &mut Random) -> f64 {
    let radius = (-2.0 * (1.0 - random.unit_f64()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.unit_f64()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_have_the_mean_and_the_variance_of_their_distribution() {
        for alpha in [0.001, 0.2, 1.0, 3.0] {
            let mut random = Random(1);
            let drawn: Vec<_> = (0..20_000).map(|_| beta(alpha, &mut random)).collect();
            let mean = drawn.iter().sum::<f64>() / drawn.len() as f64;
            let variance = drawn.iter().map(|share| (share - mean).powi(2)).sum::<f64>() / drawn.len() as f64;
            assert!((mean - 0.5).abs() < 0.01, "{alpha}: {mean}");
            assert!(
                (variance - 0.25 / (2.0 * alpha + 1.0)).abs() < 0.01,
                "{alpha}: {variance}"
            );
        }
    }

    #[test]
    fn images_and_targets_are_mixed_in_the_same_proportion() {
        // Three images of 2 x 2 whose values are 1, 2 and 4.
        let images = || [1.0, 2.0, 4.0].map(|value: f32| [value; 12]).concat();
        let mut pixels = images();
        let targets = Mixture::Mixup(0.75).apply(&mut pixels, [2, 2], &[0, 1, 1], 2);
        assert_eq!(
            pixels.chunks(12).map(|image| image[5]).collect::<Vec<_>>(),
            [1.75, 1.75, 3.5]
        );
        let values = vec![0.75, 0.25, 0.25, 0.75, 0.0, 1.0];
        assert_eq!(targets, Targets::Distributions { classes: 2, values });

        let mut pixels = images();
        let cut = Mixture::rectangle(0.0, [0, 1], [2, 2]);
        assert_eq!(
            cut,
            Mixture::CutMix {
                rows: [0, 1],
                columns: [0, 2]
            }
        );
        let targets = cut.apply(&mut pixels, [2, 2], &[0, 1, 1], 2);
        assert_eq!(pixels[..12], [[4.0; 6], [1.0; 6]].concat());
        let values = vec![0.5, 0.5, 0.5, 0.5, 0.0, 1.0];
        assert_eq!(targets, Targets::Distributions { classes: 2, values });
    }
}
