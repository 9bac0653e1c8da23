//! Scaled dot-product attention in several heads (Vaswani et al. 2017, *Attention Is All You Need*, section 3.2),
//! forward.

use rayon::prelude::*;

use crate::exponential::exp;
use crate::isa::{Isa, for_each_isa, multiply_add};

/// What is attended to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Images.
    pub batch: usize,
    /// Tokens of each image.
    pub tokens: usize,
    /// Heads, which attend independently.
    pub heads: usize,
    /// Channels of each head.
    pub depth: usize,
}

/// Tokens whose scores are computed together, and values that one of them has in registers.
const ROWS: usize = 6;
const WIDE: usize = 16;

/// `softmax(queries * keys / sqrt(depth)) * values` for each head. `input` is `[batch, tokens, 3, heads, depth]`:
/// queries, keys and values; the result is `[batch, tokens, heads, depth]`.
///
/// # Panics
/// If `input` is of another length.
pub fn forward(isa: Isa, shape: Shape, input: &[f32]) -> Vec<f32> {
    let Shape {
        batch,
        tokens,
        heads,
        depth,
    } = shape;
    let image = tokens * heads * depth;
    assert_eq!(input.len(), 3 * batch * image, "length of input");
    let of_heads: Vec<Vec<f32>> = (0..batch * heads)
        .into_par_iter()
        .map(|i| {
            let mut output = vec![0.0; tokens * depth];
            let image = &input[i / heads * 3 * image..][..3 * image];
            attend(isa, shape, image, i % heads, &mut output);
            output
        })
        .collect();
    let mut output = Vec::with_capacity(batch * image);
    for heads in of_heads.chunks(heads.max(1)) {
        let rows = (0..tokens).flat_map(|token| heads.iter().map(move |head| &head[token * depth..][..depth]));
        rows.for_each(|row| output.extend_from_slice(row));
    }
    output
}

for_each_isa!(fused attend, attend_body, (shape: Shape, image: &[f32], head: usize, output: &mut [f32]));

#[inline(always)]
fn attend_body<const FUSED: bool>(shape: Shape, image: &[f32], head: usize, output: &mut [f32]) {
    let Shape {
        tokens, heads, depth, ..
    } = shape;
    let part = |token: usize, part: usize| &image[((token * 3 + part) * heads + head) * depth..][..depth];
    // Keys with tokens side by side and values with channels side by side, each row filled up with zeros.
    let (across, deep) = (tokens.next_multiple_of(WIDE), depth.next_multiple_of(WIDE));
    let (mut keys, mut values) = (vec![0.0; depth * across], vec![0.0; tokens * deep]);
    for token in 0..tokens {
        let column = part(token, 1).iter().enumerate();
        column.for_each(|(channel, &key)| keys[channel * across + token] = key);
        values[token * deep..][..depth].copy_from_slice(part(token, 2));
    }
    let scale = 1.0 / (depth as f32).sqrt();
    let (mut queries, mut scores, mut sums) = (
        vec![0.0; ROWS * depth],
        vec![0.0; ROWS * across],
        vec![0.0; ROWS * deep],
    );
    for first in (0..tokens).step_by(ROWS) {
        let rows = ROWS.min(tokens - first);
        for row in 0..rows {
            let query = queries[row * depth..][..depth].iter_mut().zip(part(first + row, 0));
            query.for_each(|(to, from)| *to = from * scale);
        }
        multiply::<FUSED>(&queries, depth, &keys, depth, &mut scores);
        for row in scores.chunks_mut(across) {
            softmax::<FUSED>(&mut row[..tokens]);
        }
        multiply::<FUSED>(&scores, across, &values, tokens, &mut sums);
        for row in 0..rows {
            output[(first + row) * depth..][..depth].copy_from_slice(&sums[row * deep..][..depth]);
        }
    }
}

/// `[ROWS, inner]` times `[inner, columns]`, where a row of the first is `stride` long, and of columns there is a
/// multiple of `WIDE`.
#[inline(always)]
fn multiply<const FUSED: bool>(a: &[f32], stride: usize, b: &[f32], inner: usize, output: &mut [f32]) {
    let columns = output.len() / ROWS;
    for at in (0..columns).step_by(WIDE) {
        let mut sums = [[0.0f32; WIDE]; ROWS];
        for k in 0..inner {
            let line: &[f32; WIDE] = b[k * columns + at..][..WIDE].try_into().unwrap_or(&[0.0; WIDE]);
            for row in 0..ROWS {
                let factor = a[row * stride + k];
                for i in 0..WIDE {
                    sums[row][i] = multiply_add::<FUSED>(factor, line[i], sums[row][i]);
                }
            }
        }
        for row in 0..ROWS {
            output[row * columns + at..][..WIDE].copy_from_slice(&sums[row]);
        }
    }
}

#[inline(always)]
fn softmax<const FUSED: bool>(row: &mut [f32]) {
    let largest = row
        .iter()
        .fold(f32::NEG_INFINITY, |largest, &x| if x > largest { x } else { largest });
    row.iter_mut().for_each(|x| *x = exp::<FUSED>(*x - largest));
    // In the order of the tokens: on every instruction set the same sum.
    let sum: f32 = row.iter().sum();
    let share = 1.0 / sum;
    row.iter_mut().for_each(|x| *x *= share);
}
