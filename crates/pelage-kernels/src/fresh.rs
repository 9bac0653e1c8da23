//! Memory for results that is not cleared first: clearing what is overwritten at once costs a tenth of a forward pass.
//!
//! Kernels take such memory as `&mut [MaybeUninit<T>]`, down to where a tile leaves its registers: above that point
//! they only cut slices, at that point they only write. So nothing can be read before it is written, and one promise is
//! left, that all was written: [`Fresh::into_vec`]'s. Scratch memory, and sums that kernels add to, are ordinary
//! values. So are the slices that callers bring for results; [`as_uninit`] lets them take the same way.

use std::mem::MaybeUninit;

/// An element of a result.
pub(crate) trait Element: Copy {
    /// What no kernel writes.
    const UNWRITTEN: Self;
}
impl Element for f32 {
    const UNWRITTEN: f32 = f32::NAN;
}
impl Element for u8 {
    const UNWRITTEN: u8 = u8::MAX;
}

/// A vector in the making.
pub(crate) struct Fresh<T> {
    /// Empty, with room for `len`.
    values: Vec<T>,
    len: usize,
}

impl<T: Element> Fresh<T> {
    /// Room for `len` elements.
    pub(crate) fn new(len: usize) -> Self {
        let mut fresh = Fresh {
            values: Vec::with_capacity(len),
            len,
        };
        if cfg!(debug_assertions) {
            // What a kernel forgets shows.
            fresh.slots().fill(MaybeUninit::new(T::UNWRITTEN));
        }
        fresh
    }

    /// Where the elements go.
    pub(crate) fn slots(&mut self) -> &mut [MaybeUninit<T>] {
        &mut self.values.spare_capacity_mut()[..self.len]
    }

    /// The elements.
    ///
    /// # Safety
    /// All [`Self::slots`] were written.
    pub(crate) unsafe fn into_vec(mut self) -> Vec<T> {
        // SAFETY: there is room for `len` elements, and they were written, by the caller's promise.
        unsafe { self.values.set_len(self.len) };
        self.values
    }
}

/// `values` as the slots of a result, to be overwritten.
///
/// # Safety
/// Nothing uninitialised is written to them.
pub(crate) unsafe fn as_uninit<T>(values: &mut [T]) -> &mut [MaybeUninit<T>] {
    // SAFETY: the same layout; the elements stay initialised, by the caller's promise.
    unsafe { &mut *(std::ptr::from_mut(values) as *mut [MaybeUninit<T>]) }
}
