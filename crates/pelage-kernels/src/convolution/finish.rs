//! What happens to finished sums: residual, activation, and out.

use super::Activation;

/// The end of a convolution, for one tile of channels.
pub(super) struct Finish<'a> {
    pub(super) activation: Activation,
    /// Added before the activation; laid out as the output.
    pub(super) residual: Option<&'a [f32]>,
    /// The first channel of the tile in the output.
    pub(super) first: usize,
    /// Channels of the tile that exist.
    pub(super) valid: usize,
}

impl Finish<'_> {
    /// Writes the channels of the pixel that starts at `pixel` in the output.
    #[inline(always)]
    pub(super) fn channels<const C: usize, const FUSED: bool>(
        &self,
        pixel: usize,
        sums: &mut [f32; C],
        output: &mut [f32],
    ) {
        let to = pixel + self.first;
        if self.valid == C {
            if let Some(residual) = self.residual {
                sums.iter_mut().zip(&residual[to..to + C]).for_each(|(sum, add)| *sum += add);
            }
            self.activation.apply::<C, FUSED>(sums);
            output[to..to + C].copy_from_slice(sums);
        } else {
            if let Some(residual) = self.residual {
                sums.iter_mut().zip(&residual[to..to + self.valid]).for_each(|(sum, add)| *sum += add);
            }
            self.activation.apply::<C, FUSED>(sums);
            output[to..to + self.valid].copy_from_slice(&sums[..self.valid]);
        }
    }
}
