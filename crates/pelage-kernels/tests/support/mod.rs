//! Helpers shared by the kernel tests.
#![allow(dead_code, reason = "not every test uses all of it")]

/// Numbers from -0.5 to 0.5, determined by the seed.
pub(crate) fn noise(seed: u64, len: usize) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    (0..len).map(|_| next()).collect()
}

/// The typical size of a sum of this many products of [`noise`], which rounding errors are compared with, since some
/// sums happen to be almost zero.
pub(crate) fn usual_sum(terms: usize) -> f64 {
    // The variance of a value from -0.5 to 0.5 is 1/12.
    (terms as f64).sqrt() / 12.0
}

/// Panics if a difference exceeds `tolerance` times the larger of the largest value and [`usual_sum`] of `terms`.
#[track_caller]
pub(crate) fn assert_near(what: &str, ours: &[f32], truth: &[f64], terms: usize, tolerance: f64) {
    assert_eq!(ours.len(), truth.len(), "{what}: length");
    let least = usual_sum(terms).max(1e-3);
    let scale = truth.iter().fold(least, |m: f64, v| m.max(v.abs()));
    for (i, (a, b)) in ours.iter().zip(truth).enumerate() {
        // Written so that NaN fails.
        let near = (f64::from(*a) - b).abs() <= tolerance * scale;
        assert!(near, "{what} at {i}: {a} instead of {b}, where the largest is {scale}");
    }
}
