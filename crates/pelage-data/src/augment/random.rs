//! A stream of draws, a function of its seed.

use pelage_kernels::split_mix;

/// The stream.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// 0 to 1, without 1.
    pub(crate) fn unit(&mut self) -> f32 {
        (split_mix::next(&mut self.0) >> 40) as f32 / (1u64 << 24) as f32
    }

    /// Up to `range` either way.
    pub(crate) fn symmetric(&mut self, range: f32) -> f32 {
        (2.0 * self.unit() - 1.0) * range
    }
}

#[cfg(feature = "files")]
impl Random {
    /// 0 to 1, without 1, as an f64.
    pub(crate) fn unit_f64(&mut self) -> f64 {
        (split_mix::next(&mut self.0) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Between two numbers.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit_f64()
    }

    /// A whole number below `end`, which is above 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        ((self.unit_f64() * end as f64) as usize).min(end - 1)
    }
}
