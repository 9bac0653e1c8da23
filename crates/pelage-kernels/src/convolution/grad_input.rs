//! The input gradient: for stride s, s * s stride-1 convolutions of the output gradient.
//!
//! Rows of the padded input that are congruent modulo the stride meet the same rows of the kernel, and likewise
//! columns. Each such phase is a convolution with those rows and columns, flipped, and with input and output channels
//! exchanged. This holds for dense, grouped and depthwise convolutions, and [`forward`] is fast for all of them.

use super::{Activation, Geometry, forward, pack};
use crate::isa::Isa;
use crate::scratch;
use rayon::prelude::*;

/// One phase along one axis.
#[derive(Clone, Copy)]
struct Phase {
    /// The remainder modulo the stride.
    rest: usize,
    /// Kernel rows that it meets.
    kernel: usize,
    /// Start and end of its rows of the padded input (in steps of the stride) that are within the input.
    first: usize,
    end: usize,
    /// The row that the first computed row corresponds to.
    base: usize,
    /// Zero padding before and after the output gradient.
    before: usize,
    after: usize,
}

impl Phase {
    fn new(g: &Geometry, axis: usize, rest: usize) -> Phase {
        let (stride, padding) = (g.stride[axis], g.padding[axis]);
        let (size, output) = [(g.height, g.output_height()), (g.width, g.output_width())][axis];
        let kernel = g.kernel[axis].saturating_sub(rest).div_ceil(stride);
        let first = padding.saturating_sub(rest).div_ceil(stride);
        let end = (size + padding).saturating_sub(rest).div_ceil(stride).max(first);
        let base = first.min(kernel.saturating_sub(1));
        let before = kernel.saturating_sub(1) - base;
        let after = (end - base + kernel).saturating_sub(1 + output + before);
        Phase {
            rest,
            kernel,
            first,
            end,
            base,
            before,
            after,
        }
    }

    /// The computed row for input row `at`, if that belongs to this phase.
    fn computed(&self, g: &Geometry, axis: usize, at: usize) -> Option<usize> {
        let padded = at + g.padding[axis];
        (padded % g.stride[axis] == self.rest).then(|| padded / g.stride[axis] - self.base)
    }
}

/// Overwrites `grad_input`.
pub(super) fn grad_input(isa: Isa, g: &Geometry, weights: &[f32], grad_output: &[f32], grad_input: &mut [f32]) {
    for rest in (0..g.stride[0] * g.stride[1]).map(|phase| [phase / g.stride[1], phase % g.stride[1]]) {
        let [rows, columns] = [0, 1].map(|axis| Phase::new(g, axis, rest[axis]));
        if rows.first == rows.end || columns.first == columns.end {
            continue;
        }
        if rows.kernel == 0 || columns.kernel == 0 {
            spread(g, rows, columns, None, grad_input);
            continue;
        }
        let phase = Geometry {
            batch: g.batch,
            height: g.output_height(),
            width: g.output_width(),
            in_channels: g.out_channels,
            out_channels: g.in_channels,
            kernel: [rows.kernel, columns.kernel],
            stride: [1, 1],
            padding: [rows.before, columns.before, rows.after, columns.after],
            groups: g.groups,
        };
        let packed = pack(isa, &phase, &turned(g, rows, columns, weights), None);
        if g.stride == [1, 1] && phase.output_len() == grad_input.len() && rows.first == rows.base {
            return forward(isa, &phase, grad_output, &packed, None, Activation::None, grad_input);
        }
        scratch::with(phase.output_len(), |computed| {
            forward(isa, &phase, grad_output, &packed, None, Activation::None, computed);
            let size = [phase.output_height(), phase.output_width()];
            spread(g, rows, columns, Some((computed, size)), grad_input);
        });
    }
}

/// The kernel of a phase, `[ci, co / groups, rows, columns]`.
fn turned(g: &Geometry, rows: Phase, columns: Phase, weights: &[f32]) -> Vec<f32> {
    let (ci, co) = (g.group_inputs(), g.group_outputs());
    let mut turned = vec![0.0; g.in_channels * co * rows.kernel * columns.kernel];
    let channels = turned.par_chunks_exact_mut(co * rows.kernel * columns.kernel);
    channels.enumerate().for_each(|(c, turned)| {
        let mut places = turned.iter_mut();
        for o in 0..co {
            let from = ((c / ci * co + o) * ci + c % ci) * g.kernel[0];
            for y in (0..rows.kernel).rev() {
                let from = (from + y * g.stride[0] + rows.rest) * g.kernel[1];
                for (x, to) in (0..columns.kernel).rev().zip(&mut places) {
                    *to = weights[from + x * g.stride[1] + columns.rest];
                }
            }
        }
    });
    turned
}

/// Copies the computed pixels to the input pixels of this phase; zeros where nothing was computed.
fn spread(g: &Geometry, rows: Phase, columns: Phase, computed: Option<(&[f32], [usize; 2])>, grad_input: &mut [f32]) {
    let c = g.in_channels;
    grad_input
        .par_chunks_mut(g.width * c)
        .enumerate()
        .for_each(|(row, line)| {
            let Some(y) = rows.computed(g, 0, row % g.height) else {
                return;
            };
            for (x, pixel) in line.chunks_exact_mut(c).enumerate() {
                let Some(x) = columns.computed(g, 1, x) else { continue };
                match computed {
                    None => pixel.fill(0.0),
                    Some((computed, [height, width])) => {
                        let at = ((row / g.height * height + y) * width + x) * c;
                        pixel.copy_from_slice(&computed[at..at + c]);
                    }
                }
            }
        });
}
