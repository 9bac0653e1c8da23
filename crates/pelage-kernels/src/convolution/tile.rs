//! A block of pixels, in register tiles of pixels by channels.

use super::finish::Finish;
use super::pack::Tile;
use super::{Activation, Geometry, Packed};
use crate::isa::{for_each_isa_with, multiply_add};

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

/// Window numbers whose weights for a tile of channels stay in the L1 cache while the pixels of a part go by.
const DEPTH: usize = 256;

/// Pixels whose unfinished sums wait in the L1 cache for the next piece of the window.
const PART: usize = 96;

/// The widest tile of channels there is.
const WIDEST: usize = 48;

// Channels of one, two and three units, pixels of a tile with up to two units, with three, fused multiply-add.
for_each_isa_with!(block, block_body,
    avx512: [16, 32, 48, 12, 8, true], avx2: [8, 16, 24, 6, 4, true],
    neon: [8, 16, 24, 6, 4, true], portable: [4, 8, 12, 4, 3, false],
    (g: &Geometry, packed: &Packed, group: usize, block: &Block, output: &mut [f32]));

#[inline(always)]
fn block_body<
    const ONE: usize,
    const TWO: usize,
    const THREE: usize,
    const P: usize,
    const Q: usize,
    const FUSED: bool,
>(
    g: &Geometry,
    packed: &Packed,
    group: usize,
    block: &Block,
    output: &mut [f32],
) {
    let window = g.kernel[0] * g.kernel[1] * g.group_inputs();
    let filled = packed.bias.len() / g.groups;
    let channels = g.group_outputs();
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
            },
            rows: g.kernel[0],
            run: g.kernel[1] * g.group_inputs(),
        };
        if width == ONE {
            columns.over::<ONE, P, FUSED>(block, output);
        } else if width == TWO {
            columns.over::<TWO, P, FUSED>(block, output);
        } else {
            columns.over::<THREE, Q, FUSED>(block, output);
        }
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
struct Piece {
    first_row: usize,
    rows: usize,
    from: usize,
    len: usize,
}

impl Columns<'_> {
    /// The piece of the window that starts at number `start`, of at most about [`DEPTH`].
    #[inline(always)]
    fn piece(&self, start: usize) -> Piece {
        let (first_row, from) = (start / self.run, start % self.run);
        if self.run <= DEPTH {
            let rows = (DEPTH / self.run).min(self.rows - first_row);
            return Piece { first_row, rows, from, len: self.run };
        }
        let even = self.run.div_ceil(self.run.div_ceil(DEPTH));
        Piece { first_row, rows: 1, from, len: even.min(self.run - from) }
    }

    /// All pixels of the block.
    #[inline(always)]
    fn over<const C: usize, const P: usize, const FUSED: bool>(&self, block: &Block, output: &mut [f32]) {
        let mut waiting = [0.0f32; PART * WIDEST];
        let bias: &[f32; C] = self.bias.try_into().expect("a bias for each channel of the tile");
        let window = self.rows * self.run;
        for part in (0..block.offsets.len()).step_by(PART) {
            let pixels = PART.min(block.offsets.len() - part);
            // As few tiles as possible, and all about equally large: small ones waste arithmetic.
            let tiles = pixels.div_ceil(P);
            let mut start = 0;
            while start < window {
                let piece = self.piece(start);
                let end = start + piece.rows * piece.len;
                let weights = &self.weights[start * C..end * C];
                let mut pixel = 0;
                for tile in 0..tiles {
                    let next = (tile + 1) * pixels / tiles;
                    let waiting = &mut waiting[pixel * C..next * C];
                    let stage = Stage { first: start == 0, last: end == window, bias, waiting };
                    let at = part + pixel;
                    macro_rules! one_of {
                        ($($n:literal)*) => {
                            match next - pixel {
                                $($n if $n <= P => self.pixels::<C, $n, FUSED>(block, piece, weights, at, stage, output),)*
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
    }

    /// Adds one piece of the window for `P` pixels from pixel `at` on.
    #[inline(always)]
    fn pixels<const C: usize, const P: usize, const FUSED: bool>(
        &self,
        block: &Block,
        piece: Piece,
        weights: &[f32],
        at: usize,
        stage: Stage<C>,
        output: &mut [f32],
    ) {
        let offsets: &[usize; P] = block.offsets[at..].first_chunk().expect("a pixel for each row of the tile");
        let (waiting, _) = stage.waiting.as_chunks_mut::<C>();
        let waiting: &mut [[f32; C]; P] = waiting.try_into().expect("sums for each pixel");
        let mut sums = if stage.first { [*stage.bias; P] } else { *waiting };
        let corner = piece.first_row * block.row + piece.from;
        let starts = offsets.map(|offset| offset + corner);
        multiply::<C, P, FUSED>(block, piece, starts, weights, &mut sums);
        if !stage.last {
            *waiting = sums;
            return;
        }
        for (p, sums) in sums.iter_mut().enumerate() {
            self.finish.channels::<C, FUSED>((at + p) * block.stride, sums, output);
        }
    }
}

/// Where the sums of a tile come from and where they go.
struct Stage<'a, const C: usize> {
    first: bool,
    last: bool,
    bias: &'a [f32; C],
    waiting: &'a mut [f32],
}

/// The innermost loops: every number of the piece times its weights, for `P` pixels by `C` channels.
#[inline(always)]
fn multiply<const C: usize, const P: usize, const FUSED: bool>(
    block: &Block,
    piece: Piece,
    starts: [usize; P],
    weights: &[f32],
    sums: &mut [[f32; C]; P],
) {
    let mut local = *sums;
    for (row, weights) in weights.chunks_exact(piece.len * C).enumerate() {
        let values = starts.map(|start| &block.source[start + row * block.row..][..piece.len]);
        for (k, weights) in weights.chunks_exact(C).enumerate() {
            for (values, sums) in values.iter().zip(&mut local) {
                // SAFETY: `weights` holds `len` times C numbers, so k is less than `len`, the length of `values`.
                let value = unsafe { *values.get_unchecked(k) };
                for (sum, weight) in sums.iter_mut().zip(weights) {
                    *sum = multiply_add::<FUSED>(value, *weight, *sum);
                }
            }
        }
    }
    *sums = local;
}
