//! What can go wrong on the way from files to batches.

use std::path::PathBuf;

use crate::shown;
use serde::{Deserialize, Serialize};

/// The result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// Says what is wrong, where, and what to do about it. Where a caller may know a remedy of its own, such as a command
/// to type, a variant carries what that needs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder could not be read or written.
    #[error("{}: {source}", shown::path(path))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// A setting has a value that it cannot have.
    #[error("{name} is {value}; it must be {allowed}")]
    Setting {
        /// The name of the field: `validation_split`.
        name: &'static str,
        /// What it was set to.
        value: String,
        /// What it may be, to follow "it must be".
        allowed: String,
    },
    /// There is nothing at the path of a source.
    #[error("{}: there is no such folder, zip or tar", shown::path(path))]
    NotFound {
        /// The path.
        path: PathBuf,
    },
    /// A file would be replaced that this crate has not written.
    #[error("{} is there already; choose an empty folder", shown::path(path))]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Another process writes a folder.
    #[error("{} is being written by another process", shown::path(path))]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// A file would be replaced by one of another kind.
    #[error("{} is there already, and is no {wanted}; it was left as it is", shown::path(path))]
    OtherKind {
        /// The file.
        path: PathBuf,
        /// What would have been written.
        wanted: &'static str,
    },
    /// A table of this name is unfinished, and would be lost.
    #[error("{}: an unfinished table is there", shown::path(path))]
    Unfinished {
        /// Its rows so far.
        path: PathBuf,
    },
    /// A table is not of what it should be of.
    #[error("{}: {reason}; it was left as it is", shown::path(path))]
    OtherOrigin {
        /// The table, or its rows so far.
        path: PathBuf,
        /// In what it differs.
        reason: String,
    },
    /// A table is no part of the one that others are parts of.
    #[error("{}: {reason}", shown::path(path))]
    OtherPart {
        /// The table.
        path: PathBuf,
        /// In what it differs.
        reason: String,
    },
    /// Parts of a table are missing.
    #[error("parts of the table are missing: {missing}")]
    Holes {
        /// Which.
        missing: String,
    },
    /// A file that a run needs would be replaced by something else.
    #[error("{} belongs to a run, which would lose it; it was left as it is", shown::path(path))]
    Record {
        /// The file.
        path: PathBuf,
    },
    /// A file or folder of a data set is not what it should be.
    #[error("{}: {reason}", shown::path(path))]
    Data {
        /// The file or folder; a member of a zip follows its archive and `!`.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        reason: String,
    },
    /// A line of a CSV of labels cannot be used.
    #[error("{}, line {line}: {reason}", shown::path(path))]
    Labels {
        /// The CSV.
        path: PathBuf,
        /// From 1; 0 where it is not known.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A source has no validation part, and no share of it was asked for.
    #[error(
        "{} has no pictures in folders named train and validation; make such folders, or set a share of the pictures \
         aside for validation",
        shown::path(path)
    )]
    NoValidation {
        /// The source.
        path: PathBuf,
    },
    /// A source has a training part alone, whose images say nothing about a model that has learnt from them.
    #[error(
        "{}: nothing to score: only the training part, {part}, has labels; add a folder named validation or test, or \
         give the folder {part} itself",
        shown::path(path)
    )]
    OnlyTraining {
        /// The source.
        path: PathBuf,
        /// The folder of the training part, relative to the source.
        part: String,
    },
    /// Folders lie in each other so that either may be the classes, or have files that are named after classes.
    #[error(
        "{}: the folders {} hold the same, {}; is {} a class, or {}? If {1} are parts of one data set, name \
         one of them train; if they are classes, put their pictures together, or list the labels in a CSV",
        shown::path(path), listed(folders), listed(within), folders[0], within[0]
    )]
    Ambiguous {
        /// The source.
        path: PathBuf,
        /// The level of the outer folders, from 1 for those in the source.
        level: usize,
        /// The outer folders.
        folders: Vec<String>,
        /// The folders, or classes by the names of files, that more than one of them has.
        within: Vec<String>,
    },
    /// A CSV of labels has a heading that does not tell which column holds what.
    #[error(
        "{}: no telling which column holds the {what}, {problem}; its columns are {}",
        shown::path(path),
        listed(columns)
    )]
    Columns {
        /// The CSV.
        path: PathBuf,
        /// `paths`, `labels` or `split`.
        what: &'static str,
        /// What is wrong.
        problem: String,
        /// The columns.
        columns: Vec<String>,
    },
    /// A share of a source was asked for as validation part, and it has one.
    #[error(
        "{} has a validation part already; set no share of the pictures aside",
        shown::path(path)
    )]
    HasValidation {
        /// The source.
        path: PathBuf,
    },
    /// No image has a label.
    #[error("{}: no labelled pictures; {}", shown::path(path), nested.as_deref().map(shortened).map_or(
        "put the pictures into one folder per class, name them like cat.0.jpg, or list their labels in a CSV".into(),
        |zip| format!("but there is {zip}; give that zip itself"),
    ))]
    NoLabels {
        /// The source.
        path: PathBuf,
        /// A zip in it, which may hold the images.
        nested: Option<String>,
    },
    /// A source has images of one class alone.
    #[error(
        "{}: only one class, '{class}', and a classifier needs two; put the pictures into one folder per class, name \
         them like cat.0.jpg, or list their labels in a CSV",
        shown::path(path)
    )]
    OneClass {
        /// The source.
        path: PathBuf,
        /// The class.
        class: String,
    },
    /// The validation part, or the test part, has a class that the training part lacks.
    #[error(
        "{}: {part} has a class '{}' that training does not know (it knows {}); rename or remove that folder",
        shown::path(path),
        shortened(class),
        listed(known)
    )]
    UnknownClass {
        /// The source.
        path: PathBuf,
        /// The part: `validation`.
        part: &'static str,
        /// The class.
        class: String,
        /// The classes of the training part.
        known: Vec<String>,
    },
    /// The validation part lacks a class.
    #[error(
        "{}: validation has no picture of class '{class}'; move some there, or split the pictures again",
        shown::path(path)
    )]
    MissingClass {
        /// The source.
        path: PathBuf,
        /// The class.
        class: String,
    },
    /// A class cannot be split into train and validation.
    #[error("class '{class}' cannot be split: {reason}; add pictures to it or leave it out")]
    Split {
        /// The class.
        class: String,
        /// Why.
        reason: String,
    },
    /// A [`Dataset`](crate::dataset::Dataset) contradicts itself, or is none that can be learnt from.
    #[error("the data set: {0}")]
    Dataset(String),
    /// More than a tenth of the images cannot be read.
    #[error(
        "{} of {total} pictures cannot be read, more than a tenth; remove or replace them:{}", unreadable.len(),
        examples(unreadable)
    )]
    TooManyUnreadable {
        /// The images that cannot be read.
        unreadable: Vec<Unreadable>,
        /// All images.
        total: usize,
    },
    /// No image of a class can be read.
    #[error(
        "none of the pictures of class '{class}' can be read; replace them, or remove the class:{}",
        examples(unreadable)
    )]
    UnreadableClass {
        /// The class.
        class: String,
        /// The images that cannot be read, of any class.
        unreadable: Vec<Unreadable>,
    },
    /// The disk cache cannot be written.
    #[error(
        "{}: {source}; decoded pictures and features are kept in this folder: free some space, make it writable, or \
         keep them elsewhere",
        shown::path(folder)
    )]
    Cache {
        /// Its folder.
        folder: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// A file of the disk cache has changed since it was written.
    #[error(
        "{}: the cache of decoded pictures is damaged; remove this file and try again",
        shown::path(path)
    )]
    DamagedCache {
        /// The file.
        path: PathBuf,
    },
    /// The folder to organize into cannot be used, or an image cannot be put there.
    #[cfg(feature = "files")]
    #[error(transparent)]
    Organize(#[from] crate::organize::Refusal),
    /// Making a batch panicked, here or in a [`Dataset`](crate::dataset::Dataset) of the caller's.
    #[error("making a batch panicked: {0}")]
    Panic(String),
    /// The caller asked to stop.
    #[error("stopped on request")]
    Stopped,
}

