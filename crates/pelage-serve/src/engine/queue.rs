//! First in, first out, between threads.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use prometheus_client::metrics::gauge::Gauge;

/// A queue that threads wait at, on both ends.
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    most: usize,
}

struct State<T> {
    waiting: VecDeque<T>,
    closed: bool,
}

impl<T> Queue<T> {
    /// An empty one; who would make it longer than `most` waits.
    pub(super) fn new(most: usize) -> Self {
        Queue {
            state: Mutex::new(State {
                waiting: VecDeque::new(),
                closed: false,
            }),
            changed: Condvar::new(),
            most,
        }
    }

    /// Appends `item`; drops it if the queue is closed.
    pub(super) fn push(&self, item: T) {
        let full = |state: &mut State<T>| state.waiting.len() >= self.most && !state.closed;
        let mut state = self
            .changed
            .wait_while(self.lock(), full)
            .unwrap_or_else(PoisonError::into_inner);
        if !state.closed {
            state.waiting.push_back(item);
            drop(state);
            self.changed.notify_all();
        }
    }

    /// The first item, as soon as there is one; `None` once the queue is closed.
    pub(super) fn next(&self) -> Option<T> {
        Some(self.next_batch(1, |_, _| true)?.remove(0))
    }

    /// The first item and those, up to `most`, that are the `same` as it; others keep their place.
    pub(super) fn next_batch(&self, most: usize, same: impl Fn(&T, &T) -> bool) -> Option<Vec<T>> {
        let empty = |state: &mut State<T>| state.waiting.is_empty() && !state.closed;
        let mut state = self
            .changed
            .wait_while(self.lock(), empty)
            .unwrap_or_else(PoisonError::into_inner);
        let mut batch = vec![state.waiting.pop_front()?];
        let mut at = 0;
        while batch.len() < most && at < state.waiting.len() {
            if same(&batch[0], &state.waiting[at]) {
                batch.extend(state.waiting.remove(at));
            } else {
                at += 1;
            }
        }
        drop(state);
        self.changed.notify_all();
        Some(batch)
    }

    /// Drops what waits, and ends the threads that do.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.waiting.clear();
        drop(state);
        self.changed.notify_all();
    }

    /// Nothing that holds the lock leaves the state half changed.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A number of places, taken and given back.
pub(super) struct Places {
    taken: AtomicUsize,
    all: usize,
    shown: Gauge,
}

/// One place; free again when this is dropped.
pub(super) struct Place(Arc<Places>);

impl Places {
    pub(super) fn new(all: usize, shown: Gauge) -> Arc<Self> {
        Arc::new(Places {
            taken: AtomicUsize::new(0),
            all,
            shown,
        })
    }

    /// So many places; `None` if not so many are free.
    pub(super) fn take(self: &Arc<Self>, count: usize) -> Option<Vec<Place>> {
        let more = |taken: usize| taken.checked_add(count).filter(|taken| *taken <= self.all);
        self.taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .ok()?;
        self.shown.inc_by(count as i64);
        Some((0..count).map(|_| Place(self.clone())).collect())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
        self.0.shown.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_in_first_out_and_a_batch_is_of_one_kind() {
        let queue = Queue::new(usize::MAX);
        for item in ["a1", "b1", "a2", "a3", "b2", "a4"] {
            queue.push(item);
        }
        let kind = |a: &&str, b: &&str| a[..1] == b[..1];
        assert_eq!(queue.next_batch(3, kind).unwrap(), ["a1", "a2", "a3"]);
        assert_eq!(queue.next_batch(9, kind).unwrap(), ["b1", "b2"]);
        assert_eq!(queue.next(), Some("a4"));
        queue.close();
        assert_eq!(queue.next(), None);
    }

    #[test]
    fn a_full_queue_waits_and_a_closed_one_wakes() {
        let queue = Queue::new(1);
        queue.push(0);
        std::thread::scope(|scope| {
            scope.spawn(|| (1..100).for_each(|item| queue.push(item)));
            assert!((0..100).all(|item| queue.next() == Some(item)));
            let waiting = scope.spawn(|| queue.next());
            queue.close();
            assert_eq!(waiting.join().unwrap(), None);
        });
    }

    #[test]
    fn places_come_back() {
        let places = Places::new(3, Gauge::default());
        let two = places.take(2).unwrap();
        assert!(places.take(2).is_none() && places.take(usize::MAX).is_none());
        drop(two);
        assert_eq!(places.take(3).unwrap().len(), 3);
        assert!(places.take(3).is_some());
    }
}
