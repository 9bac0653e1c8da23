//! What the program's allocator keeps.

/// Milliseconds for which freed memory is kept.
#[cfg(feature = "mimalloc")]
const KEPT: std::ffi::c_long = 10_000;

/// `mi_option_purge_delay` of `mimalloc.h`, which `libmimalloc-sys` has no name for.
#[cfg(feature = "mimalloc")]
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// Keeps freed memory for ten seconds, where the program allocates by mimalloc. That keeps it for one by itself, and a
/// step of training takes as long as that: so each would begin with pages that the operating system has to clear first,
/// which took a seventh of ResNet-18's steps. `MIMALLOC_PURGE_DELAY` in the environment comes first.
pub fn keep() {
    #[cfg(feature = "mimalloc")]
    // SAFETY: it may be called at any time, on any thread; the option is one that mimalloc has.
    unsafe {
        libmimalloc_sys::mi_option_set_default(PURGE_DELAY, KEPT);
    }
}

/// Gives memory that was freed back to the operating system, where the program allocates by mimalloc. See [`keep`]:
/// steps of training ask for as much soon, but large images that come one after the other would take twice what they
/// need. It is the memory of the whole program, and where another thread is at it already, nothing happens.
pub fn give_back() {
    #[cfg(feature = "mimalloc")]
    // SAFETY: it may be called at any time, on any thread, and takes no pointer.
    unsafe {
        libmimalloc_sys::mi_collect(true);
    }
}

#[cfg(all(test, feature = "mimalloc"))]
mod tests {
    use super::*;

    #[test]
    fn memory_is_kept_as_long_as_is_said() {
        // SAFETY: see `keep`.
        let kept = || unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) };
        if std::env::var_os("MIMALLOC_PURGE_DELAY").is_none() {
            assert_eq!(kept(), 1000, "mimalloc's own");
            keep();
            assert_eq!(kept(), KEPT);
        }
    }
}
