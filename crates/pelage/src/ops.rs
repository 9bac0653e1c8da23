//! Our own operations inside Burn.
//!
//! On the CPU (Burn's Flex backend) they run `pelage-kernels` with a handwritten backward step; on every other
//! device the same result comes from a composition of Burn's own operations. All tensors are channels last.

mod conv_block;
mod dense;
mod dropout;
mod flex;
pub mod optimizer;

pub use conv_block::{conv_block, conv_block_composed};
pub use dense::{dense, dense_composed};
pub use dropout::dropout;
