//! F(2x2, 3x3) (Lavin and Gray 2016, section 4.1): four outputs for 16 multiply-adds, by points 0, 1, -1 and infinity.

use crate::convolution::vector::Vector;

/// `G` times a column of three.
pub(super) fn weights([a, b, c]: [f32; 3]) -> [f32; 4] {
    [a, (a + b + c) / 2.0, (a - b + c) / 2.0, c]
}

/// `B'` times a column of four.
///
/// # Safety
/// Compiled for the instruction set of `V`.
#[inline(always)]
pub(super) unsafe fn patch<V: Vector>(d: [V; 4]) -> [V; 4] {
    // SAFETY: the caller's promise.
    unsafe { [d[0].sub(d[2]), d[1].add(d[2]), d[2].sub(d[1]), d[1].sub(d[3])] }
}

/// `A'` times a column of four.
///
/// # Safety
/// Compiled for the instruction set of `V`.
#[inline(always)]
pub(super) unsafe fn outputs<V: Vector>(m: [V; 4]) -> [V; 2] {
    // SAFETY: the caller's promise.
    unsafe { [m[0].add(m[1].add(m[2])), m[1].sub(m[2]).sub(m[3])] }
}
