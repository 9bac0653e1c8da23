//! Which images look the same, whatever their size and compression.

mod look;
mod near;

use crate::decode::{self, Limits};
use crate::preprocess::Preprocessing;

pub use look::Look;
pub(crate) use near::near_groups;

/// The shorter side at which a large JPEG is looked at, as training and prediction read it for images of 150 pixels.
const LEAST_SIDE: u32 = 300;

/// The width and height of an image, and what it looks like; or why it cannot be read.
pub(crate) fn look_at(bytes: &[u8]) -> std::result::Result<([u32; 2], Look), String> {
    // What prediction would refuse is told here, and not looked at for long.
    let seen = Preprocessing::new(LEAST_SIDE / 2);
    let decoded = decode::decode_for(bytes, &Limits::default(), LEAST_SIDE, &|size| seen.resizing_bytes(size))?;
    Ok((decoded.size, Look::of(&decoded.image)))
}

/// How many of `validation` look like one of `train`, be it by way of others.
pub fn count_leaked(train: &[Look], validation: &[Look]) -> usize {
    let looks: Vec<_> = train.iter().chain(validation).enumerate().collect();
    let is_trained = |at: &&usize| **at < train.len();
    let leaked = near_groups(&looks).into_iter().map(|group| {
        let trained = group.iter().filter(is_trained).count();
        if trained > 0 { group.len() - trained } else { 0 }
    });
    leaked.sum()
}
