//! The peak multiply-add throughput of one core, which every kernel is measured against.

use std::hint::black_box;
use std::time::Instant;

use crate::isa::{Isa, for_each_isa};
use crate::vector::{Simd, Vector};

/// Multiply-adds per chain in one timed run: a few microseconds, short enough to run between interrupts.
const LENGTH: usize = 4096;

/// Floating-point operations per second of one core, two per multiply-add: the best of many short runs of independent
/// chains kept in registers.
pub fn flops(isa: Isa) -> f64 {
    let (mut best, mut lanes) = (f64::MAX, 0);
    for _ in 0..2000 {
        let start = Instant::now();
        chains(isa, black_box(0.5), &mut lanes);
        best = best.min(start.elapsed().as_secs_f64());
    }
    (2 * lanes * LENGTH) as f64 / best
}

// Twelve vectors (AVX-512: 24), more than enough to hide a latency of four cycles in two pipelines.
for_each_isa!(vectors chains, chains_body,
    [avx512: 24; avx2: 12; neon: 12; simd128: 12; portable: 12],
    (start: f32, lanes: &mut usize));

#[inline(always)]
fn chains_body<V: Vector, const N: usize>(simd: Simd<V>, start: f32, lanes: &mut usize) {
    let mut values = [V::splat(simd, start); N];
    for i in 0..N {
        values[i] = V::splat(simd, start + i as f32);
    }
    let (factor, addend) = (V::splat(simd, black_box(0.999)), V::splat(simd, black_box(0.001)));
    for _ in 0..LENGTH {
        for i in 0..N {
            values[i] = addend.multiply_add(values[i], factor);
        }
    }
    black_box(values);
    *lanes = N * V::LANES;
}
