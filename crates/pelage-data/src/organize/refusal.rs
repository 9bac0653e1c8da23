//! Why a folder is not organized into.

use std::path::PathBuf;

use crate::shown;

/// Why a folder is not organized into, or an image not put there; nothing is lost.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// What is written would be read back, or what is read removed.
    #[error(
        "{} and the source {} lie within each other, and a source is never written to; choose another folder",
        shown::path(out),
        shown::path(data)
    )]
    Within {
        /// The folder.
        out: PathBuf,
        /// The source.
        data: PathBuf,
    },
    /// The folder was organized by another plan, and may be replaced where [`Options::force`](super::Options::force) is
    /// set.
    #[error(
        "{} holds what was organized earlier with other settings or from other pictures; choose another folder, or \
         have it replaced",
        shown::path(out)
    )]
    Earlier {
        /// The folder.
        out: PathBuf,
    },
    /// The folder has a file that no plan has put there, and that is never removed.
    #[error(
        "{} is not empty: {file} was not put there by organizing, and is never removed; move it away, or choose \
         another folder",
        shown::path(out)
    )]
    NotEmpty {
        /// The folder.
        out: PathBuf,
        /// The file, relative to it.
        file: String,
    },
    /// An organized image was changed; it is replaced where [`Options::force`](super::Options::force) is set.
    #[error(
        "{} is there already and not the same picture as in the source; move it away, or have the folder replaced",
        shown::path(path)
    )]
    Changed {
        /// The image.
        path: PathBuf,
    },
    /// Emptying the folder would remove what a link of the source leads to.
    #[error(
        "{} is a link into {}, which would be emptied; choose another folder",
        shown::path(link),
        shown::path(out)
    )]
    LinkedInto {
        /// The link.
        link: PathBuf,
        /// The folder.
        out: PathBuf,
    },
    /// A hard link cannot be made.
    #[error(
        "{}: {source} (a hard link needs the same file system; copy, or link symbolically)",
        shown::path(path)
    )]
    HardLink {
        /// Where it should be.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// A class has a name that not every file system takes for a folder's.
    #[error("class '{}' cannot be a folder's name on every system; rename it", class.escape_debug())]
    FolderName {
        /// The class.
        class: String,
    },
    /// The names of two classes would be one folder's on some file systems.
    #[error(
        "classes '{}' and '{}' differ in case only, which not every system tells apart; rename one of them, or make \
         them one", other.escape_debug(), class.escape_debug()
    )]
    FolderCase {
        /// A class.
        class: String,
        /// The one before it.
        other: String,
    },
}
