//! The input gradient: for each input row, a sum of weight windows over the winners of the three convolution rows that
//! depend on it.
//!
//! The sums of three neighboring pixels stay in registers and slide along the row, so each pixel is written once. The
//! winners of a pooled row are sorted into one list per convolution column, those of its upper convolution row first,
//! so that both rows together are one contiguous range of the list.

use std::cell::Cell;
use std::mem::MaybeUninit;

use super::Shape;
use super::list::{Entry, add};
use crate::isa::for_each_isa;
use crate::vector::{Simd, Vector};

/// Input channels of a block: the sums of three pixels fit in registers.
const BLOCK: usize = 32;
const WINDOW: usize = 3 * BLOCK;

/// Packs the weights as `[ci / BLOCK][co][ky][kx][BLOCK]`, zero-padded.
pub(super) fn pack(shape: Shape, weights: &[f32], packed: &mut [f32]) {
    let (ci, co) = (shape.in_channels, shape.out_channels);
    packed.fill(0.0);
    for (o, weights) in weights.chunks_exact(9 * ci).enumerate() {
        for (c, weights) in weights.chunks_exact(9).enumerate() {
            for (k, weight) in weights.iter().enumerate() {
                packed[((c / BLOCK * co + o) * 9 + k) * BLOCK + c % BLOCK] = *weight;
            }
        }
    }
}

/// Length of the packed weights.
pub(super) fn packed_len(shape: Shape) -> usize {
    shape.in_channels.div_ceil(BLOCK) * shape.out_channels * 9 * BLOCK
}

/// Winners of a pooled row: for each convolution column, a range of (offset of the weights, gradient), those of the
/// upper convolution row before the middle, those of the lower one after it.
#[derive(Default)]
struct Row {
    entries: Vec<Entry>,
    /// Start, middle and end of each range.
    bounds: Vec<[u32; 3]>,
}

thread_local!(static ROWS: Cell<[Row; 2]> = Cell::default());

/// Added to the offset for an upper row: for the same input row, its weights are one ky after those of a lower row.
const UPPER: u32 = WINDOW as u32;

impl Row {
    #[inline(always)]
    fn fill(&mut self, shape: Shape, gradients: &[f32], winners: &[u8]) {
        let co = shape.out_channels;
        // Two ranges that can grow in both directions, and a slot for values that ReLU zeroed.
        let len = 4 * co + 1;
        self.entries.resize(shape.pooled_width() * len, Entry::default());
        self.bounds.resize(2 * shape.pooled_width(), [0; 3]);
        let pixels = self.entries.chunks_exact_mut(len).zip(self.bounds.chunks_exact_mut(2));
        let values = gradients.chunks_exact(co).zip(winners.chunks_exact(co));
        for (x, ((entries, bounds), (gradients, winners))) in pixels.zip(values).enumerate() {
            let middle = [co, 3 * co];
            // For each position, the slot of its next entry; those of the upper row grow downwards.
            let mut next = [middle[0].wrapping_sub(1), middle[1] - 1, middle[0], middle[1], len - 1];
            const STEP: [usize; 5] = [usize::MAX, usize::MAX, 1, 1, 0];
            for (channel, (gradient, winner)) in gradients.iter().zip(winners).enumerate() {
                let q = usize::from(*winner).min(4);
                entries[next[q]] = ((channel * 9 * BLOCK) as u32 + if q < 2 { UPPER } else { 0 }, *gradient);
                next[q] = next[q].wrapping_add(STEP[q]);
            }
            for (column, bounds) in bounds.iter_mut().enumerate() {
                let stretch = [next[column].wrapping_add(1), middle[column], next[2 + column]];
                *bounds = stretch.map(|at| (x * len + at) as u32);
            }
        }
    }

    /// Entries of both rows in convolution column `x`.
    #[inline(always)]
    fn both(&self, x: usize) -> &[Entry] {
        &self.entries[self.bounds[x][0] as usize..self.bounds[x][2] as usize]
    }
    /// Entries of the upper row.
    #[inline(always)]
    fn upper(&self, x: usize) -> &[Entry] {
        &self.entries[self.bounds[x][0] as usize..self.bounds[x][1] as usize]
    }
    /// Entries of the lower row.
    #[inline(always)]
    fn lower(&self, x: usize) -> &[Entry] {
        &self.entries[self.bounds[x][1] as usize..self.bounds[x][2] as usize]
    }
}

