//! The epilogue of a tile of convolution outputs, still in registers: bias, ReLU or nothing, max-pooling.

use std::mem::MaybeUninit;

use super::CUT;

/// Bias and maximum of the four convolution outputs under a pooled pixel, cut off at `floor`, for the first
/// `output.len()` of `C` channels.
#[inline(always)]
pub(super) fn pool<const C: usize>(
    sums: &[[f32; C]; 4],
    bias: &[f32],
    floor: f32,
    output: &mut [MaybeUninit<f32>],
    winners: &mut [MaybeUninit<u8>],
) {
    if output.len() == C {
        channels::<C, true>(sums, bias, floor, output, winners);
    } else {
        channels::<C, false>(sums, bias, floor, output, winners);
    }
}

/// `ALL` means all channels: with the length known at compile time, the copies become plain vector stores.
#[inline(always)]
fn channels<const C: usize, const ALL: bool>(
    sums: &[[f32; C]; 4],
    bias: &[f32],
    floor: f32,
    output: &mut [MaybeUninit<f32>],
    winners: &mut [MaybeUninit<u8>],
) {
    let bias: &[f32; C] = bias.first_chunk().expect("a bias for each channel of the tile");
    let (mut values, mut narrow) = ([0.0f32; C], [0u8; C]);
    for j in 0..C {
        let (mut best, mut won) = (sums[0][j], 0u32);
        for q in 1..4 {
            let better = sums[q][j] > best;
            won = if better { q as u32 } else { won };
            best = if better { sums[q][j] } else { best };
        }
        best += bias[j];
        narrow[j] = if best > floor { won as u8 } else { CUT };
        // Not max(): NaN has to propagate, so that training notices it.
        values[j] = if best <= floor { floor } else { best };
    }
    if ALL {
        output[..C].write_copy_of_slice(&values);
        winners[..C].write_copy_of_slice(&narrow);
    } else {
        output.write_copy_of_slice(&values[..output.len()]);
        winners.write_copy_of_slice(&narrow[..winners.len()]);
    }
}
