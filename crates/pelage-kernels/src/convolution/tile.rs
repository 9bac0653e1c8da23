//! Computes a block of pixels in register tiles of pixels by channels.

use super::finish::Finish;
use super::multiply::multiply;
use super::pack::{Piece, Tile};
use super::{Activation, Geometry, Packed};
use crate::isa::for_each_isa;
use crate::vector::{Simd, Vector};
use std::mem::MaybeUninit;
use std::ops::Range;

/// The pixels of a block: where their windows are, and how their sums are finished.
pub(super) struct Block<'a> {
    /// The values that the windows are in.
    pub(super) source: &'a [f32],
    /// Distance between rows of a window, in values.
    pub(super) row: usize,
    /// Offset of each pixel's window in `source`.
    pub(super) offsets: &'a [usize],
    /// Added before the activation; same layout as the output.
    pub(super) residual: Option<&'a [f32]>,
    pub(super) activation: Activation,
    /// Distance between output pixels, in values.
    pub(super) stride: usize,
}

/// Length of [`block`]'s scratch memory: partial sums of a part's pixels, up to two vectors of 16 each.
pub(super) const WAITING: usize = PART * 32;

/// Pixels whose partial sums stay in the L1 cache until the next piece of the window.
const PART: usize = 96;

/// Pixels in a tile of two vectors in WebAssembly: engines on x86 have 15 registers for sums, two vectors of weights, a
/// value, and the product where multiplying and adding are two instructions.
#[cfg(target_arch = "wasm32")]
const WEB: usize = if cfg!(target_feature = "relaxed-simd") { 6 } else { 4 };

// The vector type; pixels in a tile of two vectors, and in one of one vector.
for_each_isa!(vectors block, block_body,
    [avx512: 12, 12; avx2: 6, 12; neon: 8, 12; simd128: WEB, 8; portable: 4, 8],
    (g: &Geometry, packed: &Packed, group: usize, block: &Block, waiting: &mut [f32], output: &mut [MaybeUninit<f32>]));

#[inline(always)]
fn block_body<V: Vector, const P: usize, const Q: usize>(
    simd: Simd<V>,
    g: &Geometry,
    packed: &Packed,
    group: usize,
    block: &Block,
    waiting: &mut [f32],
    output: &mut [MaybeUninit<f32>],
) {
    let window = g.kernel[0] * g.kernel[1] * g.group_inputs();
    let filled = packed.bias.len() / g.groups;
    let channels = g.group_outputs();
    let reach = (g.kernel[0] - 1) * block.row + g.kernel[1] * g.group_inputs();
    // The furthest window; checking it once replaces the checks in the loops.
    let last = block
        .offsets
        .iter()
        .fold(0, |last, &offset| if offset > last { offset } else { last });
    assert!(last + reach <= block.source.len());
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
                pieces: &packed.pieces,
            };
            if width == 2 * V::LANES {
                columns.over::<V, 2, P>(simd, block, pixels.clone(), waiting, output);
            } else {
                columns.over::<V, 1, Q>(simd, block, pixels.clone(), waiting, output);
            }
        }
    }
}

/// Pixels that are finished in all channels before moving on, a multiple of every tile's pixels: enough for the L2
/// cache to supply the weights or, if all weights fit in L2, few enough for the output to stay in L1.
fn part(weights: usize, channels: usize) -> usize {
    if weights > 1 << 16 {
        PART
    } else {
        ((1 << 13) / channels).clamp(24, PART) / 24 * 24
    }
}

/// A tile of channels and its weights `[window][width]`.
struct Columns<'a> {
    weights: &'a [f32],
    bias: &'a [f32],
    pieces: &'a [Piece],
    finish: Finish<'a>,
}

