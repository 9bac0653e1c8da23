//! Larger work, one piece after the other on one thread: explanations, drawings.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::oneshot;

use super::queue::{Places, Queue};
use crate::problem::{Cause, Problem};

type Task = Box<dyn FnOnce() + Send>;

/// The thread, and what waits for it.
pub(super) struct Tasks {
    queue: Arc<Queue<Task>>,
    places: Arc<Places>,
    thread: Option<JoinHandle<()>>,
}

impl Tasks {
    pub(super) fn start(most: usize) -> std::io::Result<Tasks> {
        let queue = Arc::new(Queue::<Task>::new(usize::MAX));
        let source = queue.clone();
        let work = move || {
            while let Some(task) = source.next() {
                // If it panics, whoever waits for it is told, and the next one is done.
                let _ = catch_unwind(AssertUnwindSafe(task));
            }
        };
        Ok(Tasks {
            queue,
            places: Places::new(most, Gauge::default()),
            thread: Some(thread::Builder::new().name("task".into()).spawn(work)?),
        })
    }

    pub(super) async fn run<T: Send + 'static>(
        &self,
        within: Duration,
        task: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let busy = || {
            Problem::new(
                Cause::Busy,
                "more explanations are waiting than the server takes at once",
            )
        };
        let place = self.places.take(1).ok_or_else(busy)?;
        let (answer, answered) = oneshot::channel();
        self.queue.push(Box::new(move || {
            let _place = place;
            if !answer.is_closed() {
                // Who does not wait any more does not mind.
                let _ = answer.send(task());
            }
        }));
        match tokio::time::timeout(within, answered).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(_)) => Err(Problem::new(Cause::Failed, "the task ended without a result")),
            Err(_) => Err(Problem::new(Cause::Expired, "the answer was not ready in time")),
        }
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.queue.close();
        self.thread.take().map(JoinHandle::join);
    }
}
