//! The output of an operation, in bytes or in f32.

use pelage_kernels::quantized as kernel;

use super::super::map::Map;
use super::super::windows;
use crate::networks::graph::Pool;

/// The output of an operation.
#[derive(Clone, Debug)]
pub(super) enum Held {
    Bytes(Bytes),
    Floats(Map),
}

/// A map of bytes.
#[derive(Clone, Debug)]
pub(super) struct Bytes {
    pub(super) size: [usize; 2],
    pub(super) channels: usize,
    pub(super) values: Vec<u8>,
}

impl Held {
    pub(super) fn size(&self) -> [usize; 2] {
        match self {
            Held::Bytes(Bytes { size, .. }) | Held::Floats(Map { size, .. }) => *size,
        }
    }
}

/// Whether the bytes of a map lie as those of one pixel would.
pub(super) fn is_tight(channels: usize, size: [usize; 2]) -> bool {
    size == [1, 1] || kernel::stride(channels) == channels
}

/// The greatest byte of each window.
pub(super) fn max_pool(pool: &Pool, x: &Bytes) -> Bytes {
    let geometry = windows(pool, x.size, x.channels);
    Bytes {
        size: [geometry.output_height(), geometry.output_width()],
        channels: x.channels,
        values: kernel::max_pool(&geometry, &x.values),
    }
}
