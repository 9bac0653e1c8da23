//! Forward: dot products of input rows with weight rows, in register tiles of sums.

use std::ops::Range;

use super::Shape;
use crate::isa::for_each_isa;
use crate::vector::{Simd, Vector};

for_each_isa!(vectors products, products_body, (
    shape: Shape,
    columns: Range<usize>,
    input: &[f32],
    weights: &[f32],
    sums: &mut [f32],
));

/// `sums` `[n, outputs]` over the given columns of the input.
#[inline(always)]
fn products_body<V: Vector>(
    simd: Simd<V>,
    shape: Shape,
    columns: Range<usize>,
    input: &[f32],
    weights: &[f32],
    sums: &mut [f32],
) {
    let Shape { batch, inputs, outputs } = shape;
    let mut o = 0;
    while o < outputs {
        let weights = |i: usize| &weights[(o + i) * inputs..][columns.clone()];
        let width = if o + 4 <= outputs { 4 } else { 1 };
        let mut n = 0;
        while n < batch {
            let input = |i: usize| &input[(n + i) * inputs..][columns.clone()];
            let to = &mut sums[n * outputs + o..];
            n += match (n + 2 <= batch, width) {
                (true, 4) => tile::<V, 2, 4>(simd, [input(0), input(1)], [0, 1, 2, 3].map(weights), to, outputs),
                (false, 4) => tile::<V, 1, 4>(simd, [input(0)], [0, 1, 2, 3].map(weights), to, outputs),
                (true, _) => tile::<V, 2, 1>(simd, [input(0), input(1)], [weights(0)], to, outputs),
                (false, _) => tile::<V, 1, 1>(simd, [input(0)], [weights(0)], to, outputs),
            };
        }
        o += width;
    }
}

/// Dot products of each of `a` with each of `b`, into rows `stride` apart; returns `N`.
#[inline(always)]
fn tile<V: Vector, const N: usize, const O: usize>(
    simd: Simd<V>,
    a: [&[f32]; N],
    b: [&[f32]; O],
    to: &mut [f32],
    stride: usize,
) -> usize {
    let (mut sums, len) = ([[V::splat(simd, 0.0); O]; N], a[0].len());
    let whole = len - len % V::LANES;
    for i in (0..whole).step_by(V::LANES) {
        let mut others = [V::splat(simd, 0.0); O];
        for (other, b) in others.iter_mut().zip(b) {
            *other = V::load(simd, &b[i..]);
        }
        for (sums, a) in sums.iter_mut().zip(a) {
            let a = V::load(simd, &a[i..]);
            for (sum, other) in sums.iter_mut().zip(others) {
                *sum = sum.multiply_add(a, other);
            }
        }
    }
    for (n, sums) in sums.iter().enumerate() {
        for (o, sum) in sums.iter().enumerate() {
            let mut lanes = [0.0f32; 16];
            sum.store(&mut lanes);
            let rest: f32 = (whole..len).map(|i| a[n][i] * b[o][i]).sum();
            to[n * stride + o] = lanes.iter().sum::<f32>() + rest;
        }
    }
    N
}
