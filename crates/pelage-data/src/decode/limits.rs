//! What one image may cost, told from its header, before anything is allocated for it.

use std::sync::atomic::{AtomicU64, Ordering};

use super::damage::Damaged;
use super::memory::Held;

/// What an image may cost: guards against decompression bombs.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Pixels.
    pub max_pixels: u64,
    /// Bytes that reading, decoding and resizing may hold at once, on all threads together: one that would need more
    /// is refused, and one that finds too little left waits for others to end.
    pub max_alloc_bytes: u64,
    /// What becomes of one that is damaged.
    pub damaged: Damaged,
}

/// Pixels that [`Limits::default`] allows.
static MAX_PIXELS: AtomicU64 = AtomicU64::new(COMMON_PIXELS);

/// 100 megapixels.
const COMMON_PIXELS: u64 = 100_000_000;

/// What is enough for these.
const COMMON_BYTES: u64 = 512 << 20;

impl Default for Limits {
    /// 100 megapixels and 512 MiB, or what [`Limits::raise`] has set; no damaged ones, or what [`Damaged::set`] has.
    fn default() -> Self {
        Limits {
            damaged: Damaged::current(),
            ..Limits::of_pixels(MAX_PIXELS.load(Ordering::Relaxed))
        }
    }
}

impl Limits {
    /// So many pixels, and 512 MiB, or in proportion for more than 100 megapixels.
    pub fn of_pixels(max_pixels: u64) -> Limits {
        let share = u128::from(COMMON_BYTES) * u128::from(max_pixels) / u128::from(COMMON_PIXELS);
        Limits {
            max_pixels,
            max_alloc_bytes: u64::try_from(share).unwrap_or(u64::MAX).max(COMMON_BYTES),
            damaged: Damaged::Skip,
        }
    }

    /// Lets images have `max_pixels`, and memory in proportion, wherever this process decodes some by the default.
    pub fn raise(max_pixels: u64) {
        MAX_PIXELS.store(max_pixels.max(1), Ordering::Relaxed);
    }

    /// Why a file of so many bytes is not read, where it is not.
    #[cfg(feature = "files")]
    pub(crate) fn check_file(&self, bytes: u64) -> Result<(), String> {
        let limit = self.max_alloc_bytes;
        if bytes > limit {
            return Err(format!(
                "too large: a file of {} MiB, the limit is {} MiB",
                bytes >> 20,
                limit >> 20
            ));
        }
        Ok(())
    }

    /// Holds what a copy of a file takes, beside the file, or refuses it: both in bytes.
    pub(crate) fn hold_copy(&self, file: u64, copy: u64) -> Result<Held, String> {
        let (needed, limit) = (file.saturating_add(copy), self.max_alloc_bytes);
        if needed > limit {
            return Err(format!(
                "too large: reading it takes {} MiB, the limit is {} MiB",
                needed.div_ceil(1 << 20),
                limit >> 20
            ));
        }
        Ok(Held::to_copy(file, copy, limit))
    }

    /// Why an image is not made of another one of `size` (width, height), where that takes more bytes than allowed.
    pub(crate) fn check_bytes(&self, [width, height]: [u32; 2], needed: u64) -> Result<(), String> {
        if needed > self.max_alloc_bytes {
            let (needed, limit) = (needed.div_ceil(1 << 20), self.max_alloc_bytes >> 20);
            return Err(format!(
                "too large: {width}x{height} pixels need {needed} MiB, the limit is {limit} MiB"
            ));
        }
        Ok(())
    }
}

/// What one image may cost, and what it costs beside its decoding.
pub(super) struct Budget<'a> {
    pub(super) limits: &'a Limits,
    /// Bytes of its file, which are in memory.
    pub(super) file: u64,
    /// Bytes that an image of some width and height will need when it has been decoded, beside its pixels.
    pub(super) afterwards: &'a dyn Fn([u32; 2]) -> u64,
}

impl Budget<'_> {
    /// Holds what an image of `size` (width, height) needs, or refuses one that costs too much: `decoding` bytes to
    /// make an RGB image of the size `made`, these included.
    pub(super) fn hold(&self, size: [u32; 2], made: [u32; 2], decoding: u64) -> Result<Held, String> {
        let needed = self.check(size, made, decoding)?;
        Ok(Held::to_decode(needed, self.limits.max_alloc_bytes))
    }

    /// Bytes that an image needs, its file included, or why it costs too much; as of [`Budget::hold`].
    pub(super) fn check(&self, size: [u32; 2], made: [u32; 2], decoding: u64) -> Result<u64, String> {
        let [width, height] = size;
        let pixels = pixels(size);
        if pixels == 0 {
            return Err("damaged: no pixels".into());
        }
        if pixels > self.limits.max_pixels {
            // Not rounded down to the limit.
            let (has, limit) = (pixels.div_ceil(1_000_000), self.limits.max_pixels / 1_000_000);
            return Err(format!(
                "too large: {width}x{height} pixels are {has} megapixels, the limit is {limit} megapixels"
            ));
        }
        let afterwards = rgb_bytes(made).saturating_add((self.afterwards)(made));
        let needed = self.file.saturating_add(decoding.max(afterwards));
        self.limits.check_bytes(size, needed)?;
        Ok(needed)
    }

    /// Holds what a copy of the file takes, of so many bytes, beside the file; or refuses it.
    pub(super) fn hold_copy(&self, bytes: u64) -> Result<Held, String> {
        self.limits.hold_copy(self.file, bytes)
    }
}

/// The reason of a decoder that needs more than it may for what is not pixels; how much it does not say.
pub(super) fn beside_pixels(limits: &Limits) -> String {
    format!(
        "too large: its parts beside the pixels need more than the limit of {} MiB",
        limits.max_alloc_bytes >> 20
    )
}

pub(super) fn pixels([width, height]: [u32; 2]) -> u64 {
    u64::from(width) * u64::from(height)
}

pub(super) fn rgb_bytes(size: [u32; 2]) -> u64 {
    3 * pixels(size)
}
