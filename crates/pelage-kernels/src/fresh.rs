//! Memory for results, not cleared first: clearing what is overwritten at once costs a tenth of a forward pass.

/// `len` numbers of any value.
///
/// # Safety
/// The caller writes every number before any is read.
pub(crate) unsafe fn fresh(len: usize) -> Vec<f32> {
    if cfg!(debug_assertions) {
        // A number that a kernel forgets shows.
        return vec![f32::NAN; len];
    }
    let mut values = Vec::with_capacity(len);
    // SAFETY: there is room for `len` numbers, every pattern of bits is one, and none is read before it is written.
    #[allow(clippy::uninit_vec, reason = "the caller's promise")]
    unsafe {
        values.set_len(len);
    }
    values
}