/// Where a tile's sums are read from and written to.
#[derive(Clone, Copy)]
struct Stage {
    from: *const f32,
    /// Distance between the sums of consecutive pixels at `from`; 0 if all start from the bias.
    stride: usize,
    /// Where to store partial sums; `None` after the last piece of the window.
    waiting: Option<*mut f32>,
}

impl Columns<'_> {
    /// Computes the given pixels of the block.
    #[inline(always)]
    fn over<V: Vector, const N: usize, const P: usize>(
        &self,
        simd: Simd<V>,
        block: &Block,
        pixels: Range<usize>,
        waiting: &mut [f32],
        output: &mut [MaybeUninit<f32>],
    ) {
        let width = N * V::LANES;
        assert!(self.bias.len() == width && waiting.len() >= pixels.len() * width);
        // As few tiles as possible, of nearly equal size: small tiles waste arithmetic.
        let tiles = pixels.len().div_ceil(P);
        let (even, more) = (pixels.len() / tiles, pixels.len() % tiles);
        let mut weights = self.weights;
        for (i, piece) in self.pieces.iter().enumerate() {
            let (now, later) = weights.split_at(piece.rows * piece.len * width);
            weights = later;
            let mut at = pixels.start;
            for tile in 0..tiles {
                let count = even + usize::from(tile < more);
                let sums = waiting[(at - pixels.start) * width..][..count * width].as_mut_ptr();
                let (from, stride) = if i == 0 {
                    (self.bias.as_ptr(), 0)
                } else {
                    (sums.cast_const(), width)
                };
                let waiting = (!later.is_empty()).then_some(sums);
                let stage = Stage { from, stride, waiting };
                macro_rules! one_of {
                    ($($n:literal)*) => {
                        match count {
                            // SAFETY: the stage points to `width` values for each of `count` pixels, or to the bias;
                            // the piece is part of the window, whose end `block_body` has checked for each offset;
                            // `now` holds its weights.
                            $($n if $n <= P => unsafe {
                                self.pixels::<V, N, $n>(simd, block, *piece, now, at, stage, output)
                            },)*
                            _ => unreachable!("no code for a tile of this many pixels"),
                        }
                    };
                }
                one_of!(1 2 3 4 5 6 7 8 9 10 11 12);
                at += count;
            }
        }
    }

    /// Adds one piece of the window for `P` pixels, starting at pixel `at`.
    ///
    /// # Safety
    /// See the call site.
    #[inline(always)]
    unsafe fn pixels<V: Vector, const N: usize, const P: usize>(
        &self,
        simd: Simd<V>,
        block: &Block,
        piece: Piece,
        weights: &[f32],
        at: usize,
        stage: Stage,
        output: &mut [MaybeUninit<f32>],
    ) {
        let offsets: &[usize; P] = block.offsets[at..].first_chunk().expect("an offset for each pixel");
        // SAFETY: guaranteed by the caller. Loops, not `map` or `from_fn`: the compiler might not inline their closures
        // into a function compiled for an instruction set.
        unsafe {
            let mut sums = [[V::splat(simd, 0.0); N]; P];
            let mut values = [std::ptr::null(); P];
            for p in 0..P {
                for n in 0..N {
                    sums[p][n] = V::load_at(simd, stage.from.add(p * stage.stride + n * V::LANES));
                }
                values[p] = block
                    .source
                    .as_ptr()
                    .add(offsets[p] + piece.row * block.row + piece.from);
            }
            let mut weights = weights.as_ptr();
            for row in 0..piece.rows {
                let mut line = values;
                for p in 0..P {
                    line[p] = values[p].add(row * block.row);
                }
                sums = multiply(simd, line, piece.len, weights, sums);
                weights = weights.add(piece.len * N * V::LANES);
            }
            let Some(waiting) = stage.waiting else {
                return self.finish.pixels(simd, sums, at, output);
            };
            for p in 0..P {
                for n in 0..N {
                    sums[p][n].store_at(waiting.add((p * N + n) * V::LANES));
                }
            }
        }
    }
}
