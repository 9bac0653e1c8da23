//! Custom operations for Burn.
//!
//! On the CPU (Burn's Flex backend) they run `pelage-kernels` with a handwritten backward pass; on every other device
//! they are composed of Burn's own operations, with the same result. All tensors are channels last.

mod attention;
mod backward;
mod batch_norm;
mod chain;
mod conv_block;
mod convolution;
mod cross_entropy;
mod dense;
mod dropout;
mod flex;
pub mod optimizer;
mod packed;
mod pooling;

pub use crate::options::{Activation, Options};
pub use attention::{attention, attention_composed};
pub use batch_norm::{Gather, Normalized, batch_norm, batch_norm_composed};
pub use chain::{Link, convolution_chain};
pub use conv_block::{conv_block, conv_block_composed};
pub use convolution::{convolution, convolution_composed, convolution_packed};
pub use cross_entropy::{Wanted, cross_entropy, cross_entropy_composed};
pub use dense::{dense, dense_composed};
pub use dropout::dropout;
pub use packed::{Once, Packed, PackedBlock};
pub use pooling::{
    average_pool, global_average_pool, global_average_pool_composed, max_pool, max_pool_composed, mean_pool,
};
