//! Timing, and input values for it.

use std::time::Instant;

/// The median duration of `work` in seconds: over at least 5 runs, and more until they have taken `enough` seconds,
/// after one warm-up run.
pub(super) fn median_seconds(enough: f64, mut work: impl FnMut()) -> f64 {
    work();
    let (begin, mut seconds) = (Instant::now(), Vec::new());
    while seconds.len() < 5 || begin.elapsed().as_secs_f64() < enough {
        let start = Instant::now();
        work();
        seconds.push(start.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

/// Values from -0.5 to 0.5, the same at every call with this seed.
pub(super) fn noise(seed: u64, len: usize) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    (0..len).map(|_| next()).collect()
}
