//! Weights packed in the order in which the kernels read them.

use rayon::prelude::*;

use super::winograd::transform::transform_weights;
use super::winograd::weights::{self, weights_len};
use super::{Geometry, Path, path};
use crate::isa::Isa;
use crate::scratch::Buffer;

/// Weights and bias of one convolution, packed for one instruction set.
#[derive(Clone, Debug)]
pub struct Packed {
    isa: Isa,
    channels: [usize; 2],
    kernel: [usize; 2],
    groups: usize,
    winograd: bool,
    /// Dense: for each group and tile of channels `[kh][kw][ci / groups][tile]`. Depthwise: for each tile
    /// `[kh][kw][tile]`. Winograd: see [`transform_weights`].
    pub(super) weights: Buffer,
    /// The bias of each group (depthwise: of all channels), zero-padded to whole tiles.
    pub(super) bias: Vec<f32>,
    /// The window, cut so that each piece's weights for a tile of channels fit in half the L1 cache.
    pub(super) pieces: Vec<Piece>,
    /// Dense: the tiles of a group. Depthwise: all tiles.
    pub(super) tiles: Vec<Tile>,
}

/// Consecutive output channels that are computed together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tile {
    /// Its first channel, within the group.
    pub(super) first: usize,
    /// Channels including padding: one or two whole vectors.
    pub(super) width: usize,
}

/// A piece of the window: several whole rows, or part of one row. A row is `kw * ci` consecutive values.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    /// Its first row.
    pub(super) row: usize,
    pub(super) rows: usize,
    /// Its first value in each row.
    pub(super) from: usize,
    /// Values in each row.
    pub(super) len: usize,
}

/// Approximate number of values in a piece of the window.
const DEPTH: usize = 256;

fn pieces(rows: usize, len: usize) -> Vec<Piece> {
    if len <= DEPTH {
        let together = DEPTH / len;
        let firsts = (0..rows).step_by(together);
        return firsts
            .map(|row| Piece {
                row,
                rows: together.min(rows - row),
                from: 0,
                len,
            })
            .collect();
    }
    let even = len.div_ceil(len.div_ceil(DEPTH));
    let parts = move |row| {
        (0..len).step_by(even).map(move |from| Piece {
            row,
            rows: 1,
            from,
            len: even.min(len - from),
        })
    };
    (0..rows).flat_map(parts).collect()
}

/// Splits channels into tiles of two vectors; the last tile has one vector if that is enough for the remainder.
fn tiles(channels: usize, lanes: usize) -> Vec<Tile> {
    let firsts = (0..channels).step_by(2 * lanes);
    firsts
        .map(|first| Tile {
            first,
            width: if channels - first > lanes { 2 * lanes } else { lanes },
        })
        .collect()
}

/// Splits channels into tiles; if there are enough channels for a whole tile, the last one overlaps its neighbor
/// instead of extending past the end.
fn overlapping_tiles(channels: usize, width: usize) -> Vec<Tile> {
    let last = channels.saturating_sub(width);
    (0..channels)
        .step_by(width)
        .map(|first| Tile {
            first: first.min(last),
            width,
        })
        .collect()
}

/// Packs `weights` `[co, ci / groups, kh, kw]` and `bias` `[co]` (`None`: zeros) for [`super::forward`]. Only the
/// channels, kernel, stride and groups of `geometry` matter; the result works for any number and size of images.
///
/// # Panics
/// If a slice has the wrong length for `geometry`.
pub fn pack(isa: Isa, geometry: &Geometry, weights: &[f32], bias: Option<&[f32]>) -> Packed {
    geometry.check();
    assert_eq!(weights.len(), geometry.weight_len(), "length of weights");
    assert!(
        bias.is_none_or(|bias| bias.len() == geometry.out_channels),
        "length of bias"
    );
    let path = path(isa, geometry);
    let depthwise = path == Path::Depthwise;
    let (groups, group) = match depthwise {
        true => (1, geometry.out_channels),
        false => (geometry.groups, geometry.group_outputs()),
    };
    let (ci, area) = (geometry.group_inputs(), geometry.kernel[0] * geometry.kernel[1]);
    let tiles = match depthwise {
        true => overlapping_tiles(group, 2 * isa.lanes()),
        false => tiles(group, isa.lanes()),
    };
    let filled: usize = tiles.iter().map(|tile| tile.width).sum();
    let len = match path {
        Path::Winograd => weights_len(isa, ci, group),
        _ => groups * filled * area * ci,
    };
    let mut packed = Packed {
        isa,
        channels: [geometry.in_channels, geometry.out_channels],
        kernel: geometry.kernel,
        groups: geometry.groups,
        winograd: path == Path::Winograd,
        weights: Buffer::zeros(len),
        bias: vec![0.0; groups * filled],
        pieces: pieces(geometry.kernel[0], geometry.kernel[1] * ci),
        tiles,
    };
    if packed.winograd {
        packed.bias.resize(weights::filled(isa, group), 0.0);
        packed.bias[..group].copy_from_slice(bias.unwrap_or(&vec![0.0; group]));
        transform_weights(isa, ci, weights, &mut packed.weights);
        return packed;
    }
    let mut rest: &mut [f32] = &mut packed.weights;
    let mut parts = Vec::new();
    for g in 0..groups {
        let mut filling = g * filled;
        for &Tile { first, width } in &packed.tiles {
            let channels = g * group + first..g * group + (first + width).min(group);
            if let Some(bias) = bias {
                packed.bias[filling..][..channels.len()].copy_from_slice(&bias[channels.clone()]);
            }
            let (part, others) = rest.split_at_mut(area * ci * width);
            parts.push((part, &weights[channels.start * ci * area..channels.end * ci * area]));
            rest = others;
            filling += width;
        }
    }
    let fill = |(part, weights): (&mut [f32], &[f32])| fill(part, weights, ci, area);
    match len < SHARED {
        true => parts.into_iter().for_each(fill),
        false => parts.into_par_iter().for_each(fill),
    }
    packed
}

/// Weights from which on threads share the packing.
const SHARED: usize = 1 << 15;

/// The weights `[co][ci][area]` of a tile's channels as `[area][ci][width]`, of which the channels may fill but the
/// first. Both are read and written a few cache lines at a time.
fn fill(part: &mut [f32], weights: &[f32], ci: usize, area: usize) {
    const LINE: usize = 16;
    let width = part.len() / (area * ci);
    for from in (0..ci).step_by(LINE) {
        let until = (from + LINE).min(ci);
        for (channel, weights) in weights.chunks_exact(area * ci).enumerate() {
            for c in from..until {
                for k in 0..area {
                    part[(k * ci + c) * width + channel] = weights[c * area + k];
                }
            }
        }
    }
}

impl Packed {
    pub(super) fn check(&self, isa: Isa, geometry: &Geometry) {
        geometry.check();
        assert_eq!(self.isa, isa, "packed for another instruction set");
        assert_eq!(
            self.channels,
            [geometry.in_channels, geometry.out_channels],
            "packed for other channels"
        );
        assert_eq!(
            (self.kernel, self.groups),
            (geometry.kernel, geometry.groups),
            "packed for another kernel"
        );
        assert_eq!(
            self.winograd,
            path(isa, geometry) == Path::Winograd,
            "packed for another stride"
        );
    }
}
