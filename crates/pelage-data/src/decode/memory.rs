//! The memory that images may take together, shared by all threads that read and decode some.
//!
//! A thread takes what its image will need, known from the header, and waits where others have too much of it. Where
//! the image is a file, that comes in two steps, first what the file takes, then all of it, and whoever holds a part
//! while it waits for more could wait for ever. Nobody does, since
//!
//! - all files that wait to be decoded have little room of their own, beside what images have, and a larger one is the
//!   only one of its kind: none is read before it has what it needs;
//! - who has all that an image needs never waits for more before it gives that back;
//! - one that holds a large file, or a file that is decoded once more, goes first; and where all that hold something
//!   wait, one of them goes on, above the limit by what it needs, which is less than twice the limit in all.
//!
//! Everybody else is served in turn, so that a large image is not passed over for ever.

use std::cell::Cell;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use pelage_kernels::allocator;

/// Files that wait to be decoded take at most this part of the limit, beside it: 16 MiB beside 512.
const WAITING: u64 = 32;

/// Bytes from which on it matters that the allocator keeps what was freed.
const LARGE: u64 = 16 << 20;

/// What all threads hold.
struct Shared {
    /// Small files that are not yet decoded.
    files: u64,
    /// Images, with their files, and a large file that is not yet decoded.
    held: u64,
    /// Threads that hold some of these.
    holders: usize,
    /// Those of them that wait for more.
    growing: usize,
    /// A large file is not yet decoded.
    is_large_read: bool,
    readers: Line,
    decoders: Line,
}

/// Threads that wait for their turn.
#[derive(Clone, Copy)]
struct Line {
    /// The number of the next one to come.
    next: u64,
    /// The one whose turn it is.
    turn: u64,
}

const NOBODY: Line = Line { next: 0, turn: 0 };

static SHARED: Mutex<Shared> = Mutex::new(Shared {
    files: 0,
    held: 0,
    holders: 0,
    growing: 0,
    is_large_read: false,
    readers: NOBODY,
    decoders: NOBODY,
});
static CHANGED: Condvar = Condvar::new();

/// What this thread is at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Idle,
    /// It holds a small file.
    #[cfg_attr(not(feature = "files"), allow(dead_code))]
    Reading,
    /// It holds a file that counts among the images: a large one, or one that was decoded before.
    Keeping,
    /// It holds all that an image needs. One that it begins meanwhile, of work that it does for other threads, must
    /// not wait: it would be waiting for itself.
    Decoding,
}

/// What this thread has.
#[derive(Clone, Copy)]
struct Place {
    stage: Stage,
    /// Bytes of its file, if it has one.
    file: Option<u64>,
    /// It is the one that has a large file.
    is_large: bool,
}

const NOTHING: Place = Place {
    stage: Stage::Idle,
    file: None,
    is_large: false,
};

thread_local! {
    static PLACE: Cell<Place> = const { Cell::new(NOTHING) };
}

/// Memory that an image or a file takes, until this is dropped.
pub(crate) struct Held {
    bytes: u64,
    what: What,
    /// It belongs to its thread.
    _not_sent: std::marker::PhantomData<*const ()>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    #[cfg_attr(not(feature = "files"), allow(dead_code))]
    File,
    Image,
    /// Of a file, and the file; what it held of these before.
    Copy {
        before: Option<u64>,
    },
    /// Begun by a thread in the middle of another one.
    Within,
}

impl Held {
    /// Waits until a file of `bytes` can be read, of `limit` in all.
    #[cfg(feature = "files")]
    pub(crate) fn to_read(bytes: u64, limit: u64) -> Held {
        if PLACE.get().stage != Stage::Idle {
            return Held::within(bytes);
        }
        let most = limit / WAITING;
        let is_large = bytes > most;
        let may_read = |shared: &Shared| match is_large {
            true => !shared.is_large_read && shared.has_room(0, bytes, limit),
            false => shared.files + bytes <= most,
        };
        // A large file counts among the images, and waits in their line: past it, it would keep a large image waiting.
        let mut shared = match is_large {
            true => in_turn(|shared| &mut shared.decoders, may_read),
            false => in_turn(|shared| &mut shared.readers, may_read),
        };
        if is_large {
            shared.held += bytes;
            shared.holders += 1;
            shared.is_large_read = true;
        } else {
            shared.files += bytes;
        }
        PLACE.set(Place {
            stage: if is_large { Stage::Keeping } else { Stage::Reading },
            file: Some(bytes),
            is_large,
        });
        Held::new(bytes, What::File)
    }

