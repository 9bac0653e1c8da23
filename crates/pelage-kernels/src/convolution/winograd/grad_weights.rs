//! The weight gradient by the same filtering. The outputs of a tile are `Y = A' (V . U) A` with `V = G g G'`, so the
//! gradient of `g` is `G' (sum of Z . U) G`, where `Z = A dY A'`: the sums over tiles take 36 multiply-adds per pair of
//! channels, against 144 of direct convolution.
//!
//! Patches and gradients are transformed in blocks of tiles, as many as fit in the cache together; then the products of
//! each matrix are summed over them. One thread sums a value over all tiles, so the order of summation does not depend
//! on the number of threads.

use rayon::prelude::*;

use super::transform::{grad_weights_vectors, transform_gradient, transform_patch};
use super::{Grid, MATRICES, SIDE};
use crate::convolution::Geometry;
use crate::convolution::grad_weights::add;
use crate::isa::{Isa, for_each_isa};
use crate::scratch;
use crate::vector::{Simd, Vector};

/// Tiles of a block, whose products are added to sums that stay in registers.
const BLOCK: usize = 64;

/// Transformed values of blocks that are summed in one go.
const TOGETHER: usize = 1 << 20;

/// Fewest tiles for which the saved multiply-adds outweigh the transform of the sums.
const FEWEST: usize = 64;

/// Whether this path is faster, of a convolution that [`super::suits`].
pub(crate) fn suits(isa: Isa, g: &Geometry) -> bool {
    g.in_channels.is_multiple_of(2 * isa.lanes())
        && g.out_channels.is_multiple_of(isa.lanes())
        && Grid::of(g).tiles(g.batch) >= FEWEST
}

/// Distance between the gradients of two tiles, in values: not a multiple of 4096 bytes, for the reason of
/// [`super::matrix_len`].
fn row(out_channels: usize) -> usize {
    out_channels + 16
}

/// Overwrites `grad_weights` `[co, ci, 3, 3]`.
pub(crate) fn grad_weights(isa: Isa, g: &Geometry, input: &[f32], grad_output: &[f32], grad_weights: &mut [f32]) {
    let (ci, co, width) = (g.in_channels, g.out_channels, 2 * isa.lanes());
    let work = Work {
        grid: Grid::of(g),
        size: [g.output_height(), g.output_width()],
        input,
        grad_output,
        out_channels: co,
    };
    let (tiles, block_len) = (work.grid.tiles(g.batch), MATRICES * BLOCK * (ci + row(co)));
    let blocks = tiles.div_ceil(BLOCK);
    let together = (TOGETHER / block_len).clamp(1, blocks);
    scratch::with(together * block_len + MATRICES * ci * co, |buffer| {
        let (transformed, sums) = buffer.split_at_mut(together * block_len);
        sums.fill(0.0);
        for first in (0..blocks).step_by(together) {
            let transformed = &mut transformed[..together.min(blocks - first) * block_len];
            let of = |block: usize| (first + block) * BLOCK..tiles.min((first + block + 1) * BLOCK);
            transformed
                .par_chunks_exact_mut(block_len)
                .enumerate()
                .for_each(|(block, transformed)| {
                    scratch::with(ci.max(co), |zeros| {
                        zeros.fill(0.0);
                        transform(isa, &work, of(block).start, of(block).len(), zeros, transformed);
                    });
                });
            sums.par_chunks_exact_mut(co * width)
                .enumerate()
                .for_each(|(piece, sums)| {
                    let (matrix, piece) = (piece / (ci / width), piece % (ci / width));
                    for (block, transformed) in transformed.chunks_exact(block_len).enumerate() {
                        let (patches, gradients) = transformed.split_at(MATRICES * BLOCK * ci);
                        let patches = &patches[(matrix * ci + piece * width) * BLOCK..];
                        let gradients = &gradients[matrix * BLOCK * row(co)..];
                        add_tiles(isa, of(block).len(), row(co), patches, gradients, sums);
                    }
                });
        }
        grad_weights
            .par_chunks_exact_mut(9 * ci)
            .enumerate()
            .for_each(|(channel, grads)| finish(isa, channel, co, sums, grads));
    });
}

/// What is convolved with what.
pub(crate) struct Work<'a> {
    grid: Grid,
    /// Rows and columns of an output image.
    size: [usize; 2],
    input: &'a [f32],
    grad_output: &'a [f32],
    out_channels: usize,
}

for_each_isa!(vectors transform, transform_body,
    (work: &Work, first: usize, count: usize, zeros: &[f32], transformed: &mut [f32]));

