//! Memory aligned to cache lines, and buffers that each thread keeps between calls.
//!
//! Loading a vector that straddles two cache lines takes two accesses, which halves the speed of a loop with one
//! multiply-add per load; and memory returned to the system after each call page-faults again at the next. So after
//! the first training step the kernels make no large allocations.
//!
//! A kernel that is entirely compiled for an instruction set keeps its buffers in a thread-local `Cell`, takes them at
//! the start and puts them back at the end: a nested call, as when a waiting thread steals work on another image,
//! finds empty ones. [`with`] does this for the other kernels; not for these, since the body of a closure is compiled
//! without the instruction set of the surrounding function.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

use crate::fresh::Element;

/// Values in a cache line, which is as wide as the widest vector.
const LINE: usize = 16;

/// Values aligned to a cache line; as scratch memory, it grows and never shrinks.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    values: Vec<f32>,
    /// The first value of a line.
    start: usize,
    len: usize,
}

impl Buffer {
    pub(crate) fn zeros(len: usize) -> Self {
        // Of one kind of number, so that memory that is new, and zero, is not written once more.
        let values = vec![0.0; len + LINE - 1];
        let start = values.as_ptr().align_offset(LINE * size_of::<f32>());
        Buffer { values, start, len }
    }

    /// `len` values with arbitrary contents.
    pub(crate) fn get(&mut self, len: usize) -> &mut [f32] {
        if self.values.len() < len + LINE - 1 {
            // A new one, not `resize`: the old contents need not be copied, nor be there meanwhile.
            *self = Buffer::default();
            *self = Buffer::zeros(len);
        }
        self.len = len;
        self
    }
}

impl Clone for Buffer {
    /// At another address, its lines may begin elsewhere.
    fn clone(&self) -> Self {
        let mut copy = Buffer::zeros(self.len);
        copy.copy_from_slice(self);
        copy
    }
}

impl Deref for Buffer {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        &self.values[self.start..][..self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.values[self.start..][..self.len]
    }
}

thread_local! {
    static FREE: RefCell<Vec<Buffer>> = const { RefCell::new(Vec::new()) };
}

/// Runs `work` on `len` values of this thread's memory, with arbitrary contents. Calls may be nested.
pub(crate) fn with<R>(len: usize, work: impl FnOnce(&mut [f32]) -> R) -> R {
    let mut buffer = FREE.with_borrow_mut(Vec::pop).unwrap_or_default();
    let result = work(buffer.get(len));
    FREE.with_borrow_mut(|free| free.push(buffer));
    result
}

/// [`with`], of values of another kind that are no longer than those.
pub(crate) fn with_values<T: Element, R>(len: usize, work: impl FnOnce(&mut [T]) -> R) -> R {
    with((len * size_of::<T>()).div_ceil(size_of::<f32>()), |values| {
        // SAFETY: an element is a plain number, of any bits, and the memory is aligned for all of them.
        let (_, values, _) = unsafe { values.align_to_mut::<T>() };
        work(&mut values[..len])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_begin_a_line_wherever_they_are() {
        let mut buffer = Buffer::zeros(5);
        for len in [5, 3, 16, 1000, 17] {
            buffer.get(len).fill(len as f32);
            let copy = buffer.clone();
            assert_eq!(*copy, vec![len as f32; len]);
            for buffer in [&buffer, &copy] {
                assert_eq!(buffer.as_ptr() as usize % 64, 0);
            }
        }
    }
}