    /// Waits until an image that needs `bytes`, its file included, can be decoded, of `limit` in all.
    pub(crate) fn to_decode(bytes: u64, limit: u64) -> Held {
        let place = PLACE.get();
        let file = place.file.map(|file| file.min(bytes));
        match place.stage {
            Stage::Decoding => return Held::within(bytes),
            Stage::Idle | Stage::Reading => {
                let may_decode = |shared: &Shared| shared.growing == 0 && shared.has_room(0, bytes, limit);
                let mut shared = in_turn(|shared| &mut shared.decoders, may_decode);
                if place.stage == Stage::Reading {
                    shared.files -= place.file.unwrap_or(0);
                }
                shared.held = shared.held.saturating_add(bytes);
                shared.holders += 1;
            }
            Stage::Keeping => {
                let own = place.file.unwrap_or(0);
                let mut shared = lock();
                shared.growing += 1;
                // The last one to stop sends another one on.
                CHANGED.notify_all();
                while !shared.has_room(own, bytes, limit) && shared.growing < shared.holders {
                    shared = wait(shared);
                }
                shared.growing -= 1;
                shared.held = shared.held.saturating_sub(own).saturating_add(bytes);
                shared.is_large_read &= !place.is_large;
                CHANGED.notify_all();
            }
        }
        PLACE.set(Place {
            stage: Stage::Decoding,
            file,
            is_large: false,
        });
        Held::new(bytes, What::Image)
    }

    /// Waits until a copy of what this thread decodes, so many bytes, can be made beside `bytes` of it.
    pub(crate) fn to_copy(bytes: u64, copy: u64, limit: u64) -> Held {
        let before = PLACE.get().file;
        let held = Held::to_decode(bytes.saturating_add(copy), limit);
        if held.what == What::Within {
            return held;
        }
        // From here on the two are the file.
        PLACE.set(Place {
            stage: Stage::Keeping,
            file: Some(held.bytes),
            is_large: false,
        });
        let what = What::Copy { before };
        std::mem::forget(held);
        Held::new(bytes.saturating_add(copy), what)
    }

    /// Of a thread that must not wait.
    fn within(bytes: u64) -> Held {
        let mut shared = lock();
        shared.held = shared.held.saturating_add(bytes);
        Held::new(bytes, What::Within)
    }

    fn new(bytes: u64, what: What) -> Held {
        Held {
            bytes,
            what,
            _not_sent: std::marker::PhantomData,
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // What it was taken for is freed by now. Before others allocate as much:
        freed(self.bytes);
        let mut shared = lock();
        let place = PLACE.get();
        match (self.what, place.stage, place.file) {
            (What::Within, ..) => shared.held -= self.bytes.min(shared.held),
            (What::Image, _, Some(file)) => {
                shared.held -= self.bytes.saturating_sub(file).min(shared.held);
                let stage = Stage::Keeping;
                PLACE.set(Place { stage, ..place });
            }
            (What::Image, _, None) => {
                shared.held -= self.bytes.min(shared.held);
                shared.holders -= 1;
                PLACE.set(NOTHING);
            }
            // The image outlives the copy.
            (What::Copy { before }, Stage::Decoding, _) => PLACE.set(Place { file: before, ..place }),
            (What::Copy { before }, ..) => {
                shared.held -= self.bytes.saturating_sub(before.unwrap_or(0)).min(shared.held);
                PLACE.set(Place { file: before, ..place });
                if before.is_none() {
                    shared.holders -= 1;
                    PLACE.set(NOTHING);
                }
            }
            // The image outlives its file, and counts with it until it ends.
            (What::File, Stage::Decoding, _) => PLACE.set(Place { file: None, ..place }),
            (What::File, stage, file) => {
                let bytes = file.unwrap_or(0);
                if stage == Stage::Reading {
                    shared.files -= bytes;
                } else {
                    shared.held -= bytes.min(shared.held);
                    shared.holders -= 1;
                    shared.is_large_read &= !place.is_large;
                }
                PLACE.set(NOTHING);
            }
        }
        CHANGED.notify_all();
    }
}

impl Shared {
    /// Whether one that has `own` bytes of what is held can have `bytes`. One alone always can, or the limit would have
    /// refused it.
    fn has_room(&self, own: u64, bytes: u64, limit: u64) -> bool {
        let others = self.held.saturating_sub(own);
        others == 0 || others.saturating_add(bytes) <= limit
    }
}

/// Gives so many bytes, which were freed, back to the operating system, if they are many.
pub(super) fn freed(bytes: u64) {
    if bytes >= LARGE {
        allocator::give_back();
    }
}

/// Waits until it is this thread's turn, and `may` allows it.
fn in_turn(line: impl Fn(&mut Shared) -> &mut Line, may: impl Fn(&Shared) -> bool) -> MutexGuard<'static, Shared> {
    let mut shared = lock();
    let own = line(&mut shared).next;
    line(&mut shared).next += 1;
    while line(&mut shared).turn != own || !may(&shared) {
        shared = wait(shared);
    }
    line(&mut shared).turn += 1;
    CHANGED.notify_all();
    shared
}