/// Transforms `count` tiles from `first` on: patches to `[matrix][ci / 2 vectors][BLOCK][2 vectors]`, and after them
/// gradients to `[matrix][BLOCK][row]`. Beyond the images are `zeros`.
#[inline(always)]
fn transform_body<V: Vector>(
    simd: Simd<V>,
    work: &Work,
    first: usize,
    count: usize,
    zeros: &[f32],
    transformed: &mut [f32],
) {
    let (grid, ci, co, width) = (&work.grid, work.grid.channels, work.out_channels, 2 * V::LANES);
    let (patches, gradients) = transformed.split_at_mut(MATRICES * BLOCK * ci);
    assert!(count <= BLOCK && ci.is_multiple_of(width) && co.is_multiple_of(V::LANES));
    assert!(gradients.len() == MATRICES * BLOCK * row(co) && zeros.len() >= ci.max(co));
    for i in 0..count {
        let mut patch = grid.patch(work.input, zeros, first + i);
        for c in (0..ci).step_by(width) {
            let to = patches[c * BLOCK + i * width..].as_mut_ptr();
            // SAFETY: each pointer of the patch is to `ci` values, from `c` on; the tile's two vectors of each matrix
            // are within its part of `patches`, by the assertion.
            unsafe {
                transform_patch(simd, &patch, width, to, BLOCK * ci);
                for place in &mut patch {
                    *place = place.add(width);
                }
            }
        }
        let gradient = grid.outputs(work.grad_output, work.size, co, zeros, first + i);
        let to = gradients[i * row(co)..].as_mut_ptr();
        // SAFETY: each pointer is to `co` values, whole vectors; the tile's row of each matrix is within `gradients`,
        // by the assertions.
        unsafe { transform_gradient(simd, &gradient, co, to, BLOCK * row(co)) };
    }
}

// The vector type; output channels at once.
for_each_isa!(vectors add_tiles, add_tiles_body,
    [avx512: 12; avx2: 6; neon: 8; simd128: 4; portable: 4],
    (tiles: usize, stride: usize, patches: &[f32], gradients: &[f32], sums: &mut [f32]));

/// Adds to `sums` `[co][2 vectors]` the products of `tiles` gradients, `stride` apart, with patches of two vectors.
#[inline(always)]
fn add_tiles_body<V: Vector, const P: usize>(
    simd: Simd<V>,
    tiles: usize,
    stride: usize,
    patches: &[f32],
    gradients: &[f32],
    sums: &mut [f32],
) {
    add::<V, P>(simd, tiles, stride, patches, gradients, sums);
}

for_each_isa!(vectors finish, finish_body,
    (channel: usize, out_channels: usize, sums: &[f32], grads: &mut [f32]));

/// Overwrites the gradients `[ci, 3, 3]` of one output channel, from all sums
/// `[matrix][ci / 2 vectors][co][2 vectors]`.
#[inline(always)]
fn finish_body<V: Vector>(simd: Simd<V>, channel: usize, out_channels: usize, sums: &[f32], grads: &mut [f32]) {
    let (ci, width) = (grads.len() / 9, 2 * V::LANES);
    assert!(sums.len() == MATRICES * ci * out_channels && channel < out_channels);
    for c in (0..ci).step_by(V::LANES) {
        let at = (c / width * out_channels + channel) * width + c % width;
        // SAFETY: a vector of each matrix is within `sums`, by the assertion.
        let found = unsafe { grad_weights_vectors(simd, sums.as_ptr().add(at), ci * out_channels) };
        let mut values = [[0.0; MAX_LANES]; 9];
        for (values, found) in values.iter_mut().zip(found) {
            found.store(values);
        }
        for (lane, grads) in grads[9 * c..][..9 * V::LANES].chunks_exact_mut(9).enumerate() {
            for k in 0..9 {
                grads[k] = values[k][lane];
            }
        }
    }
}

/// Lanes of the longest vector.
const MAX_LANES: usize = 16;

impl Grid {
    /// Pointers to the channels of each gradient of a tile's outputs, row by row; to `zeros` beyond the image.
    #[inline(always)]
    fn outputs(
        &self,
        grad_output: &[f32],
        [height, width]: [usize; 2],
        channels: usize,
        zeros: &[f32],
        tile: usize,
    ) -> [*const f32; SIDE * SIDE] {
        let (row, x) = (tile / self.columns, SIDE * (tile % self.columns));
        let (n, y) = (row / self.rows, SIDE * (row % self.rows));
        let image = &grad_output[n * height * width * channels..][..height * width * channels];
        let mut places = [zeros.as_ptr(); SIDE * SIDE];
        for (i, place) in places.iter_mut().enumerate() {
            let (y, x) = (y + i / SIDE, x + i % SIDE);
            if y < height && x < width {
                *place = image[(y * width + x) * channels..][..channels].as_ptr();
            }
        }
        places
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_taken_where_tiles_are_many_and_channels_whole_vectors() {
        let layer = |batch, size, [in_channels, out_channels]: [usize; 2]| Geometry {
            batch,
            height: size,
            width: size,
            in_channels,
            out_channels,
            kernel: [3, 3],
            stride: [1, 1],
            padding: [1; 4],
            groups: 1,
        };
        for isa in Isa::available() {
            assert!(suits(isa, &layer(1, 29, [32, 16])), "64 tiles");
            assert!(suits(isa, &layer(64, 4, [512, 512])));
            assert!(!suits(isa, &layer(63, 4, [512, 512])));
            assert!(!suits(isa, &layer(1, 29, [33, 16])) && !suits(isa, &layer(1, 29, [32, 17])));
        }
    }
}
