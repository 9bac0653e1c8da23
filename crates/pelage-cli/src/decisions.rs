//! What the libraries decide, told as they decide it.

use crate::terminal::{is_verbose, tell};

/// Listens to the libraries, where that is wanted.
pub(crate) fn listen() {
    if is_verbose() && log::set_logger(&Decisions).is_ok() {
        log::set_max_level(log::LevelFilter::Debug);
    }
}

/// Tells what ours say, and nothing of others.
struct Decisions;

impl log::Log for Decisions {
    fn enabled(&self, metadata: &log::Metadata) -> bool {
        metadata.target().starts_with("pelage")
    }

    fn log(&self, record: &log::Record) {
        if self.enabled(record.metadata()) {
            tell(format_args!("info: {}\n", record.args()));
        }
    }

    fn flush(&self) {}
}
