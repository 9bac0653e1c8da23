//! Computes a block of pixels in register tiles of pixels by channels.

use std::mem::MaybeUninit;

use super::dot::{Dot, Has, LANES, activated, for_each_arm, store};
use super::pack::Line;
use super::{Activation, Packed};
use crate::narrow::{Block, Tile};

// Pixels in a tile of four vectors, of two, and of one.
for_each_arm!(block, block_body, [avx512: 6, 12, 12; portable: 1, 1, 1],
    (packed: &Packed, activation: Activation, block: &Block<u16>, output: &mut [MaybeUninit<u16>]));

/// Computes `output`, all pixels of the block.
#[inline(always)]
fn block_body<D: Dot, const P4: usize, const P2: usize, const P1: usize>(
    has: Has<D>,
    packed: &Packed,
    activation: Activation,
    block: &Block<u16>,
    output: &mut [MaybeUninit<u16>],
) {
    let [rows, values] = block.window;
    let reach = (rows - 1) * block.row + values;
    let last = block.offsets.iter().copied().max().unwrap_or(0);
    // These checks replace those in the loops.
    assert!(last + reach <= block.source.len() && values.is_multiple_of(2));
    assert_eq!(output.len(), block.offsets.len() * block.stride);
    assert!(block.residual.is_none_or(|residual| residual.len() == output.len()));
    for &tile in &packed.tiles {
        match tile.vectors {
            4 => over::<D, 4, P4>(has, packed, tile, activation, block, output),
            2 => over::<D, 2, P2>(has, packed, tile, activation, block, output),
            _ => over::<D, 1, P1>(has, packed, tile, activation, block, output),
        }
    }
}

/// All pixels of the block in one tile of channels, in as few register tiles as possible, of nearly equal size.
#[inline(always)]
fn over<D: Dot, const N: usize, const P: usize>(
    has: Has<D>,
    packed: &Packed,
    tile: Tile,
    activation: Activation,
    block: &Block<u16>,
    output: &mut [MaybeUninit<u16>],
) {
    let window = block.window[0] * block.window[1] / 2;
    let columns = Columns {
        weights: &packed.weights[tile.lanes / LANES * window..][..N * window],
        bias: &packed.bias[tile.lanes..][..N * LANES],
        tile,
        activation,
    };
    assert!(tile.first + tile.valid <= block.stride && tile.valid <= N * LANES);
    let tiles = block.offsets.len().div_ceil(P);
    let (even, more) = (block.offsets.len() / tiles.max(1), block.offsets.len() % tiles.max(1));
    let mut at = 0;
    for i in 0..tiles {
        let count = even + usize::from(i < more);
        macro_rules! one_of {
            ($($n:literal)*) => {
                match count {
                    // SAFETY: `block_body` has checked the end of each window and the lengths of residual and output;
                    // `columns` has what its tile needs.
                    // Constants, so that nothing is compiled for what is not there.
                    $($n if const { $n <= P } => unsafe { columns.pixels::<D, N, $n>(has, block, at, output) },)*
                    _ => unreachable!("no code for a tile of this many pixels"),
                }
            };
        }
        one_of!(1 2 3 4 5 6 7 8 9 10 11 12);
        at += count;
    }
}

/// A tile of channels, its weights `[window / 2][vector]` and the bias of each lane.
struct Columns<'a> {
    weights: &'a [Line],
    bias: &'a [f32],
    tile: Tile,
    activation: Activation,
}

impl Columns<'_> {
    /// `P` pixels, starting at pixel `at`.
    ///
    /// # Safety
    /// See the call site.
    #[inline(always)]
    unsafe fn pixels<D: Dot, const N: usize, const P: usize>(
        &self,
        has: Has<D>,
        block: &Block<u16>,
        at: usize,
        output: &mut [MaybeUninit<u16>],
    ) {
        let offsets: &[usize; P] = block.offsets[at..].first_chunk().expect("an offset for each pixel");
        // SAFETY: guaranteed by the caller. Loops, not `map`: the compiler might not inline closures into a function
        // compiled for an instruction set.
        unsafe {
            let mut sums = [[D::load_at(has, self.bias.as_ptr()); N]; P];
            for n in 1..N {
                let bias = D::load_at(has, self.bias.as_ptr().add(n * LANES));
                for p in 0..P {
                    sums[p][n] = bias;
                }
            }
            let mut weights = self.weights.as_ptr();
            for row in 0..block.window[0] {
                let mut values = [std::ptr::null(); P];
                for p in 0..P {
                    values[p] = block.source.as_ptr().add(offsets[p] + row * block.row);
                }
                sums = multiply(has, values, block.window[1], weights, sums);
                weights = weights.add(block.window[1] / 2 * N);
            }
            let start = at * block.stride + self.tile.first;
            if let Some(residual) = block.residual {
                for p in 0..P {
                    for n in 0..N {
                        let from = residual.as_ptr().add(start + p * block.stride + n * LANES);
                        let left = self.tile.valid.saturating_sub(n * LANES);
                        sums[p][n] = sums[p][n].add(D::widen_at(has, from, left));
                    }
                }
            }
            let to = output.as_mut_ptr().cast::<u16>().add(start);
            let sums = activated(has, sums, self.activation);
            store::<D, N, P, false>(sums, to, block.stride, self.tile.valid);
        }
    }
}

/// `sums` and `len` values of each of `P` pixels times their weights `[len / 2][N vectors]`. The sums come and go by
/// value: the compiler would store those that are later read by number after each product.
///
/// # Safety
/// `len` values must be readable at each of `values`, and half as many times N vectors of weights.
#[inline(always)]
unsafe fn multiply<D: Dot, const N: usize, const P: usize>(
    has: Has<D>,
    values: [*const u16; P],
    len: usize,
    mut weights: *const Line,
    mut sums: [[D; N]; P],
) -> [[D; N]; P] {
    let mut k = 0;
    // SAFETY: guaranteed by the caller, and k stays below `len`.
    unsafe {
        while k < len {
            let mut pairs = [D::pairs(has, weights.cast()); N];
            for n in 1..N {
                pairs[n] = D::pairs(has, weights.add(n).cast());
            }
            weights = weights.add(N);
            for p in 0..P {
                let value = D::broadcast(has, values[p].add(k));
                for n in 0..N {
                    sums[p][n] = sums[p][n].add_dot(value, pairs[n]);
                }
            }
            k += 2;
        }
    }
    sums
}