fn lock() -> MutexGuard<'static, Shared> {
    SHARED.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wait(shared: MutexGuard<'static, Shared>) -> MutexGuard<'static, Shared> {
    CHANGED.wait(shared).unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// What threads of a test hold, files that wait to be decoded included, and the most of it.
    #[derive(Default)]
    struct Counted {
        now: AtomicU64,
        most: AtomicU64,
    }

    impl Counted {
        fn add(&self, bytes: u64) {
            let now = self.now.fetch_add(bytes, Ordering::SeqCst) + bytes;
            self.most.fetch_max(now, Ordering::SeqCst);
        }

        fn remove(&self, bytes: u64) {
            self.now.fetch_sub(bytes, Ordering::SeqCst);
        }
    }

    /// Numbers that look random.
    fn numbers(seed: u64) -> impl FnMut(u64) -> u64 {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        move |below| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) % below
        }
    }

    /// Many threads, little memory, and sizes of all kinds: all end, and what they have in memory is never more than
    /// the limit and what small files may take beside it.
    #[test]
    fn threads_share_and_never_wait_for_each_other() {
        const LIMIT: u64 = 1 << 16;
        let counted = Counted::default();
        std::thread::scope(|scope| {
            for thread in 0..16 {
                let counted = &counted;
                scope.spawn(move || {
                    let mut number = numbers(thread);
                    for _ in 0..300 {
                        let file = match number(4) {
                            0 => 0,
                            1 => number(LIMIT / 2),
                            2 => LIMIT / 3,
                            _ => number(LIMIT / WAITING),
                        };
                        let image = file + number(LIMIT + 1 - file);
                        let read = (file > 0).then(|| Held::to_read(file, LIMIT));
                        counted.add(file);
                        if number(8) > 0 {
                            std::thread::yield_now();
                            let decoded = Held::to_decode(image, LIMIT);
                            counted.add(image - file);
                            std::thread::yield_now();
                            counted.remove(image - file);
                            drop(decoded);
                        }
                        counted.remove(file);
                        drop(read);
                    }
                });
            }
        });
        let most = counted.most.load(Ordering::SeqCst);
        assert!(most <= LIMIT + LIMIT / WAITING, "{most} of {LIMIT}");
        assert!(most > LIMIT / 2, "{most} of {LIMIT}");
    }

    /// Each holds its file while it is decoded for several networks, of sizes that grow, and in the middle begins
    /// another one, as a thread pool lets it.
    #[test]
    fn files_that_are_decoded_again_and_others_within() {
        std::thread::scope(|scope| {
            for thread in 0..8 {
                scope.spawn(move || {
                    for round in 0..300 {
                        let file = [2, 40, 90][(thread + round) % 3];
                        let read = Held::to_read(file, 100);
                        for more in [0, 5, 10] {
                            let image = Held::to_decode(file + more, 100);
                            let within = (Held::to_read(90, 100), Held::to_decode(100, 100));
                            std::thread::yield_now();
                            drop(within);
                            drop(image);
                        }
                        // An image that outlives its file.
                        let image = Held::to_decode(file, 100);
                        drop(read);
                        drop(image);
                        assert!(PLACE.get().stage == Stage::Idle && PLACE.get().file.is_none());
                    }
                });
            }
        });
    }

    /// A thread that panics gives back what it held.
    #[test]
    fn a_panic_gives_back() {
        for _ in 0..3 {
            let panicked = std::thread::spawn(|| {
                let _file = Held::to_read(60, 100);
                let _image = Held::to_decode(100, 100);
                std::panic::resume_unwind(Box::new(()));
            });
            assert!(panicked.join().is_err());
        }
        drop(Held::to_decode(100, 100));
    }
}
