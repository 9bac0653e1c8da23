//! Weights of bf16 in the order in which the kernels read them.

use super::dot::{Instructions, LANES, channel, nearest};
use super::stride;
use crate::convolution::Geometry;
use crate::narrow::{Tile, is_depthwise, tiles};

/// Two weights for each lane of a vector, in one cache line.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(super) struct Line(pub(super) [u16; 2 * LANES]);

/// Weights and bias of one convolution, packed.
#[derive(Clone, Debug)]
pub struct Packed {
    pub(super) instructions: Instructions,
    /// Channels in and out, groups.
    channels: [usize; 3],
    kernel: [usize; 2],
    /// Dense: for each tile `[kh][kw * stride(ci) / 2][vector]` of two channels for each lane. Depthwise: for each
    /// tile `[kh / 2][kw][vector]` of two rows.
    pub(super) weights: Vec<Line>,
    /// What sums begin with, for each tile `[vector][lane]`.
    pub(super) bias: Vec<f32>,
    pub(super) tiles: Vec<Tile>,
}

/// Packs `weights` `[co, ci / groups, kh, kw]`, each rounded to the nearest value, and `bias` `[co]` (`None`: zeros)
/// for [`super::forward`]. Only channels, kernel and groups of `geometry` matter.
///
/// # Panics
/// If a slice has the wrong length for `geometry`, or [`super::computes`] does not hold for it.
pub fn pack(instructions: Instructions, geometry: &Geometry, weights: &[f32], bias: Option<&[f32]>) -> Packed {
    let g = geometry;
    assert!(super::computes(g), "groups that no kernel computes");
    assert_eq!(weights.len(), g.weight_len(), "length of weights");
    assert!(bias.is_none_or(|bias| bias.len() == g.out_channels), "length of bias");
    let depthwise = is_depthwise(g);
    let (ci, area, wide) = (g.group_inputs(), g.kernel[0] * g.kernel[1], stride(g.out_channels));
    // Vectors of weights for each vector of a tile.
    let window = match depthwise {
        true => g.kernel[0].div_ceil(2) * g.kernel[1],
        false => area * stride(ci) / 2,
    };
    let tiles = match depthwise {
        true => pairs(wide),
        false => tiles(wide, LANES, 4),
    };
    let all = tiles.last().map_or(0, |tile| tile.lanes / LANES + tile.vectors);
    let mut packed = Packed {
        instructions,
        channels: [g.in_channels, g.out_channels, g.groups],
        kernel: g.kernel,
        weights: vec![Line([0; 2 * LANES]); all * window],
        bias: vec![0.0; all * LANES],
        tiles,
    };
    for tile in &packed.tiles {
        let lines = &mut packed.weights[tile.lanes / LANES * window..][..tile.vectors * window];
        for (vector, lane) in (0..tile.vectors).flat_map(|vector| (0..LANES).map(move |lane| (vector, lane))) {
            let within = match depthwise {
                true => channel(vector, lane),
                false => vector * LANES + lane,
            };
            let co = tile.first + within;
            if co >= g.out_channels {
                continue;
            }
            packed.bias[tile.lanes + vector * LANES + lane] = bias.map_or(0.0, |bias| bias[co]);
            for i in 0..area {
                let (ky, kx) = (i / g.kernel[1], i % g.kernel[1]);
                for c in 0..ci {
                    let (pair, part) = match depthwise {
                        true => (ky / 2 * g.kernel[1] + kx, ky % 2),
                        false => ((i * stride(ci) + c) / 2, c % 2),
                    };
                    lines[pair * tile.vectors + vector].0[2 * lane + part] = nearest(weights[(co * ci + c) * area + i]);
                }
            }
        }
    }
    packed
}

/// Tiles of two vectors each.
fn pairs(values: usize) -> Vec<Tile> {
    let firsts = (0..values).step_by(2 * LANES);
    let tile = |first| Tile {
        first,
        vectors: 2,
        valid: (values - first).min(2 * LANES),
        lanes: first,
    };
    firsts.map(tile).collect()
}

impl Packed {
    pub(super) fn check(&self, geometry: &Geometry) {
        assert_eq!(
            (self.channels, self.kernel),
            (
                [geometry.in_channels, geometry.out_channels, geometry.groups],
                geometry.kernel
            ),
            "packed for another kernel"
        );
    }
}
