//! Backward: linear combinations of rows, which both gradients are.

use std::cell::Cell;

use crate::isa::for_each_isa;
use crate::scratch::Buffer;
use crate::vector::{Simd, Vector};

thread_local!(static PANEL: Cell<Buffer> = Cell::default());

for_each_isa!(vectors rows, rows_body, (
    first: usize,
    depth: usize,
    factors: &[f32],
    from: &[f32],
    width: usize,
    to: &mut [&mut [f32]],
));

/// `to[r]` is the sum over k of `factors[r, k]` times row k of `from` `[depth, width]`, starting at column `first`.
#[inline(always)]
fn rows_body<V: Vector>(
    simd: Simd<V>,
    first: usize,
    depth: usize,
    factors: &[f32],
    from: &[f32],
    width: usize,
    to: &mut [&mut [f32]],
) {
    let Some(columns) = to.first().map(|row| row.len()) else {
        return;
    };
    let (len, mut kept) = (2 * V::LANES, PANEL.take());
    let panel = kept.get(depth * len);
    for column in (0..columns).step_by(len) {
        let count = len.min(columns - column);
        // Packed contiguously: rows of `from` a power of two apart would evict each other from the cache.
        for (k, panel) in panel.chunks_exact_mut(len).enumerate() {
            let from = &from[k * width + first + column..][..count];
            if count == len {
                V::load(simd, from).store(panel);
                V::load(simd, &from[V::LANES..]).store(&mut panel[V::LANES..]);
            } else {
                panel[..count].copy_from_slice(from);
                panel[count..].fill(0.0);
            }
        }
        let (groups, rest) = to.as_chunks_mut::<4>();
        for (group, to) in groups.iter_mut().enumerate() {
            tile::<V, 4>(simd, &factors[group * 4 * depth..], depth, panel, column, to);
        }
        for (i, to) in rest.iter_mut().enumerate() {
            let row = groups.len() * 4 + i;
            tile::<V, 1>(
                simd,
                &factors[row * depth..],
                depth,
                panel,
                column,
                std::array::from_mut(to),
            );
        }
    }
    PANEL.set(kept);
}

/// Two vectors of `R` rows.
#[inline(always)]
fn tile<V: Vector, const R: usize>(
    simd: Simd<V>,
    factors: &[f32],
    depth: usize,
    panel: &[f32],
    column: usize,
    to: &mut [&mut [f32]; R],
) {
    let mut sums = [[V::splat(simd, 0.0); 2]; R];
    let factors = &factors[..R * depth];
    for (k, panel) in panel.chunks_exact(2 * V::LANES).enumerate() {
        let (left, right) = (V::load(simd, panel), V::load(simd, &panel[V::LANES..]));
        for (r, sums) in sums.iter_mut().enumerate() {
            let factor = V::splat(simd, factors[r * depth + k]);
            sums[0] = sums[0].multiply_add(factor, left);
            sums[1] = sums[1].multiply_add(factor, right);
        }
    }
    for (to, sums) in to.iter_mut().zip(sums) {
        let to = &mut to[column..];
        if to.len() >= 2 * V::LANES {
            sums[0].store(to);
            sums[1].store(&mut to[V::LANES..]);
        } else {
            let mut last = [0.0f32; 32];
            sums[0].store(&mut last);
            sums[1].store(&mut last[V::LANES..]);
            to.copy_from_slice(&last[..to.len()]);
        }
    }
}
