//! Tiles, patches and transformed weights by their sizes.

use crate::isa::Isa;

/// Fewest input and output channels for which the saved multiply-adds outweigh the transforms.
const FEWEST: usize = 8;

/// Whether this is the faster way for these channels; the input's have to be whole vectors.
pub(crate) fn suits(isa: Isa, in_channels: usize, out_channels: usize) -> bool {
    in_channels.is_multiple_of(isa.lanes()) && in_channels >= FEWEST && out_channels >= FEWEST
}

/// Channels of the products: the output's, padded to whole tiles of two vectors.
pub(crate) fn filled(isa: Isa, out_channels: usize) -> usize {
    out_channels.next_multiple_of(2 * isa.lanes())
}

/// Rows and columns of a tile of outputs, and of the patch of inputs that it sees.
pub(crate) const SIDE: usize = 4;
pub(crate) const PATCH: usize = SIDE + 2;

/// Matrices of transformed values.
pub(crate) const MATRICES: usize = PATCH * PATCH;

/// Values in the transformed weights.
pub(crate) fn weights_len(isa: Isa, in_channels: usize, out_channels: usize) -> usize {
    MATRICES * in_channels * filled(isa, out_channels)
}
