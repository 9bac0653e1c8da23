//! Buffers that a thread keeps between calls, aligned to cache lines.
//!
//! A vector that straddles two cache lines costs two loads, which halves the speed of a loop that does one multiply-add
//! a load; and memory that goes back to the system after each call costs its page faults anew at the next. So after
//! the first training step the kernels allocate nothing of size.
//!
//! A kernel holds its buffers in a thread-local `Cell`, takes them out at its start and puts them back at its end: a
//! call from within, as when a thread that waits for others is handed another picture, finds empty ones. (No closure
//! does that, since a closure's body is compiled without the instruction set of the function around it.)

/// Bytes of a cache line, and of the widest vector.
const LINE: usize = 64;

/// Memory that grows and never shrinks.
#[derive(Default)]
pub(crate) struct Buffer(Vec<f32>);

impl Buffer {
    /// `len` numbers of any value, the first one at the start of a cache line.
    pub(crate) fn get(&mut self, len: usize) -> &mut [f32] {
        let lead = LINE / size_of::<f32>();
        if self.0.len() < len + lead {
            // A new one, not `resize`: what the old one held is not worth copying.
            self.0 = vec![0.0; len + lead];
        }
        // `align_offset` may answer that it does not know (under Miri); then the start is as good as any.
        let start = self.0.as_ptr().align_offset(LINE).min(lead);
        &mut self.0[start..start + len]
    }
}
