//! A block of pixels, in register tiles of pixels by channels.

use super::finish::Finish;
use super::pack::Tile;
#[cfg(target_arch = "aarch64")]
use super::vector::Neon;
#[cfg(target_arch = "x86_64")]
use super::vector::{Avx2, Avx512};
use super::vector::{Portable, Vector};
use super::{Activation, Geometry, Packed};
use crate::isa::for_each_isa_with;
use std::ops::Range;

/// Pixels, where their windows are, and what happens to the sums.
pub(super) struct Block<'a> {
    /// Where the windows are.
    pub(super) source: &'a [f32],
    /// Numbers between rows of a window.
    pub(super) row: usize,
    /// The corner of each pixel's window in `source`.
    pub(super) offsets: &'a [usize],
    /// Added before the activation; laid out as the output.
    pub(super) residual: Option<&'a [f32]>,
    pub(super) activation: Activation,
    /// Numbers between pixels of the output.
    pub(super) stride: usize,
}

/// Numbers of memory that [`block`] works in: unfinished sums of a part's pixels, in tiles of up to three vectors of 16.
pub(super) const WAITING: usize = PART * 48;

/// Window numbers whose weights for a tile of channels stay in the L1 cache while the pixels of a part go by.
const DEPTH: usize = 256;

/// Numbers of the window in one round of the innermost loop.
const UNROLL: usize = 4;

/// Pixels whose unfinished sums wait in the L1 cache for the next piece of the window.
const PART: usize = 96;

// The vector, pixels of a tile of up to two vectors, of three.
for_each_isa_with!(block, block_body,
    avx512: [Avx512, 12, 8], avx2: [Avx2, 6, 4], neon: [Neon, 8, 6], portable: [Portable, 4, 3],
    (g: &Geometry, packed: &Packed, group: usize, block: &Block, waiting: &mut [f32], output: &mut [f32]));

#[inline(always)]
fn block_body<V: Vector, const P: usize, const Q: usize>(
    g: &Geometry,
    packed: &Packed,
    group: usize,
    block: &Block,
    waiting: &mut [f32],
    output: &mut [f32],
) {
    let window = g.kernel[0] * g.kernel[1] * g.group_inputs();
    let filled = packed.bias.len() / g.groups;
    let channels = g.group_outputs();
    let part = part(packed.weights.len() / g.groups, g.in_channels + g.out_channels);
    for start in (0..block.offsets.len()).step_by(part) {
        let pixels = start..(start + part).min(block.offsets.len());
        for &Tile { first, width } in &packed.tiles {
            let at = group * filled + first;
            let columns = Columns {
                weights: &packed.weights[at * window..][..width * window],
                bias: &packed.bias[at..at + width],
                finish: Finish {
                    activation: block.activation,
                    residual: block.residual,
                    first: group * channels + first,
                    valid: width.min(channels - first),
                    stride: block.stride,
                },
                rows: g.kernel[0],
                run: g.kernel[1] * g.group_inputs(),
            };
            match width / V::LANES {
                1 => columns.over::<V, 1, P>(block, pixels.clone(), waiting, output),
                2 => columns.over::<V, 2, P>(block, pixels.clone(), waiting, output),
                _ => columns.over::<V, 3, Q>(block, pixels.clone(), waiting, output),
            }
        }
    }
}

/// Pixels that see all channels before the next pixels come, a multiple of the pixels of any tile: as many as let an L2
/// cache feed the weights, or, where all weights fit into it, as few as let the L1 cache take the output.
fn part(weights: usize, channels: usize) -> usize {
    if weights > 1 << 16 {
        PART
    } else {
        ((1 << 13) / channels).clamp(24, PART) / 24 * 24
    }
}

/// A tile of channels and its weights `[rows][run][width]`.
struct Columns<'a> {
    weights: &'a [f32],
    bias: &'a [f32],
    finish: Finish<'a>,
    rows: usize,
    run: usize,
}

/// A piece of the window: some whole rows of it, or a part of one row.
#[derive(Clone, Copy)]
struct Piece<'a> {
    /// Distance of its first number from the window's corner.
    corner: usize,
    /// Numbers in each row.
    len: usize,
    /// `[rows][len][width]`.
    weights: &'a [f32],
    /// The first of the window, the last.
    first: bool,
    last: bool,
}

