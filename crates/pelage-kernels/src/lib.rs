//! Numbers on slices: the hot operations of pelage, channels last (NHWC) in f32. No Burn, no files.
//!
//! Every kernel is one source, written over fixed-size arrays that the compiler turns into vectors, and compiled once
//! for each instruction set; an [`isa::Isa`] value chooses among them at run time. All `unsafe` of the project is here.

pub mod conv_block;
pub mod convolution;
pub mod dropout;
pub mod isa;
pub mod pooling;
