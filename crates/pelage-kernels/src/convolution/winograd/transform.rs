//! The transforms of F(4x4, 3x3), one column at a time, by points 0, plus and minus a, plus and minus b, and infinity.
//!
//! Lavin and Gray 2016 (section 4.2) take a = 1 and b = 2, which costs five times the rounding error of the definition. With
//! `a = 1 / sqrt(2)` and `b = sqrt(2)` it is twice that error: the powers of the points grow less, and `ab = 1` leaves most
//! factors powers of two. Eleven pairs were compared on random numbers; the transforms cost the same for any.

use std::f32::consts::{FRAC_1_SQRT_2 as A, SQRT_2 as B};

use crate::convolution::vector::Vector;

/// `G` times a column of three: at each point the value of the polynomial with these coefficients, over the product of the
/// point's distances to the others.
pub(super) fn weights([a, b, c]: [f32; 3]) -> [f32; 6] {
    let (even, odd) = (a + c / 2.0, b * A);
    let (even_b, odd_b) = (a + c * 2.0, b * B);
    [
        a,
        (even + odd) / -1.5,
        (even - odd) / -1.5,
        (even_b + odd_b) / 6.0,
        (even_b - odd_b) / 6.0,
        c,
    ]
}

/// `B'` times a column of six.
///
/// # Safety
/// Compiled for the instruction set of `V`.
#[inline(always)]
pub(super) unsafe fn patch<V: Vector>(d: [V; 6]) -> [V; 6] {
    // SAFETY: the caller's promise.
    unsafe {
        let [two, half, both] = [V::splat(-2.0), V::splat(-0.5), V::splat(-2.5)];
        let (even, odd) = (d[4].multiply_add(two, d[2]), d[3].multiply_add(two, d[1]));
        let (even_b, odd_b) = (d[4].multiply_add(half, d[2]), d[3].multiply_add(half, d[1]));
        [
            d[0].add(d[4]).multiply_add(both, d[2]),
            even.multiply_add(V::splat(A), odd),
            even.multiply_add(V::splat(-A), odd),
            even_b.multiply_add(V::splat(B), odd_b),
            even_b.multiply_add(V::splat(-B), odd_b),
            d[1].add(d[5]).multiply_add(both, d[3]),
        ]
    }
}

/// `A'` times a column of six.
///
/// # Safety
/// Compiled for the instruction set of `V`.
#[inline(always)]
pub(super) unsafe fn outputs<V: Vector>(m: [V; 6]) -> [V; 4] {
    // SAFETY: the caller's promise.
    unsafe {
        let zero = V::splat(0.0);
        let (even, odd) = (m[1].add(m[2]), m[1].sub(m[2]));
        let (even_b, odd_b) = (m[3].add(m[4]), m[3].sub(m[4]));
        [
            m[0].add(even.add(even_b)),
            zero.multiply_add(V::splat(A), odd).multiply_add(V::splat(B), odd_b),
            zero.multiply_add(V::splat(0.5), even)
                .multiply_add(V::splat(2.0), even_b),
            m[5].multiply_add(V::splat(A / 2.0), odd)
                .multiply_add(V::splat(B * 2.0), odd_b),
        ]
    }
}
