//! Uninitialized memory for results: zeroing what is about to be overwritten costs a tenth of a forward pass.
//!
//! Kernels take it as `&mut [MaybeUninit<T>]`, down to where a tile is stored from registers: above that point they
//! only split slices, at that point they only write. So nothing can be read before it is written, and the only
//! obligation left is [`Fresh::into_vec`]'s, that everything was written. Scratch memory, and sums that kernels add
//! to, are ordinary initialized values. So are result slices from callers; [`as_uninit`] passes them on in this form.

use std::mem::MaybeUninit;

/// An element of a result: a plain number, which any bits are.
pub(crate) trait Element: Copy {
    /// A value that no kernel writes.
    const UNWRITTEN: Self;
}
impl Element for f32 {
    const UNWRITTEN: f32 = f32::NAN;
}
impl Element for u8 {
    const UNWRITTEN: u8 = u8::MAX;
}
impl Element for u16 {
    const UNWRITTEN: u16 = u16::MAX;
}

/// A vector that is still to be written.
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
            // Makes elements that a kernel forgot visible.
            fresh.slots().fill(MaybeUninit::new(T::UNWRITTEN));
        }
        fresh
    }

    /// The elements to be written.
    pub(crate) fn slots(&mut self) -> &mut [MaybeUninit<T>] {
        &mut self.values.spare_capacity_mut()[..self.len]
    }

    /// The elements.
    ///
    /// # Safety
    /// All [`Self::slots`] must have been written.
    pub(crate) unsafe fn into_vec(mut self) -> Vec<T> {
        // SAFETY: the capacity is at least `len`, and the caller guarantees that the elements were written.
        unsafe { self.values.set_len(self.len) };
        self.values
    }
}

/// `values` as the slots of a result, to be overwritten.
///
/// # Safety
/// Nothing uninitialized may be written to them.
pub(crate) unsafe fn as_uninit<T>(values: &mut [T]) -> &mut [MaybeUninit<T>] {
    // SAFETY: the layout is the same, and the caller guarantees that the elements stay initialized.
    unsafe { &mut *(std::ptr::from_mut(values) as *mut [MaybeUninit<T>]) }
}
