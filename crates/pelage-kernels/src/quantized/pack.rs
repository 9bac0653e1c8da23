//! Weights of bytes in the order in which the kernels read them.

use super::dot::{Arm, Rescale, channel};
use super::stride;
use crate::convolution::Geometry;
use crate::isa::Isa;
use crate::narrow::{Tile, is_depthwise, tiles};

/// Weights of one convolution and what becomes of their sums, packed for one instruction set.
#[derive(Clone, Debug)]
pub struct Packed {
    pub(super) arm: Arm,
    /// Channels in and out, groups.
    channels: [usize; 3],
    kernel: [usize; 2],
    /// Dense: for each tile `[kh][kw * stride(ci) / 4][vector][lane][4 channels]`. Depthwise: for each tile
    /// `[kh / 4][kw][vector][lane][4 rows]`.
    pub(super) weights: Vec<i8>,
    /// What sums begin with, and what they are multiplied by, for each tile `[vector][lane]`.
    pub(super) start: Vec<i32>,
    pub(super) multipliers: Vec<f32>,
    pub(super) tiles: Vec<Tile>,
    /// The byte that means 0 in the input.
    pub(super) zero: u8,
    pub(super) rescale: Rescale,
}

/// What the bytes of a convolution's maps mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scheme {
    /// The byte that means 0 in the input, and so what it is padded with.
    pub input_zero: u8,
    /// The same of the output.
    pub output_zero: u8,
    /// The least and the greatest byte of the output: those of an activation's bounds.
    pub limits: [u8; 2],
    /// What is added, if a map is: the byte that means 0 in it, and its scale divided by the output's.
    pub residual: Option<(u8, f32)>,
}

/// The greatest value before rounding, far out of the limits, and far from what the conversion to integers cannot do.
const GREATEST: f64 = (1u32 << 30) as f64;

/// Packs `weights` `[co, ci / groups, kh, kw]` for [`super::forward`]. A channel's output is `multipliers` times (sum
/// of products plus `bias`), `[co]` both. Only channels, kernel and groups of `geometry` matter.
///
/// # Errors
/// A message if sums could leave 32 bits, or multipliers make numbers that nobody means of them.
///
/// # Panics
/// If a slice has the wrong length for `geometry`, or [`super::computes`] does not hold for it.
pub fn pack(
    isa: Isa,
    geometry: &Geometry,
    weights: &[i8],
    bias: &[i32],
    multipliers: &[f32],
    scheme: Scheme,
) -> Result<Packed, &'static str> {
    let g = geometry;
    assert!(super::computes(g), "groups that no kernel computes");
    assert_eq!(weights.len(), g.weight_len(), "length of weights");
    assert_eq!(
        [bias.len(), multipliers.len()],
        [g.out_channels; 2],
        "length of bias and multipliers"
    );
    let start = starts(g, weights, bias, multipliers, scheme)?;
    let (arm, depthwise) = (Arm::of(isa), is_depthwise(g));
    let (lanes, ci, area) = (arm.lanes(), g.group_inputs(), g.kernel[0] * g.kernel[1]);
    let window = match depthwise {
        true => g.kernel[0].div_ceil(4) * g.kernel[1] * 4,
        false => area * stride(ci),
    };
    let mut packed = Packed {
        arm,
        channels: [g.in_channels, g.out_channels, g.groups],
        kernel: g.kernel,
        weights: Vec::new(),
        start: Vec::new(),
        multipliers: Vec::new(),
        tiles: tiles(stride(g.out_channels), lanes, arm.widest()),
        zero: scheme.input_zero,
        rescale: Rescale {
            zero: scheme.output_zero,
            limits: scheme.limits,
            residual: scheme.residual,
        },
    };
    let all = packed.tiles.last().map_or(0, |tile| tile.lanes + tile.vectors * lanes);
    packed.weights = vec![0; all * window];
    (packed.start, packed.multipliers) = (vec![0; all], vec![0.0; all]);
    for tile in &packed.tiles {
        let weight = &mut packed.weights[tile.lanes * window..][..tile.vectors * lanes * window];
        for (vector, lane) in (0..tile.vectors).flat_map(|vector| (0..lanes).map(move |lane| (vector, lane))) {
            let (at, co) = (vector * lanes + lane, tile.first + channel(tile.vectors, vector, lane));
            if co >= g.out_channels {
                continue;
            }
            packed.start[tile.lanes + at] = start[co];
            packed.multipliers[tile.lanes + at] = multipliers[co];
            for (i, (ky, kx)) in (0..g.kernel[0])
                .flat_map(|ky| (0..g.kernel[1]).map(move |kx| (ky, kx)))
                .enumerate()
            {
                for c in 0..ci {
                    let (four, byte) = match depthwise {
                        true => (ky / 4 * g.kernel[1] + kx, ky % 4),
                        false => (i * stride(ci) / 4 + c / 4, c % 4),
                    };
                    weight[(four * tile.vectors * lanes + at) * 4 + byte] = weights[(co * ci + c) * area + i];
                }
            }
        }
    }
    Ok(packed)
}

/// What the sums of each channel begin with: the bias, less what the input's zero would add.
fn starts(
    g: &Geometry,
    weights: &[i8],
    bias: &[i32],
    multipliers: &[f32],
    scheme: Scheme,
) -> Result<Vec<i32>, &'static str> {
    let added = match scheme.residual {
        Some((_, factor)) if !(factor > 0.0 && factor.is_finite()) => return Err("a scale is no positive number"),
        Some((_, factor)) => 255.0 * f64::from(factor),
        None => 0.0,
    };
    if scheme.limits[0] > scheme.limits[1] {
        return Err("the least byte is greater than the greatest");
    }
    let channels = weights
        .chunks_exact(weights.len() / g.out_channels)
        .zip(bias)
        .zip(multipliers);
    let start = channels.map(|((weights, &bias), &multiplier)| {
        let sum: i64 = weights.iter().map(|&weight| i64::from(weight)).sum();
        let size: i64 = weights.iter().map(|&weight| i64::from(weight).abs()).sum();
        let start = i64::from(bias) - i64::from(scheme.input_zero) * sum;
        let greatest = start.abs() + 255 * size;
        let is_sound = multiplier >= 0.0 && greatest as f64 * f64::from(multiplier) + added <= GREATEST;
        match i32::try_from(start) {
            Ok(start) if is_sound && greatest <= i64::from(i32::MAX) => Ok(start),
            _ => Err("its numbers are too large for sums of 32 bits"),
        }
    });
    start.collect()
}

impl Packed {
    pub(super) fn check(&self, geometry: &Geometry, has_residual: bool) {
        assert_eq!(
            (self.channels, self.kernel),
            (
                [geometry.in_channels, geometry.out_channels, geometry.groups],
                geometry.kernel
            ),
            "packed for another kernel"
        );
        assert_eq!(
            self.rescale.residual.is_some(),
            has_residual,
            "packed for another residual"
        );
    }
}