impl Columns<'_> {
    /// The piece of the window that starts at its number `start`, of at most about [`DEPTH`] numbers, and where it ends.
    #[inline(always)]
    fn piece(&self, row: usize, start: usize) -> (Piece<'_>, usize) {
        let (first_row, from) = (start / self.run, start % self.run);
        let (rows, len) = if self.run <= DEPTH {
            ((DEPTH / self.run).min(self.rows - first_row), self.run)
        } else {
            let even = self.run.div_ceil(self.run.div_ceil(DEPTH));
            (1, even.min(self.run - from))
        };
        let (end, width) = (start + rows * len, self.bias.len());
        let piece = Piece {
            corner: first_row * row + from,
            len,
            weights: &self.weights[start * width..end * width],
            first: start == 0,
            last: end == self.rows * self.run,
        };
        (piece, end)
    }

    /// The given pixels of the block.
    #[inline(always)]
    fn over<V: Vector, const N: usize, const P: usize>(
        &self,
        block: &Block,
        pixels: Range<usize>,
        waiting: &mut [f32],
        output: &mut [f32],
    ) {
        let (part, pixels) = (pixels.start, pixels.len());
        // As few tiles as possible, and all about equally large: small ones waste arithmetic.
        let tiles = pixels.div_ceil(P);
        let mut start = 0;
        while start < self.rows * self.run {
            let (piece, end) = self.piece(block.row, start);
            let mut pixel = 0;
            for tile in 0..tiles {
                let next = (tile + 1) * pixels / tiles;
                let waiting = &mut waiting[pixel * N * V::LANES..next * N * V::LANES];
                macro_rules! one_of {
                        ($($n:literal)*) => {
                            match next - pixel {
                                $($n if $n <= P => self.pixels::<V, N, $n>(block, &piece, part + pixel, waiting, output),)*
                                _ => unreachable!("a tile of more pixels than there is code for"),
                            }
                        };
                    }
                one_of!(1 2 3 4 5 6 7 8 9 10 11 12);
                pixel = next;
            }
            start = end;
        }
    }

    /// Adds one piece of the window for `P` pixels from pixel `at` on. Unfinished sums are left in `waiting`.
    #[inline(always)]
    fn pixels<V: Vector, const N: usize, const P: usize>(
        &self,
        block: &Block,
        piece: &Piece,
        at: usize,
        waiting: &mut [f32],
        output: &mut [f32],
    ) {
        let offsets: &[usize; P] = block.offsets[at..].first_chunk().expect("an offset for each pixel");
        assert!(self.bias.len() == N * V::LANES && waiting.len() == P * N * V::LANES);
        let (bias, waiting) = (self.bias.as_ptr(), waiting.as_mut_ptr());
        // SAFETY: compiled for the instruction set of `V`; the bias holds N vectors, `waiting` N for each pixel.
        unsafe {
            let mut sums: [[V; N]; P] = if piece.first {
                [std::array::from_fn(|n| V::load(bias.add(n * V::LANES))); P]
            } else {
                std::array::from_fn(|p| std::array::from_fn(|n| V::load(waiting.add((p * N + n) * V::LANES))))
            };
            sums = multiply(block, piece, offsets, sums);
            if piece.last {
                self.finish.pixels(sums, at, output);
            } else {
                for p in 0..P {
                    for n in 0..N {
                        sums[p][n].store(waiting.add((p * N + n) * V::LANES));
                    }
                }
            }
        }
    }
}

/// The innermost loops: every number of the piece times its weights, for `P` pixels by `N` vectors of channels.
#[inline(always)]
fn multiply<V: Vector, const N: usize, const P: usize>(
    block: &Block,
    piece: &Piece,
    offsets: &[usize; P],
    mut sums: [[V; N]; P],
) -> [[V; N]; P] {
    for (row, weights) in piece.weights.chunks_exact(piece.len * N * V::LANES).enumerate() {
        let corner = piece.corner + row * block.row;
        let values = offsets.map(|offset| block.source[offset + corner..][..piece.len].as_ptr());
        let weights = weights.as_ptr();
        // Few enough rounds for the processor to foresee the last one.
        let whole = piece.len - piece.len % UNROLL;
        // SAFETY: compiled for the instruction set of `V`; `values` point at `len` numbers, `weights` at `len` times N
        // vectors, and k stays under len.
        unsafe {
            let mut k = 0;
            while k < whole {
                for i in 0..UNROLL {
                    step(values, weights, k + i, &mut sums);
                }
                k += UNROLL;
            }
            while k < piece.len {
                step(values, weights, k, &mut sums);
                k += 1;
            }
        }
    }
    sums
}

/// Number `k` of each pixel times its weights.
///
/// # Safety
/// Compiled for the instruction set of `V`; more than `k` numbers may be read at all `values`, more than `k` times N vectors
/// at `weights`.
#[inline(always)]
pub(super) unsafe fn step<V: Vector, const N: usize, const P: usize>(
    values: [*const f32; P],
    weights: *const f32,
    k: usize,
    sums: &mut [[V; N]; P],
) {
    // SAFETY: the caller's promise.
    unsafe {
        let weights: [V; N] = std::array::from_fn(|n| V::load(weights.add((k * N + n) * V::LANES)));
        for p in 0..P {
            let value = V::splat(*values[p].add(k));
            for n in 0..N {
                sums[p][n] = sums[p][n].multiply_add(value, weights[n]);
            }
        }
    }
}
