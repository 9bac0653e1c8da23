//! Numbers to draw traits from: SplitMix64, whole numbers only until the end, so the same on every platform.

use pelage_kernels::split_mix;

/// A stream of draws.
pub(super) struct Random(u64);

impl Random {
    /// A stream of its own for every key.
    pub(super) fn new(key: [u64; 3]) -> Self {
        let step = |state: u64, part: u64| split_mix::hash(state ^ part);
        Random(key.into_iter().fold(0, step))
    }

    fn next(&mut self) -> u64 {
        split_mix::next(&mut self.0)
    }

    /// 0 to 1, the end excluded.
    pub(super) fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 24) as f32
    }

    /// Between the two.
    pub(super) fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// Up to `most` either way.
    pub(super) fn around(&mut self, most: f32) -> f32 {
        self.range(-most, most)
    }

    /// True with this probability.
    pub(super) fn chance(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }

    /// A whole number from `low` to `high`, both included.
    pub(super) fn count(&mut self, low: usize, high: usize) -> usize {
        low + (self.next() % (high - low + 1) as u64) as usize
    }

    /// One of a few, all as likely.
    pub(super) fn pick<T: Copy>(&mut self, among: &[T]) -> T {
        among[self.count(0, among.len() - 1)]
    }
}
