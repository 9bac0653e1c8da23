//! Helpers shared by the kernel tests.
#![allow(dead_code, reason = "not every test uses all of it")]

use pelage_kernels::convolution::{Activation, Geometry};

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

/// Calls `each` with the indices of output, input and weight for every product of the definition.
pub(crate) fn products(g: &Geometry, mut each: impl FnMut(usize, usize, usize)) {
    let (oh, ow, ci, co) = (g.output_height(), g.output_width(), g.in_channels, g.out_channels);
    let (cig, cog) = (ci / g.groups, co / g.groups);
    for n in 0..g.batch {
        for oy in 0..oh {
            for ox in 0..ow {
                for o in 0..co {
                    for c in 0..cig {
                        for ky in 0..g.kernel[0] {
                            for kx in 0..g.kernel[1] {
                                let y = (oy * g.stride[0] + ky).wrapping_sub(g.padding[0]);
                                let x = (ox * g.stride[1] + kx).wrapping_sub(g.padding[1]);
                                if y < g.height && x < g.width {
                                    each(
                                        ((n * oh + oy) * ow + ox) * co + o,
                                        ((n * g.height + y) * g.width + x) * ci + o / cog * cig + c,
                                        ((o * cig + c) * g.kernel[0] + ky) * g.kernel[1] + kx,
                                    );
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What an activation makes of `x`.
pub(crate) fn activated(activation: Activation, x: f64) -> f64 {
    match activation {
        Activation::None => x,
        Activation::Relu => x.max(0.0),
        Activation::Relu6 => x.clamp(0.0, 6.0),
        Activation::Silu => x / (1.0 + (-x).exp()),
        Activation::HardSwish => x * (x / 6.0 + 0.5).clamp(0.0, 1.0),
        Activation::Gelu => x * (1.0 + erf(x * std::f64::consts::FRAC_1_SQRT_2)) / 2.0,
    }
}

/// The error function by its series of positive terms (Abramowitz and Stegun 1964, formula 7.1.6).
fn erf(x: f64) -> f64 {
    if x.abs() > 6.0 {
        return x.signum();
    }
    let (mut term, mut sum) = (x, x);
    for n in 1..200 {
        term *= 2.0 * x * x / f64::from(2 * n + 1);
        sum += term;
    }
    std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp() * sum
}
