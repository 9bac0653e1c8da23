//! The hot operations of pelage on slices, channels last (NHWC) in f32. No Burn, no files.
//!
//! Every kernel has one source, compiled once for each instruction set; an [`isa::Isa`] value chooses among them at
//! run time. Most are written over fixed-size arrays that the compiler turns into vectors; the hot tiles of the
//! convolution name their vectors, since the compiler did not keep those sums in registers. All `unsafe` of the
//! project is here.

pub mod allocator;
pub mod attention;
pub mod batch_norm;
pub mod bf16;
pub mod conv_block;
pub mod convolution;
pub mod dense;
pub mod dropout;
mod exponential;
mod fresh;
pub mod isa;
pub mod loss;
mod narrow;
pub mod optimizer;
pub mod orthogonal;
pub mod peak;
pub mod pixels;
pub mod pooling;
pub mod quantized;
mod scratch;
pub mod split_mix;
mod vector;
