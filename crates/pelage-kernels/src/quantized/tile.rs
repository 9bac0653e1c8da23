//! Computes a block of pixels in register tiles of pixels by channels.

use std::mem::MaybeUninit;

use super::Packed;
use super::dot::{Dot, Has, for_each_arm};
use crate::narrow::{Block, Tile};

// Pixels in a tile of four vectors, of two, and of one.
for_each_arm!(block, block_body,
    [vnni: 6, 12, 12; avx2: 1, 4, 6; portable: 1, 2, 4],
    (packed: &Packed, block: &Block<u8>, output: &mut [MaybeUninit<u8>]));

/// Computes `output`, all pixels of the block.
#[inline(always)]
fn block_body<D: Dot, const P4: usize, const P2: usize, const P1: usize>(
    has: Has<D>,
    packed: &Packed,
    block: &Block<u8>,
    output: &mut [MaybeUninit<u8>],
) {
    let [rows, bytes] = block.window;
    let reach = (rows - 1) * block.row + bytes;
    let last = block.offsets.iter().copied().max().unwrap_or(0);
    // These checks replace those in the loops.
    assert!(last + reach <= block.source.len() && bytes.is_multiple_of(4));
    assert_eq!(output.len(), block.offsets.len() * block.stride);
    assert!(
        block
            .residual
            .is_none_or(|residual| residual.len() >= output.len() + super::SLACK)
    );
    for &tile in &packed.tiles {
        match tile.vectors {
            4 if const { D::WIDEST == 4 } => over::<D, 4, P4>(has, packed, tile, block, output),
            2 => over::<D, 2, P2>(has, packed, tile, block, output),
            _ => over::<D, 1, P1>(has, packed, tile, block, output),
        }
    }
}

/// All pixels of the block in one tile of channels, in as few register tiles as possible, of nearly equal size.
#[inline(always)]
fn over<D: Dot, const N: usize, const P: usize>(
    has: Has<D>,
    packed: &Packed,
    tile: Tile,
    block: &Block<u8>,
    output: &mut [MaybeUninit<u8>],
) {
    let (width, window) = (N * D::LANES, block.window[0] * block.window[1]);
    let columns = Columns {
        weights: &packed.weights[tile.lanes * window..][..width * window],
        start: &packed.start[tile.lanes..][..width],
        multipliers: &packed.multipliers[tile.lanes..][..width],
        tile,
        packed,
    };
    assert!(tile.first + tile.valid <= block.stride && tile.valid <= width && width <= super::SLACK);
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

/// A tile of channels, its weights `[window / 4][vector][lane][4]` and what belongs to each lane.
struct Columns<'a> {
    weights: &'a [i8],
    start: &'a [i32],
    multipliers: &'a [f32],
    tile: Tile,
    packed: &'a Packed,
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
        block: &Block<u8>,
        at: usize,
        output: &mut [MaybeUninit<u8>],
    ) {
        let offsets: &[usize; P] = block.offsets[at..].first_chunk().expect("an offset for each pixel");
        // SAFETY: guaranteed by the caller. Loops, not `map`: the compiler might not inline closures into a function
        // compiled for an instruction set.
        unsafe {
            let mut sums = [[D::load_at(has, self.start.as_ptr()); N]; P];
            for n in 0..N {
                let start = D::load_at(has, self.start.as_ptr().add(n * D::LANES));
                for p in 0..P {
                    sums[p][n] = start;
                }
            }
            let mut weights = self.weights.as_ptr();
            for row in 0..block.window[0] {
                let mut values = [std::ptr::null(); P];
                for p in 0..P {
                    values[p] = block.source.as_ptr().add(offsets[p] + row * block.row);
                }
                sums = multiply(has, values, block.window[1], weights, sums);
                weights = weights.add(block.window[1] * N * D::LANES);
            }
            for p in 0..P {
                let start = (at + p) * block.stride + self.tile.first;
                let residual = block.residual.map(|residual| residual.as_ptr().add(start));
                let to = output.as_mut_ptr().cast::<u8>().add(start);
                finish(sums[p], self.multipliers, self.packed, residual, to, self.tile.valid);
            }
        }
    }
}

/// `sums` and `len` bytes of each of `P` pixels times their weights `[len / 4][N vectors][lane][4]`. The sums come and
/// go by value: the compiler would store those that are later read by number after each product.
///
/// # Safety
/// `len` bytes must be readable at each of `values`, and so many times N vectors' lanes of weights.
#[inline(always)]
unsafe fn multiply<D: Dot, const N: usize, const P: usize>(
    has: Has<D>,
    values: [*const u8; P],
    len: usize,
    mut weights: *const i8,
    mut sums: [[D; N]; P],
) -> [[D; N]; P] {
    let mut k = 0;
    // SAFETY: guaranteed by the caller, and k stays below `len`.
    unsafe {
        while k < len {
            let mut four = [D::weights(has, weights); N];
            for n in 1..N {
                four[n] = D::weights(has, weights.add(4 * n * D::LANES));
            }
            weights = weights.add(4 * N * D::LANES);
            for p in 0..P {
                let value = D::broadcast(has, values[p].add(k));
                for n in 0..N {
                    sums[p][n] = sums[p][n].add_dot(value, four[n]);
                }
            }
            k += 4;
        }
    }
    sums
}

/// Writes the `valid` first of the bytes that `sums` become.
///
/// # Safety
/// `multipliers` must have one for each lane; N vectors' lanes of bytes must be readable at `residual`, if there is
/// one, and `valid` of them writable at `to`, no more than there are.
#[inline(always)]
pub(super) unsafe fn finish<D: Dot, const N: usize>(
    sums: [D; N],
    multipliers: &[f32],
    packed: &Packed,
    residual: Option<*const u8>,
    to: *mut u8,
    valid: usize,
) {
    // SAFETY: guaranteed by the caller; the widest tile has 64 lanes.
    unsafe {
        if valid == N * D::LANES {
            return D::finish(sums, multipliers.as_ptr(), &packed.rescale, residual, to);
        }
        let mut bytes = [0u8; 64];
        D::finish(
            sums,
            multipliers.as_ptr(),
            &packed.rescale,
            residual,
            bytes.as_mut_ptr(),
        );
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, valid);
    }
}