// The vector type, and the number of vectors in a window of weights.
for_each_isa!(vectors image, image_body, [avx512: 6; avx2: 12; neon: 24; simd128: 24; portable: 24], (
    shape: Shape,
    packed: &[f32],
    grad_output: &[f32],
    winners: &[u8],
    grad_input: &mut [MaybeUninit<f32>],
));

#[inline(always)]
fn image_body<V: Vector, const N: usize>(
    simd: Simd<V>,
    shape: Shape,
    packed: &[f32],
    grad_output: &[f32],
    winners: &[u8],
    grad_input: &mut [MaybeUninit<f32>],
) {
    assert!(N * V::LANES == WINDOW);
    let (co, ci, height) = (shape.out_channels, shape.in_channels, shape.pooled_height());
    let pooled_row = shape.pooled_width() * co;
    let mut kept = ROWS.take();
    let [above, here] = &mut kept;
    for y in 0..=height {
        // Input rows 2y - 1 and 2y: the two that depend on both the pooled row above, y - 1, and this one, y.
        std::mem::swap(above, here);
        if y < height {
            let at = y * pooled_row;
            here.fill(shape, &grad_output[at..at + pooled_row], &winners[at..at + pooled_row]);
        }
        let columns = 2 * shape.pooled_width();
        for (block, packed) in packed.chunks_exact(co * 9 * BLOCK).enumerate() {
            let channels = (block * BLOCK)..((block + 1) * BLOCK).min(ci);
            if y > 0 {
                let target = &mut grad_input[(2 * y - 1) * shape.width * ci..][..shape.width * ci];
                row::<V, N>(simd, columns, packed, target, ci, channels.clone(), |x| {
                    let near: &[_] = if y < height { here.upper(x) } else { &[] };
                    [(above.both(x), UPPER), (near, UPPER.wrapping_neg())]
                });
            }
            if 2 * y < shape.height {
                let target = &mut grad_input[2 * y * shape.width * ci..][..shape.width * ci];
                row::<V, N>(simd, columns, packed, target, ci, channels.clone(), |x| {
                    let both: &[_] = if y < height { here.both(x) } else { &[] };
                    let near: &[_] = if y > 0 { above.lower(x) } else { &[] };
                    [(both, 0), (near, 2 * UPPER)]
                });
            }
        }
    }
    ROWS.set(kept);
}

/// Computes one input row: `lists(x)` are the entries of convolution column `x`, each list with an offset to add to
/// those of its weights. The sums of three pixels are `N` vectors.
#[inline(always)]
fn row<'a, V: Vector, const N: usize>(
    simd: Simd<V>,
    columns: usize,
    packed: &[f32],
    target: &mut [MaybeUninit<f32>],
    ci: usize,
    channels: std::ops::Range<usize>,
    lists: impl Fn(usize) -> [(&'a [Entry], u32); 2],
) {
    let mut pixels = target.chunks_exact_mut(ci).map(|pixel| &mut pixel[channels.clone()]);
    // The sums of pixels x - 1, x and x + 1.
    let mut sums = [V::splat(simd, 0.0); N];
    for x in 0..columns {
        let [(list, shift), (other, other_shift)] = lists(x);
        sums = add(simd, sums, packed, list, shift);
        sums = add(simd, sums, packed, other, other_shift);
        if x > 0 {
            write(&sums[..N / 3], pixels.next());
        }
        for i in 0..N {
            sums[i] = if i < N / 3 * 2 {
                sums[i + N / 3]
            } else {
                V::splat(simd, 0.0)
            };
        }
    }
    write(&sums[..N / 3], pixels.next());
    // The last column of an odd width.
    write(&sums[N / 3..N / 3 * 2], pixels.next());
}

/// Writes a block of a pixel's channels, or as many channels as there are.
#[inline(always)]
fn write<V: Vector>(sums: &[V], pixel: Option<&mut [MaybeUninit<f32>]>) {
    let Some(pixel) = pixel else { return };
    if pixel.len() == BLOCK {
        for (sum, to) in sums.iter().zip(pixel.chunks_exact_mut(V::LANES)) {
            sum.write(to);
        }
    } else {
        let mut block = [0.0f32; BLOCK];
        for (sum, to) in sums.iter().zip(block.chunks_exact_mut(V::LANES)) {
            sum.store(to);
        }
        pixel.write_copy_of_slice(&block[..pixel.len()]);
    }
}
