//! Memory for results, not cleared first: clearing what is overwritten at once costs a tenth of a forward pass.

/// What [`fresh`] makes vectors of: numbers for which every pattern of bits is one.
pub(crate) trait Number: Copy {
    /// One that no kernel writes.
    const UNWRITTEN: Self;
}
impl Number for f32 {
    const UNWRITTEN: f32 = f32::NAN;
}
impl Number for u8 {
    const UNWRITTEN: u8 = u8::MAX;
}

/// `len` numbers of any value.
///
/// # Safety
/// The caller writes every number before any is read.
pub(crate) unsafe fn fresh<T: Number>(len: usize) -> Vec<T> {
    if cfg!(debug_assertions) {
        // A number that a kernel forgets shows.
        return vec![T::UNWRITTEN; len];
    }
    let mut values = Vec::with_capacity(len);
    // SAFETY: there is room for `len` numbers, every pattern of bits is one, and none is read before it is written.
    #[allow(clippy::uninit_vec, reason = "the caller's promise")]
    unsafe {
        values.set_len(len);
    }
    values
}
