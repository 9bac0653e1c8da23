//! Connections that wait for their client to ask something. Where there is no room, the one that has waited for longest
//! goes: a client that never asks costs the others nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// The quiet connections of a server, in the order in which they fell quiet.
#[derive(Clone, Default)]
pub(super) struct Quiet(Arc<Mutex<List>>);

#[derive(Default)]
struct List {
    next: u64,
    waiting: BTreeMap<u64, Arc<Notify>>,
}

/// One connection.
pub(super) struct Member {
    quiet: Quiet,
    close: Arc<Notify>,
    /// Its place in the list while it is there; a request and its answer may be on two threads.
    place: Mutex<Option<u64>>,
}

impl Quiet {
    /// A connection that has just been opened, and is quiet.
    pub(super) fn join(&self) -> Arc<Member> {
        let member = Arc::new(Member {
            quiet: self.clone(),
            close: Arc::new(Notify::new()),
            place: Mutex::new(None),
        });
        member.rest();
        member
    }

    /// Closes the one that has been quiet for longest; false if none is.
    pub(super) fn evict(&self) -> bool {
        let longest = self.list().waiting.pop_first();
        longest.map(|(_, close)| close.notify_one()).is_some()
    }

    /// Nothing that holds the lock leaves the list half changed.
    fn list(&self) -> MutexGuard<'_, List> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Member {
    /// Its client has asked something: it is busy until what this returns is dropped.
    pub(super) fn busy(self: &Arc<Self>) -> Busy {
        self.leave();
        Busy(self.clone())
    }

    /// Ends when there is no room for it.
    pub(super) async fn evicted(&self) {
        self.close.notified().await;
    }

    fn rest(&self) {
        let mut list = self.quiet.list();
        let place = list.next;
        list.next += 1;
        list.waiting.insert(place, self.close.clone());
        *self.place() = Some(place);
    }

    fn leave(&self) {
        let place = self.place().take();
        if let Some(place) = place {
            self.quiet.list().waiting.remove(&place);
        }
    }

    fn place(&self) -> MutexGuard<'_, Option<u64>> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.leave();
    }
}

/// A connection that is not quiet.
pub(super) struct Busy(Arc<Member>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.rest();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_been_quiet_for_longest_goes_first() {
        let quiet = Quiet::default();
        let [first, second, third] = [(); 3].map(|()| quiet.join());
        let closed = |member: &Arc<Member>| {
            use futures_util::FutureExt;
            member.evicted().now_or_never().is_some()
        };
        let busy = first.busy();
        assert!(quiet.evict() && closed(&second) && !closed(&first) && !closed(&third));
        // Quiet again, but not for as long as the third.
        drop(busy);
        assert!(quiet.evict() && closed(&third));
        drop(third);
        assert!(quiet.evict() && closed(&first));
        assert!(!quiet.evict(), "nobody is left");
        drop(first);
        let alone = quiet.join();
        drop(alone);
        assert!(!quiet.evict(), "who has gone is not counted");
    }
}
