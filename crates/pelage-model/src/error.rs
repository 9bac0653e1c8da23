//! Everything that can go wrong with a model, its data and its training.

use std::path::PathBuf;

use pelage_data::shown;

/// The result of every fallible function in pelage.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, where, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Loading or preparing the data failed.
    #[error(transparent)]
    Data(pelage_data::Error),
    /// A file could not be read or written.
    #[error("{}: {source}", shown::path(path))]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// A setting is out of its range.
    #[error("{name} is {value}; it must be {allowed}")]
    Setting {
        /// The setting's name in the library: the name of a field.
        name: &'static str,
        /// What it was set to.
        value: String,
        /// The allowed values, in words.
        allowed: String,
    },
    /// Settings that contradict each other, or ask for something that is not there; the message says which and what to
    /// do.
    #[error("{0}")]
    Settings(String),
    /// Augmentation was asked for where features are computed only once.
    #[error(
        "a frozen backbone sees every picture once, so random changes to training pictures would have no effect; \
         leave them out, or let the backbone learn"
    )]
    Frozen,
    /// Training diverged: the loss became NaN or infinite.
    #[error(
        "the loss became NaN at step {step} with learning rate {rate:.3e}; try {:.0e}, and look at the images",
        rate / 10.0
    )]
    Diverged {
        /// The step, counted over the whole run.
        step: u64,
        /// The learning rate of that step.
        rate: f64,
    },
    /// A device that this build or machine does not have, or that failed.
    #[cfg(feature = "burn")]
    #[error("device {name}: {reason}; {remedy}")]
    Device {
        /// Its name, as it was asked for.
        name: String,
        /// What is wrong.
        reason: String,
        /// What to do about it.
        remedy: String,
    },
    /// A device has too little memory for what it was to compute.
    #[cfg(feature = "burn")]
    #[error("device {name} has too little memory: {reason}")]
    DeviceMemory {
        /// Its name, as it was asked for.
        name: String,
        /// What was asked of it.
        reason: String,
    },
    /// Of several processes that train together another one has failed, and says why.
    #[error("process {rank} of those that train together has failed, and with it all of them")]
    Elsewhere {
        /// Its number, from 0.
        rank: usize,
    },
    /// Processes that train together are not alike.
    #[error("the processes that train together differ in {what}; they must have the same")]
    Apart {
        /// In what.
        what: &'static str,
    },
    /// A figure or page could not be drawn.
    #[error("cannot draw {what}: {reason}")]
    Rendering {
        /// What was being drawn.
        what: &'static str,
        /// Why it failed.
        reason: String,
    },
    /// A model file, checkpoint or run is missing, damaged or of another kind.
    #[error("{}: {reason}", shown::path(path))]
    Model {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        reason: String,
    },
    /// A folder that was named is not what it should be: of a run, or for new files.
    #[error("{}: {reason}", shown::path(path))]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        reason: String,
    },
    /// Which images are meant is not known, or they are not where they were.
    #[error("{0}; name them")]
    Images(String),
    /// Models that are to be compared or joined were validated on different images.
    #[error("the models were validated on different images")]
    DifferentImages,
    /// Images that cannot be read, where none may be missing; the message lists some.
    #[error("{0}")]
    Unreadable(String),
    /// A model has to be calibrated before this can be done.
    #[error("{}: only a calibrated model can reject, and this one is not", shown::path(model))]
    Uncalibrated {
        /// The run folder or model file.
        model: PathBuf,
    },
    /// A model has to be quantized before this can be done.
    #[error(
        "{}: int8 wants a model that was quantized, and this one was not",
        shown::path(model)
    )]
    Unquantized {
        /// The run folder or model file.
        model: PathBuf,
    },
    /// A model cannot be calibrated, or has a calibration that cannot be used.
    #[error("{}: {reason}", shown::path(model))]
    Calibration {
        /// The run folder or model file.
        model: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Pretrained weights are missing or could not be fetched.
    #[error("{reason}")]
    Weights {
        /// What is wrong.
        reason: String,
        /// The file to get, if one is known.
        wanted: Option<Wanted>,
    },
}

/// A published file of pretrained weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The name of the architecture.
    pub architecture: &'static str,
    /// The name of the file.
    pub file: String,
    /// Where to get it: an address, or how to make it.
    pub source: String,
    /// Whether `source` is an address to download from.
    pub downloadable: bool,
}

/// Variants that both crates have are mapped to each other.
impl From<pelage_data::Error> for Error {
    fn from(error: pelage_data::Error) -> Self {
        match error {
            pelage_data::Error::Io { path, source } => Error::Io { path, source },
            pelage_data::Error::Setting { name, value, allowed } => Error::Setting { name, value, allowed },
            other => Error::Data(other),
        }
    }
}

impl Error {
    /// For `map_err`: an I/O error at `path`.
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

    /// The folder at `path` is not what it should be.
    pub fn folder(path: impl Into<PathBuf>, reason: impl Into<String>) -> Self {
        Error::Folder {
            path: path.into(),
            reason: reason.into(),
        }
    }

    /// The setting `name` is `value`, which is not `allowed`.
    pub fn setting(name: &'static str, value: impl std::fmt::Display, allowed: impl Into<String>) -> Self {
        Error::Setting {
            name,
            value: value.to_string(),
            allowed: allowed.into(),
        }
    }

    /// Unavailable pretrained weights, with no known file to get.
    pub fn weights(reason: impl Into<String>) -> Self {
        Error::Weights {
            reason: reason.into(),
            wanted: None,
        }
    }
}
