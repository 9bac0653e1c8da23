//! What can go wrong in training, evaluation and prediction.

use std::path::PathBuf;

/// The result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// Says what was wrong, where, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something on the way from files to batches.
    #[error(transparent)]
    Data(#[from] pelage_data::Error),
    /// A file of a run could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// What the user asked for makes no sense; the message says what to do.
    #[error("{0}")]
    Input(String),
    /// A model file or checkpoint is damaged or of another kind.
    #[error("{}: {reason}", path.display())]
    Model {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        reason: String,
    },
    /// Pretrained weights are not here or could not be fetched; the message says which file to bring and where to.
    #[error("{0}")]
    Weights(String),
}

impl Error {
    /// An I/O error at `path`, as a function for `map_err`.
    pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Error::Io { path, source }
    }

    /// A damaged or foreign model file at `path`.
    pub fn model(path: impl Into<PathBuf>, reason: impl Into<String>) -> Self {
        Error::Model {
            path: path.into(),
            reason: reason.into(),
        }
    }
}
