//! Our own operations inside Burn.
//!
//! On the CPU (Burn's Flex backend) they run `pelage-kernels` with a handwritten backward step; on every other
//! device the same result comes from a composition of Burn's own operations.

mod conv_block;

pub use conv_block::{conv_block, conv_block_composed};
