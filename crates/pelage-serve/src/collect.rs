//! Corrections that people give, kept as pictures in a folder for each class, which training reads.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use pelage::data::decode;
use pelage::{Error, Result, atomic};

use crate::problem::{Cause, Problem};

/// The class of pictures that are of none of the model's.
pub const NEITHER: &str = "neither";

/// A folder of corrections, with its bounds.
pub struct Collection {
    folder: PathBuf,
    most_bytes: u64,
    most_pictures: usize,
    /// What lies there: bytes and pictures.
    held: Mutex<(u64, usize)>,
}

impl Collection {
    /// Opens or creates the folder, and counts what is there.
    ///
    /// # Errors
    /// A folder that cannot be read or made.
    pub fn open(folder: &Path, most_bytes: u64, most_pictures: usize) -> Result<Collection> {
        std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
        let mut held = (0, 0);
        for entry in pelage::data::source::list(folder)? {
            let path = entry.location.to_string();
            held.0 += std::fs::metadata(&path).map_or(0, |about| about.len());
            held.1 += 1;
        }
        Ok(Collection {
            folder: folder.to_path_buf(),
            most_bytes,
            most_pictures,
            held: Mutex::new(held),
        })
    }

    /// Keeps a picture as one of `class`. A picture that was kept before, as whatever, is moved.
    ///
    /// # Errors
    /// What is no picture, a class that cannot be a folder's name, a full folder or disk.
    pub(crate) fn keep(&self, class: &str, bytes: &[u8], limits: &decode::Limits) -> std::result::Result<(), Problem> {
        if !is_safe(class) {
            return Err(Problem::new(Cause::Option, "a class of this name cannot be a folder"));
        }
        decode::decode(bytes, limits).map_err(|reason| Problem::new(Cause::Unreadable, reason))?;
        let extension = decode::format(bytes).and_then(|format| format.extensions_str().first().copied());
        let name = format!("{}.{}", &blake3::hash(bytes).to_hex()[..32], extension.unwrap_or("img"));
        let failed = |failure: Error| Problem::new(Cause::Failed, failure.to_string());
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let earlier = self.earlier(&name);
        if earlier.is_none() {
            if held.1 >= self.most_pictures || held.0 + bytes.len() as u64 > self.most_bytes {
                return Err(Problem::new(
                    Cause::Full,
                    "the folder of corrections holds as much as it may",
                ));
            }
            *held = (held.0 + bytes.len() as u64, held.1 + 1);
        }
        let to = self.folder.join(class);
        std::fs::create_dir_all(&to).map_err(|failure| failed(Error::io(&to)(failure)))?;
        atomic::write(&to.join(&name), bytes).map_err(|failure| failed(failure.into()))?;
        match earlier.filter(|earlier| *earlier != to.join(&name)) {
            Some(earlier) => std::fs::remove_file(&earlier).map_err(|failure| failed(Error::io(&earlier)(failure))),
            None => Ok(()),
        }
    }

    /// Where a picture lies that was kept before.
    fn earlier(&self, name: &str) -> Option<PathBuf> {
        let classes = std::fs::read_dir(&self.folder).ok()?.flatten();
        classes.map(|class| class.path().join(name)).find(|path| path.exists())
    }
}

/// Whether a class can be a folder's name, on every system.
fn is_safe(class: &str) -> bool {
    let odd = |c: char| c.is_control() || "/\\:*?\"<>|".contains(c);
    !class.is_empty()
        && class.len() <= 100
        && !class.starts_with('.')
        && !class.ends_with(['.', ' '])
        && !class.contains(odd)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_leave_the_folder_are_refused() {
        for class in ["cat", "gray cat", "猫", NEITHER] {
            assert!(is_safe(class), "{class}");
        }
        for class in ["", ".", "..", "../cat", "a/b", "a\\b", "C:", ".hidden", "cat.", "cat\n"] {
            assert!(!is_safe(class), "{class:?}");
        }
    }
}
