//! How far a long task is.

use std::sync::atomic::{AtomicUsize, Ordering};

/// How far a long task is, for whoever shows it.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Items done.
    pub done: usize,
    /// Items in all.
    pub total: usize,
    /// What is being done: "decoding", "copying".
    pub what: &'static str,
}

/// Counts what several threads do.
pub(crate) struct Counter<'a> {
    done: AtomicUsize,
    total: usize,
    what: &'static str,
    observe: &'a (dyn Fn(Progress) + Sync),
}

impl<'a> Counter<'a> {
    pub(crate) fn new(what: &'static str, total: usize, observe: &'a (dyn Fn(Progress) + Sync)) -> Self {
        Counter {
            done: AtomicUsize::new(0),
            total,
            what,
            observe,
        }
    }

    /// One more is done.
    pub(crate) fn count(&self) {
        (self.observe)(Progress {
            done: self.done.fetch_add(1, Ordering::Relaxed) + 1,
            total: self.total,
            what: self.what,
        });
    }
}
