//! What follows a tile of convolution outputs while it is still in registers: bias, ReLU, maximum.

use super::CUT;

/// Bias, ReLU and maximum of the four convolution outputs under a pooled pixel, for the first `output.len()` of `C`
/// channels.
#[inline(always)]
pub(super) fn pool<const C: usize>(sums: &[[f32; C]; 4], bias: &[f32], output: &mut [f32], winners: &mut [u8]) {
    let bias: &[f32; C] = bias.first_chunk().expect("a bias for each channel of the tile");
    let (mut best, mut won) = (sums[0], [0u32; C]);
    for (q, sums) in sums.iter().enumerate().skip(1) {
        for j in 0..C {
            let better = sums[j] > best[j];
            won[j] = if better { q as u32 } else { won[j] };
            best[j] = if better { sums[j] } else { best[j] };
        }
    }
    let mut narrow = [0u8; C];
    for j in 0..C {
        best[j] += bias[j];
        let alive = best[j] > 0.0;
        narrow[j] = if alive { won[j] as u8 } else { CUT };
        // Not max(): a NaN has to stay one, so that training notices.
        best[j] = if best[j] <= 0.0 { 0.0 } else { best[j] };
    }
    // A copy of a length known beforehand is a store of registers.
    match (output.first_chunk_mut::<C>(), winners.first_chunk_mut::<C>()) {
        (Some(output), Some(winners)) => {
            *output = best;
            *winners = narrow;
        }
        _ => {
            output.copy_from_slice(&best[..output.len()]);
            winners.copy_from_slice(&narrow[..winners.len()]);
        }
    }
}
