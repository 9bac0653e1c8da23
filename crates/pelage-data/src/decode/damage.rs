//! Whether a damaged image is taken with what is there of it, and how many were.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

crate::choices! {
    /// What becomes of a JPEG whose data are damaged in places, or end before the image does.
    #[derive(Default)]
    Damaged {
        /// It counts as unreadable, with the share that is missing.
        #[default]
        Skip = "skip",
        /// It is taken with what is there; the rest is gray, or whatever the damage makes of it.
        Take = "take",
    }
}

/// Whether damaged images are taken by default.
static TAKE: AtomicBool = AtomicBool::new(false);

/// Hashes of those that were.
static TAKEN: Mutex<BTreeSet<u64>> = Mutex::new(BTreeSet::new());

impl Damaged {
    /// What this process does with damaged images, wherever it decodes some by the default limits.
    pub fn set(self) {
        TAKE.store(self == Damaged::Take, Ordering::Relaxed);
    }

    /// What was [`Damaged::set`].
    pub fn current() -> Damaged {
        match TAKE.load(Ordering::Relaxed) {
            true => Damaged::Take,
            false => Damaged::Skip,
        }
    }

    /// Number of damaged images, by content, that this process has decoded and taken.
    pub fn taken() -> usize {
        TAKEN.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// Counts a damaged image that was taken, once, however often it is decoded.
pub(super) fn note(bytes: &[u8]) {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    TAKEN
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(hasher.finish());
}
