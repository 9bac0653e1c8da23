//! Signals that ask training to stop.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Once};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::terminal::tell;

/// The signal that asked to stop; 0 before there was one.
static ASKED: LazyLock<Arc<AtomicUsize>> = LazyLock::new(Arc::default);
/// Whether nobody looks whether one asked.
static UNHEARD: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// From now on the first Ctrl-C or SIGTERM asks training to stop after its step; a second one ends the process at once.
/// A signal that the process was started to ignore (by `nohup`, or in the background) stays ignored, and SIGHUP, when a
/// terminal is closed, keeps its meaning.
pub(crate) fn stop_on_signal() {
    static ONCE: Once = Once::new();
    UNHEARD.store(false, Ordering::SeqCst);
    ONCE.call_once(|| {
        let again = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM].into_iter().filter(|&signal| !is_ignored(signal)) {
            let listening = flag::register_conditional_default(signal, UNHEARD.clone())
                .and_then(|_| flag::register_conditional_shutdown(signal, 128 + signal, again.clone()))
                .and_then(|_| flag::register_usize(signal, ASKED.clone(), signal as usize))
                .and_then(|_| flag::register(signal, again.clone()));
            if let Err(failure) = listening {
                tell(format_args!(
                    "note: Ctrl-C will stop at once and lose up to a minute ({failure})\n"
                ));
            }
        }
    });
}

/// From now on the first signal ends the process again, since what follows does not ask whether there was one.
pub(crate) fn end_on_signal() {
    UNHEARD.store(true, Ordering::SeqCst);
}

/// The number of the signal that has asked to stop.
pub(crate) fn interrupted() -> Option<u8> {
    match ASKED.load(Ordering::SeqCst) {
        0 => None,
        signal => u8::try_from(signal).ok(),
    }
}

/// Whether this process was started to ignore `signal`; where that cannot be known, it was not.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask & (1 << (signal - 1)) != 0)
}
