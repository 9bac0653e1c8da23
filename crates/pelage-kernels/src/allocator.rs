//! What the program's allocator keeps.

/// Gives memory that was freed back to the operating system, where the program allocates by mimalloc. That keeps it for
/// a second, since as much may be asked for soon: steps of training do, but large images that come one after the other
/// would take twice what they need. It is the memory of the whole program, and where another thread is at it already,
/// nothing happens.
pub fn give_back() {
    #[cfg(feature = "mimalloc")]
    // SAFETY: it may be called at any time, on any thread, and takes no pointer.
    unsafe {
        libmimalloc_sys::mi_collect(true);
    }
}
