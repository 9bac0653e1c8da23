//! Folders that pelage has written, which are never read as pictures again.

use std::borrow::Cow;
use std::collections::HashSet;
use std::path::Path;

use crate::{Result, atomic, lock};

/// Marks a folder whose pictures are no data. Hidden, so that it is not taken for a part of what it lies in.
const MARK: &str = ".pelage-output";

/// What it says to whoever looks at it.
const TEXT: &[u8] = b"pelage wrote this folder. Where it lies within a folder of pictures, it is passed over.\n";

/// Marks a folder as made by `organize`, and says by what plan and which files, so that a killed call can be finished
/// and nothing else is removed where it is made anew.
pub(crate) const PLAN: &str = ".pelage-organize.json";

/// A run's settings, and what else lies in the folder of a run that was made before folders were marked.
const RUN: [&str; 4] = ["config.toml", "history.csv", "best.safetensors", "last.safetensors"];

/// The page in a folder of explanations, and a figure beside it that it always has.
const EXPLANATIONS: [&str; 2] = ["index.html", "filters.png"];

/// How names of a cache's files end, behind a key of 32 hexadecimal digits.
const CACHED: [&str; 2] = [".pictures", ".features"];

/// Marks `folder`, which is there: what is written into it is passed over where the folder lies within a source.
///
/// # Errors
/// A folder that cannot be written.
pub fn mark(folder: &Path) -> Result<()> {
    let path = folder.join(MARK);
    match path.exists() {
        true => Ok(()),
        false => atomic::write(&path, TEXT),
    }
}

/// Whether pelage has written a folder that has files of these names: it is marked, or a run or explanations from
/// before there was a mark.
pub(super) fn is_marked(has: impl Fn(&str) -> bool) -> bool {
    has(MARK) || has(RUN[0]) && RUN[1..].iter().any(|name| has(name)) || EXPLANATIONS.iter().all(|name| has(name))
}

/// The name of a file without which [`is_marked`] says no.
pub(super) fn is_sign(name: &str) -> bool {
    [MARK, RUN[0], EXPLANATIONS[0]].contains(&name)
}

/// Whether a file of this name is a note of pelage's own, of which nobody needs to be told.
pub(super) fn is_note(name: &str) -> bool {
    [MARK, PLAN, lock::NAME].contains(&name)
}

/// Whether a folder that has files of these names is a cache of decoded images, and nothing else.
pub(super) fn is_cache(names: &HashSet<Cow<'_, str>>) -> bool {
    !names.is_empty() && names.iter().all(|name| is_cache_file(name))
}

/// Whether a file of this name is a cache's.
pub(crate) fn is_cache_file(name: &str) -> bool {
    let is_key = |key: &str| key.len() == 32 && key.bytes().all(|byte| byte.is_ascii_hexdigit());
    CACHED.iter().any(|end| name.strip_suffix(end).is_some_and(is_key))
}
