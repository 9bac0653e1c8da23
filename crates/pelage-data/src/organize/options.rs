//! What to organize, and how.

use std::path::PathBuf;

use crate::catalog::Columns;
use crate::groups::GroupBy;

/// What to organize, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// A folder or zip.
    pub source: PathBuf,
    /// The folder to make.
    pub out: PathBuf,
    /// Share of each class for validation, 0 to 1.
    pub ratio: f64,
    /// Share of each class for testing, 0 to 1; without one there is no test part.
    pub test: Option<f64>,
    /// Which images stay in one part, beside byte-identical ones.
    pub group_by: Option<GroupBy>,
    /// The level of the folders that are the classes, from 1 for those in the source.
    pub label_level: Option<usize>,
    /// At most so many images in all, the classes' shares kept.
    pub limit: Option<usize>,
    /// Chooses who goes where.
    pub seed: u64,
    /// Class names to change: from, to.
    pub rename: Vec<(String, String)>,
    /// How images get there.
    pub link: Link,
    /// A CSV of paths and labels, and of the parts if these are given.
    pub labels: Option<PathBuf>,
    /// Which of its columns hold these, where their names do not tell.
    pub columns: Columns,
    /// Replace what an earlier `organize` made there; never anything else.
    pub force: bool,
}

crate::choices! {
    /// How images get to their place.
    #[derive(Default)]
    Link {
        /// A copy.
        #[default]
        Copy = "copy",
        /// A hard link (the same file system only).
        Hard = "hard",
        /// A symbolic link.
        Symbolic = "symbolic",
    }
}
