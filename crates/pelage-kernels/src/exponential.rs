//! The exponential function, as loops over many values want it.

use crate::isa::multiply_add;

/// Branchless exp(x): 2^n times a polynomial of the remainder, with the coefficients of Cephes' expf (Moshier). Results
/// saturate at the smallest and largest normal number; NaN propagates.
#[inline(always)]
pub(crate) fn exp<const FUSED: bool>(x: f32) -> f32 {
    /// Adding and subtracting 1.5 * 2^23 rounds to an integer.
    const ROUND: f32 = 12_582_912.0;
    let x = if x < -87.3 { -87.3 } else { x };
    let x = if x > 88.3 { 88.3 } else { x };
    let shifted = multiply_add::<FUSED>(x, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = multiply_add::<FUSED>(n, -0.693_359_4, x);
    let r = multiply_add::<FUSED>(n, 2.121_944_4e-4, r);
    let mut p = 1.987_569_1e-4;
    for coefficient in [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5, 1.0, 1.0] {
        p = multiply_add::<FUSED>(p, r, coefficient);
    }
    // The low bits of `shifted` are n; added to the exponent, they scale by 2^n.
    p * f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3f80_0000))
}
