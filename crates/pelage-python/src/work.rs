//! Work beside the interpreter, which may be interrupted.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use crate::errors::internal;

/// How often Python is asked whether somebody wants to stop.
const EVERY: Duration = Duration::from_millis(50);

/// The process in which this module was loaded.
static PROCESS: OnceLock<u32> = OnceLock::new();

/// Notes the process.
pub(crate) fn note_process() {
    PROCESS.get_or_init(std::process::id);
}

/// Between work and those who wait for it.
#[derive(Default)]
pub(crate) struct Watch {
    stop: AtomicBool,
    told: Mutex<Vec<String>>,
}

impl Watch {
    /// Whether the work is to stop.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// Tells those who wait something, as JSON.
    pub(crate) fn tell(&self, text: String) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).push(text);
    }

    fn hear(&self) -> Vec<String> {
        std::mem::take(&mut *self.told.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Runs `work` on a thread of its own while others may use the interpreter. What it tells goes to `hear`, if there is
/// one. Ctrl-C, or an error of `hear`, asks it to stop, and is raised once it has.
///
/// # Errors
/// That; a process that was forked from the one that loaded the module, where the threads that compute are missing and
/// nothing would ever end.
pub(crate) fn watched<T: Send>(
    py: Python<'_>,
    hear: Option<&Bound<'_, PyAny>>,
    work: impl FnOnce(&Watch) -> T + Send,
) -> PyResult<T> {
    if PROCESS.get() != Some(&std::process::id()) {
        return Err(PyRuntimeError::new_err(
            "pelage was loaded before this process was forked, and its threads are not here; start processes by \
             'spawn' (multiprocessing.set_start_method), or import pelage in each of them",
        ));
    }
    let watch = Watch::default();
    let (done, changed) = (Mutex::new(None), Condvar::new());
    let mut raised = None;
    let finished = std::thread::scope(|scope| {
        scope.spawn(|| {
            let result = catch_unwind(AssertUnwindSafe(|| work(&watch)));
            *done.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
            changed.notify_all();
        });
        loop {
            let finished = py.detach(|| {
                let waiting = done.lock().unwrap_or_else(PoisonError::into_inner);
                let waited = changed.wait_timeout_while(waiting, EVERY, |done| done.is_none());
                waited.unwrap_or_else(PoisonError::into_inner).0.take()
            });
            let attend = || {
                // Taken in any case, or it would pile up.
                let told = watch.hear();
                if let Some(hear) = hear {
                    told.into_iter().try_for_each(|text| hear.call1((text,)).map(drop))?;
                }
                py.check_signals()
            };
            if raised.is_none()
                && let Err(wish) = attend()
            {
                watch.stop.store(true, Ordering::SeqCst);
                raised = Some(wish);
            }
            if let Some(result) = finished {
                return result;
            }
        }
    });
    match (raised, finished) {
        (Some(wish), _) => Err(wish),
        (None, Ok(result)) => Ok(result),
        (None, Err(panic)) => Err(internal(&*panic)),
    }
}
