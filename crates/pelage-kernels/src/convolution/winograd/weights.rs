//! Sizes of tiles, patches and transformed weights.

use crate::isa::Isa;

/// Minimum number of input and output channels for which the saved multiply-adds outweigh the transforms.
const FEWEST: usize = 8;

/// Whether this path is faster for these channels; the input channels must be whole vectors.
pub(crate) fn suits(isa: Isa, in_channels: usize, out_channels: usize) -> bool {
    in_channels.is_multiple_of(isa.lanes()) && in_channels >= FEWEST && out_channels >= FEWEST
}

/// Channels of the products: the output channels, padded to whole tiles of two vectors.
pub(crate) fn filled(isa: Isa, out_channels: usize) -> usize {
    out_channels.next_multiple_of(2 * isa.lanes())
}

/// Side of an output tile, and of the input patch that it depends on.
pub(crate) const SIDE: usize = 4;
pub(crate) const PATCH: usize = SIDE + 2;

/// Number of matrices of transformed values.
pub(crate) const MATRICES: usize = PATCH * PATCH;

/// Length of the transformed weights.
pub(crate) fn weights_len(isa: Isa, in_channels: usize, out_channels: usize) -> usize {
    MATRICES * in_channels * filled(isa, out_channels)
}
