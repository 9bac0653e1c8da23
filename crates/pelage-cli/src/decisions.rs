//! What the libraries decide, told as they decide it, and what they warn of, told in any case.

use crate::terminal::{is_verbose, tell};

/// Listens to the libraries.
pub(crate) fn listen() {
    if log::set_logger(&Decisions).is_ok() {
        log::set_max_level(match is_verbose() {
            true => log::LevelFilter::Debug,
            false => log::LevelFilter::Warn,
        });
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
            let label = match record.level() {
                log::Level::Error | log::Level::Warn => "note",
                _ => "info",
            };
            tell(format_args!("{label}: {}\n", record.args()));
        }
    }

    fn flush(&self) {}
}
