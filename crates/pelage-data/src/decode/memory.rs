//! The memory that images may take together, shared by all threads that read and decode some.
//!
//! A thread takes what its image will need, known from the header, and waits where others have too much of it. It comes
//! in two steps: first what the file takes, then all of it. Threads that have a file and wait for the rest cannot wait
//! for each other: while they wait their files do not count, and nobody begins another file.

use std::cell::Cell;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// What all threads hold.
struct Shared {
    bytes: u64,
    /// Threads that have a file in memory and wait to decode it.
    waiting: usize,
}

static SHARED: Mutex<Shared> = Mutex::new(Shared { bytes: 0, waiting: 0 });
static FREED: Condvar = Condvar::new();

/// What this thread is at.
#[derive(Clone, Copy)]
enum Stage {
    Idle,
    /// It holds a file of so many bytes.
    #[cfg_attr(not(feature = "files"), allow(dead_code))]
    Reading(u64),
    /// It holds all that an image needs. One that it begins meanwhile, of work that it does for other threads, must
    /// not wait: it would be waiting for itself.
    Decoding,
}

thread_local! {
    static STAGE: Cell<Stage> = const { Cell::new(Stage::Idle) };
}

/// Memory that an image takes, until this is dropped.
pub(crate) struct Held {
    bytes: u64,
    before: Stage,
    /// It belongs to its thread.
    _not_sent: std::marker::PhantomData<*const ()>,
}

impl Held {
    /// Waits until a file of `bytes` can be read, of `limit` in all.
    #[cfg(feature = "files")]
    pub(crate) fn to_read(bytes: u64, limit: u64) -> Held {
        Held::take(bytes, limit, Stage::Reading(bytes))
    }

    /// Waits until an image that needs `bytes`, its file included, can be decoded, of `limit` in all.
    pub(super) fn to_decode(bytes: u64, limit: u64) -> Held {
        Held::take(bytes, limit, Stage::Decoding)
    }

    fn take(bytes: u64, limit: u64, next: Stage) -> Held {
        let before = STAGE.get();
        if !matches!(before, Stage::Decoding) {
            STAGE.set(next);
        }
        let mut shared = lock();
        // An image alone always finds what it needs, or the limit would have refused it.
        let full = |shared: &Shared| shared.bytes > 0 && shared.bytes.saturating_add(bytes) > limit;
        match before {
            Stage::Idle => {
                while shared.waiting > 0 && shared.bytes > 0 || full(&shared) {
                    shared = wait(shared);
                }
            }
            Stage::Reading(file) => {
                shared.bytes = shared.bytes.saturating_sub(file);
                shared.waiting += 1;
                FREED.notify_all();
                while full(&shared) {
                    shared = wait(shared);
                }
                shared.waiting -= 1;
            }
            Stage::Decoding => {}
        }
        shared.bytes = shared.bytes.saturating_add(bytes);
        Held {
            bytes,
            before,
            _not_sent: std::marker::PhantomData,
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut shared = lock();
        shared.bytes = shared.bytes.saturating_sub(self.bytes);
        if let Stage::Reading(file) = self.before {
            shared.bytes = shared.bytes.saturating_add(file);
        }
        STAGE.set(self.before);
        FREED.notify_all();
    }
}

fn lock() -> MutexGuard<'static, Shared> {
    SHARED.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wait(shared: MutexGuard<'static, Shared>) -> MutexGuard<'static, Shared> {
    FREED.wait(shared).unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Threads that read, then decode, and while they decode begin another image, as a pool lets them: all end, and
    /// never do more decode at once than the limit allows, but for what they begin meanwhile.
    #[test]
    fn threads_share_and_never_wait_for_each_other() {
        let (decoding, most) = (AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (decoding, most) = (&decoding, &most);
                scope.spawn(move || {
                    for round in 0..300 {
                        let _file = (round % 3 > 0).then(|| Held::to_read(40, 100));
                        let bytes = 41 + (thread * 7 + round) % 60;
                        let _image = Held::to_decode(bytes, 100);
                        let now = decoding.fetch_add(bytes, Ordering::SeqCst) + bytes;
                        most.fetch_max(now, Ordering::SeqCst);
                        let _file = Held::to_read(90, 100);
                        let _image = Held::to_decode(100, 100);
                        std::thread::yield_now();
                        decoding.fetch_sub(bytes, Ordering::SeqCst);
                    }
                });
            }
        });
        assert!(most.load(Ordering::SeqCst) <= 100, "{most:?}");
    }
}
