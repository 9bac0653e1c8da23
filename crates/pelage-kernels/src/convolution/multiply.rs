//! The innermost loop of a convolution: a register tile of pixels by channels takes in the window value by value.

use crate::vector::{Simd, Vector};

/// Values of the window in one iteration.
const UNROLL: usize = 4;

/// `len` values of each of `P` pixels times their weights `[len][N vectors]`.
///
/// # Safety
/// `len` values may be read at all `values`, `len` times N vectors at `weights`.
#[inline(always)]
pub(super) unsafe fn multiply<V: Vector, const N: usize, const P: usize>(
    simd: Simd<V>,
    values: [*const f32; P],
    len: usize,
    weights: *const f32,
    mut sums: [[V; N]; P],
) -> [[V; N]; P] {
    // Few enough iterations for the processor to predict the last one.
    let whole = len - len % UNROLL;
    // SAFETY: the caller's promise, and k stays under `len`.
    unsafe {
        let mut k = 0;
        while k < whole {
            for i in 0..UNROLL {
                step(simd, values, weights, k + i, &mut sums);
            }
            k += UNROLL;
        }
        while k < len {
            step(simd, values, weights, k, &mut sums);
            k += 1;
        }
    }
    sums
}

/// Value `k` of each pixel times its weights.
///
/// # Safety
/// More than `k` values may be read at all `values`, more than `k` times N vectors at `weights`.
#[inline(always)]
unsafe fn step<V: Vector, const N: usize, const P: usize>(
    simd: Simd<V>,
    values: [*const f32; P],
    weights: *const f32,
    k: usize,
    sums: &mut [[V; N]; P],
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut row = [V::splat(simd, 0.0); N];
        for n in 0..N {
            row[n] = V::load_at(simd, weights.add((k * N + n) * V::LANES));
        }
        for p in 0..P {
            let value = V::splat(simd, *values[p].add(k));
            for n in 0..N {
                sums[p][n] = sums[p][n].multiply_add(value, row[n]);
            }
        }
    }
}