/// An image that was skipped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreadable {
    /// Where it is.
    pub path: String,
    /// Why.
    pub reason: String,
}

/// Names, of which there may be any number and each of any length.
pub(crate) fn listed(names: &[String]) -> String {
    let mut text = names
        .iter()
        .take(12)
        .map(|name| shortened(name))
        .collect::<Vec<_>>()
        .join(", ");
    if names.len() > 12 {
        text += &format!(" and {} more", names.len() - 12);
    }
    text
}

/// A name for a message: without what a terminal obeys, and of no more than 100 characters.
pub(crate) fn shortened(name: &str) -> String {
    let mut characters = name.chars();
    let text: String = characters.by_ref().take(100).collect();
    let more = if characters.next().is_some() { "..." } else { "" };
    format!(
        "{}{more}",
        text.escape_debug()
            .to_string()
            .replace("\\'", "'")
            .replace("\\\"", "\"")
    )
}

fn examples(unreadable: &[Unreadable]) -> String {
    let first = unreadable.iter().take(5);
    first.map(|one| format!("\n  {}: {}", one.path, one.reason)).collect()
}

impl Error {
    /// An I/O error at `path`, as a function for `map_err`.
    pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Error::Io { path, source }
    }

    /// A value that the setting `name` cannot have; `allowed` follows "it must be".
    pub fn setting(name: &'static str, value: impl ToString, allowed: impl Into<String>) -> Self {
        Error::Setting {
            name,
            value: value.to_string(),
            allowed: allowed.into(),
        }
    }

    /// What is wrong with the file or folder at `path`, and what to do.
    pub fn data(path: impl Into<PathBuf>, reason: impl Into<String>) -> Self {
        Error::Data {
            path: path.into(),
            reason: reason.into(),
        }
    }

    /// Why, without the path that a table has in another column.
    #[cfg(feature = "files")]
    pub fn reason(&self) -> String {
        match self {
            Error::Io { source, .. } => source.to_string(),
            Error::Data { reason, .. } => reason.clone(),
            other => other.to_string(),
        }
    }
}
