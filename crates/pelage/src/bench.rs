//! How fast this machine is: kernels against its multiply-add peak, training, inference.

pub mod inference;
pub mod kernels;
mod machine;
pub mod steps;
mod throughput;
mod timing;
pub mod training;

pub use machine::{Machine, machine, processor};
pub use throughput::Throughput;
