//! Sums over a list of winners: the inner loop of both gradients.

use crate::vector::{Simd, Vector};

/// Offset of a winner's values, and its gradient.
pub(super) type Entry = (u32, f32);

/// Returns `sums` plus, for each entry, its gradient times the `N` vectors of `values` at its offset plus `shift`.
#[inline(always)]
pub(super) fn add<V: Vector, const N: usize>(
    simd: Simd<V>,
    mut sums: [V; N],
    values: &[f32],
    list: &[Entry],
    shift: u32,
) -> [V; N] {
    for &(place, gradient) in list {
        let at = place.wrapping_add(shift) as usize;
        add_one(simd, &mut sums, &values[at..], gradient);
    }
    sums
}

/// The same with a second set of sums for every other entry: with few sums, each addition would wait for the last.
#[inline(always)]
pub(super) fn add_pairs<V: Vector, const N: usize>(
    simd: Simd<V>,
    mut sums: [V; N],
    values: &[f32],
    list: &[Entry],
) -> [V; N] {
    let mut others = [V::splat(simd, 0.0); N];
    let (pairs, rest) = list.as_chunks::<2>();
    for [one, other] in pairs {
        add_one(simd, &mut sums, &values[one.0 as usize..], one.1);
        add_one(simd, &mut others, &values[other.0 as usize..], other.1);
    }
    for (sum, other) in sums.iter_mut().zip(others) {
        *sum = sum.add(other);
    }
    add(simd, sums, values, rest, 0)
}

/// Adds `gradient` times the first `N` vectors of `values`.
#[inline(always)]
pub(super) fn add_one<V: Vector, const N: usize>(simd: Simd<V>, sums: &mut [V; N], values: &[f32], gradient: f32) {
    let (values, gradient) = (&values[..N * V::LANES], V::splat(simd, gradient));
    for (sum, values) in sums.iter_mut().zip(values.chunks_exact(V::LANES)) {
        *sum = sum.multiply_add(gradient, V::load(simd, values));
    }
}

/// Loads the first `N` vectors of `values`.
#[inline(always)]
pub(super) fn load<V: Vector, const N: usize>(simd: Simd<V>, values: &[f32]) -> [V; N] {
    let mut vectors = [V::splat(simd, 0.0); N];
    for (vector, values) in vectors.iter_mut().zip(values[..N * V::LANES].chunks_exact(V::LANES)) {
        *vector = V::load(simd, values);
    }
    vectors
}

/// Stores to the first `N` vectors of `values`.
#[inline(always)]
pub(super) fn store<V: Vector, const N: usize>(vectors: [V; N], values: &mut [f32]) {
    for (vector, values) in vectors.iter().zip(values[..N * V::LANES].chunks_exact_mut(V::LANES)) {
        vector.store(values);
    }
}
