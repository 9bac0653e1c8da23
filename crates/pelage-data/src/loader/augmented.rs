//! One augmented image, from the pixels that are kept to the numbers of a batch: a part of it, at the size of the
//! batch; operators on its 8-bit values; Keras's changes and normalization in one pass; a rectangle erased.

use std::borrow::Cow;

use pelage_kernels::pixels::Normalization;
use pelage_kernels::split_mix::mix;

use crate::Result;
use crate::augment::{Augmentation, Random, crop, erasing};

/// A number for one image, or batch, in one epoch, independent between `purpose`s.
pub(super) fn key(seed: u64, epoch: u64, index: usize, purpose: u64) -> u64 {
    mix(mix(mix(seed.wrapping_add(purpose << 32)).wrapping_add(epoch)).wrapping_add(index as u64))
}

/// What is drawn for, each by numbers of its own.
const CHANGES: u64 = 2;
const FLIP: u64 = 3;
const PART: u64 = 4;
const OPERATORS: u64 = 5;
const ERASING: u64 = 6;

/// Which image it is, in which epoch of which run: all that its draws depend on.
#[derive(Clone, Copy)]
pub(super) struct Which {
    pub(super) seed: u64,
    pub(super) epoch: u64,
    pub(super) index: usize,
}

impl Which {
    fn random(self, purpose: u64) -> Random {
        Random(key(self.seed, self.epoch, self.index, purpose))
    }

    /// Whether an alternating flip shows the mirror image.
    fn is_flipped(self) -> bool {
        let first = Which { epoch: 0, ..self }.random(FLIP).unit() < 0.5;
        first != (self.epoch % 2 == 1)
    }
}

/// Makes `out`, of the rows and columns `to`, of the image `which`, whose pixels are `kept` with the rows and columns
/// `from`; `resize` brings pixels of some rows and columns to those of `out`.
pub(super) fn write(
    augmentation: &Augmentation,
    which: Which,
    kept: Cow<'_, [u8]>,
    mut from: [usize; 2],
    resize: impl Fn(&[u8], [usize; 2]) -> Result<Vec<u8>>,
    normalization: &Normalization,
    out: &mut [f32],
    to: [usize; 2],
) -> Result<()> {
    let mut pixels = kept;
    if let Some(area) = augmentation.random_resized_crop {
        let part = crop::draw(area, from, &mut which.random(PART));
        pixels = Cow::Owned(part.of(&pixels, from[1]));
        from = [part.height, part.width];
    }
    let operators = augmentation.operators(to, &mut which.random(OPERATORS));
    // Keras's changes alone resample in the pass that makes them.
    if from != to && (!operators.is_empty() || augmentation.random_resized_crop.is_some()) {
        pixels = Cow::Owned(resize(&pixels, from)?);
        from = to;
    }
    if !operators.is_empty() {
        let owned = pixels.to_mut();
        operators.iter().for_each(|operator| operator.apply(owned, to));
    }
    let mut drawn = augmentation.draw(to[1], to[0], which.random(CHANGES).0);
    if augmentation.alternating_flip {
        drawn.horizontal_flip = which.is_flipped();
    }
    drawn.apply(&pixels, from, augmentation.border(), normalization, out, to);
    if augmentation.random_erasing > 0.0 {
        erasing::erase(augmentation.random_erasing, out, to, &mut which.random(ERASING));
    }
    Ok(())
}
