//! The innermost loop of a convolution: accumulates the window, value by value, into a register tile of pixels by
//! channels.

use crate::vector::{Simd, Vector};

/// Window values per iteration. Compiled for WebAssembly, more than one is computed by as many dependent operations at
/// once, for which there are too few registers; engines unroll the loop.
const UNROLL: usize = if cfg!(target_arch = "wasm32") { 1 } else { 4 };

/// `len` values of each of `P` pixels times their weights `[len][N vectors]`.
///
/// # Safety
/// `len` values must be readable at each of `values`, and `len` times N vectors at `weights`.
#[inline(always)]
pub(super) unsafe fn multiply<V: Vector, const N: usize, const P: usize>(
    simd: Simd<V>,
    values: [*const f32; P],
    len: usize,
    weights: *const f32,
    mut sums: [[V; N]; P],
) -> [[V; N]; P] {
    // Few enough iterations for the branch predictor to predict the exit.
    let whole = len - len % UNROLL;
    // SAFETY: guaranteed by the caller, and k stays below `len`.
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
/// More than `k` values must be readable at each of `values`, and more than `k` times N vectors at `weights`.
#[inline(always)]
unsafe fn step<V: Vector, const N: usize, const P: usize>(
    simd: Simd<V>,
    values: [*const f32; P],
    weights: *const f32,
    k: usize,
    sums: &mut [[V; N]; P],
) {
    // SAFETY: guaranteed by the caller.
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
