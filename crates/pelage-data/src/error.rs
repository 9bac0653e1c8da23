//! What can go wrong on the way from files to batches.

use std::path::PathBuf;

/// The result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// Says what was wrong, where, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// What the user gave does not make sense; the message says what to do.
    #[error("{0}")]
    Input(String),
    /// The pictures do not make a data set; the message says what to do.
    #[error("{0}")]
    Data(String),
    /// The caller asked to stop.
    #[error("stopped on request")]
    Stopped,
}

impl Error {
    /// An I/O error at `path`, as a function for `map_err`.
    pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Error::Io { path, source }
    }

    /// Why, without the path that a table has in another column.
    pub(crate) fn reason(&self) -> String {
        match self {
            Error::Io { source, .. } => source.to_string(),
            other => other.to_string(),
        }
    }
}
