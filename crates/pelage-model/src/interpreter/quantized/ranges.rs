//! The ranges of maps, learnt from images: those that lose least of the values, in the mean of squares.

use pelage_kernels::split_mix;

/// The numbers that bytes stand for: `low` at most 0, `high` at least 0, and 0 is one of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Range {
    low: f32,
    high: f32,
}

impl Range {
    /// # Errors
    /// If 0 is not within, or the numbers are none to compute with.
    pub(super) fn new(low: f32, high: f32) -> Result<Range, String> {
        let sound = (-1e15..=0.0).contains(&low) && (0.0..=1e15).contains(&high);
        match sound && (high - low > 1e-15 || high == low) {
            true => Ok(Range { low, high }),
            false => Err(format!("the range {low} to {high} of a map cannot be meant")),
        }
    }

    /// What one step between bytes means.
    pub(super) fn scale(self) -> f32 {
        match self.high > self.low {
            true => (self.high - self.low) / 255.0,
            false => 1.0,
        }
    }

    /// The byte that means 0.
    pub(super) fn zero(self) -> u8 {
        (-self.low / self.scale()).round_ties_even().clamp(0.0, 255.0) as u8
    }

    /// The byte that is nearest to `value`.
    pub(super) fn byte(self, value: f32) -> u8 {
        ((value / self.scale()).round_ties_even() + f32::from(self.zero())).clamp(0.0, 255.0) as u8
    }

    /// What a byte means.
    pub(super) fn value(self, byte: u8) -> f32 {
        (f32::from(byte) - f32::from(self.zero())) * self.scale()
    }

    pub(super) fn ends(self) -> [f32; 2] {
        [self.low, self.high]
    }

    /// The sum of squares of what `samples` lose.
    fn loss(self, samples: &[f32]) -> f64 {
        let (scale, zero) = (self.scale(), f32::from(self.zero()));
        let [factor, least, most] = [1.0 / scale, -zero, 255.0 - zero];
        let lost = samples.iter().map(|&value| {
            let lost = value - (value * factor).round_ties_even().clamp(least, most) * scale;
            lost * lost
        });
        lost.map(f64::from).sum()
    }
}

/// Values of a map in one image.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    low: f32,
    high: f32,
    samples: Vec<f32>,
}

/// Values that are looked at more closely, of each map and image.
const SAMPLES: usize = 400;

/// Parts of the full range that are tried, on either side.
const SHARES: [f32; 14] = [
    1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5, 0.45, 0.4, 0.35,
];

impl Seen {
    /// Of `values`, drawn by `seed`.
    pub(super) fn of(values: &[f32], mut seed: u64) -> Seen {
        let mut draw = || values[(split_mix::next(&mut seed) % values.len().max(1) as u64) as usize];
        Seen {
            low: values.iter().copied().fold(0.0, f32::min),
            high: values.iter().copied().fold(0.0, f32::max),
            samples: (0..SAMPLES.min(values.len())).map(|_| draw()).collect(),
        }
    }

    /// The range for what was seen in all images.
    ///
    /// # Errors
    /// If values are none to compute with.
    pub(super) fn range(images: impl Iterator<Item = Seen>) -> Result<Range, String> {
        let all = images.reduce(|mut all, one| {
            all.samples.extend(one.samples);
            (all.low, all.high) = (all.low.min(one.low), all.high.max(one.high));
            all
        });
        let Seen { low, high, samples } = all.ok_or("no image to learn the ranges of maps from")?;
        let full = Range::new(low, high)?;
        let (mut best, mut least) = (full, full.loss(&samples));
        for share in SHARES {
            for other in SHARES.into_iter().filter(|&other| low < 0.0 || other == 1.0) {
                let Ok(range) = Range::new(low * other, high * share) else {
                    continue;
                };
                let loss = range.loss(&samples);
                if loss < least {
                    (best, least) = (range, loss);
                }
            }
        }
        Ok(best)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_a_byte_and_the_ends_are_bytes() {
        for (low, high, zero) in [
            (0.0, 6.0, 0),
            // Half a step from both of its neighbours.
            (-1.0, 1.0, 127),
            (-2.0, 0.0, 255),
            (0.0, 0.0, 0),
            (-0.3, 5.0, 14),
        ] {
            let range = Range::new(low, high).unwrap();
            assert_eq!(range.zero(), zero, "{low} {high}");
            assert_eq!(range.value(zero), 0.0);
            assert_eq!(range.byte(0.0), zero);
            assert!(high == low || (range.value(255) - high).abs() <= range.scale() / 2.0 + 1e-6);
        }
        for (low, high) in [
            (0.1, 1.0),
            (-1.0, -0.5),
            (f32::NAN, 1.0),
            (0.0, f32::INFINITY),
            (0.0, 1e-20),
        ] {
            assert!(Range::new(low, high).is_err(), "{low} {high}");
        }
    }

    #[test]
    fn a_rare_value_far_away_does_not_cost_all_others_their_steps() {
        let mut values: Vec<f32> = (0..100_000).map(|i| i as f32 / 100_000.0).collect();
        let range = |values: &[f32]| Seen::range((0..50).map(|seed| Seen::of(values, seed))).unwrap();
        assert_eq!(range(&values).ends(), [0.0, 0.99999]);
        values.push(3.0);
        let [low, high] = range(&values).ends();
        assert!(low == 0.0 && (1.0..2.0).contains(&high), "{high}");
        assert!(Seen::range(std::iter::empty()).is_err());
    }
}
