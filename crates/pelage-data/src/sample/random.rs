//! Random numbers for traits: SplitMix64 in integer arithmetic, so the same on every platform.

use pelage_kernels::split_mix;

/// A stream of random numbers.
pub(super) struct Random(u64);

impl Random {
    /// An independent stream for every key.
    pub(super) fn new(key: [u64; 3]) -> Self {
        let step = |state: u64, part: u64| split_mix::hash(state ^ part);
        Random(key.into_iter().fold(0, step))
    }

    fn next(&mut self) -> u64 {
        split_mix::next(&mut self.0)
    }

    /// Uniform in 0 to 1, excluding 1.
    pub(super) fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 24) as f32
    }

    /// Uniform between `low` and `high`.
    pub(super) fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// Uniform between `-most` and `most`.
    pub(super) fn around(&mut self, most: f32) -> f32 {
        self.range(-most, most)
    }

    /// True with this probability.
    pub(super) fn chance(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }

    /// An integer from `low` to `high`, inclusive.
    pub(super) fn count(&mut self, low: usize, high: usize) -> usize {
        low + (self.next() % (high - low + 1) as u64) as usize
    }

    /// One of `among`, with equal probability.
    pub(super) fn pick<T: Copy>(&mut self, among: &[T]) -> T {
        among[self.count(0, among.len() - 1)]
    }
}
