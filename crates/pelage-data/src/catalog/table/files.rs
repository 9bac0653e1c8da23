//! The file that a line of a CSV names.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use crate::error::shortened;

/// The files of a source by all that they may be called.
pub(super) struct Files<'a> {
    whole: HashMap<&'a str, usize>,
    tails: HashMap<&'a str, Vec<usize>>,
    stems: HashMap<&'a str, Vec<usize>>,
    /// The folder of the CSV, and the source as it is written and as it really is.
    beside: PathBuf,
    sources: Vec<PathBuf>,
}

impl<'a> Files<'a> {
    pub(super) fn new(csv: &Path, source: &Path, names: impl Iterator<Item = &'a str>) -> Self {
        let absolute = |path: &Path| plain(&std::path::absolute(path).unwrap_or_else(|_| path.into()));
        let mut files = Files {
            whole: HashMap::new(),
            tails: HashMap::new(),
            stems: HashMap::new(),
            beside: absolute(csv).parent().unwrap_or(Path::new("")).into(),
            sources: [Some(absolute(source)), source.canonicalize().ok()]
                .into_iter()
                .flatten()
                .collect(),
        };
        for (i, name) in names.enumerate() {
            files.whole.insert(name, i);
            for start in std::iter::once(0).chain(name.match_indices('/').map(|(at, _)| at + 1)) {
                let tail = &name[start..];
                files.tails.entry(tail).or_default().push(i);
                if let Some((stem, _)) = tail.rsplit_once('.') {
                    files.stems.entry(stem).or_default().push(i);
                }
            }
        }
        files
    }

    /// The file that `name` names, if there is one.
    ///
    /// # Errors
    /// A name of several.
    pub(super) fn find(&self, name: &str) -> Result<Option<usize>, String> {
        let several = || format!("'{}' fits several files; give more of its path", shortened(name));
        self.matching(name).ok_or_else(several)
    }

    /// Whether `name` names a file, or several.
    pub(super) fn has(&self, name: &str) -> bool {
        self.matching(name) != Some(None)
    }

    /// The file of a name, or none; `None` where there are several.
    fn matching(&self, name: &str) -> Option<Option<usize>> {
        let name = name.replace('\\', "/");
        let key = name.trim_start_matches("./");
        let whole = self.whole.get(key).copied().or_else(|| self.beside(&name));
        let several = || self.tails.get(key).or_else(|| self.stems.get(key)).map(Vec::as_slice);
        match (whole, several()) {
            (Some(one), _) | (None, Some(&[one])) => Some(Some(one)),
            (None, Some(_)) => None,
            (None, None) => Some(None),
        }
    }

    /// By a path that is absolute or relative to the CSV.
    fn beside(&self, name: &str) -> Option<usize> {
        let path = plain(&self.beside.join(name));
        let inside = self.sources.iter().find_map(|source| path.strip_prefix(source).ok())?;
        let parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy()).collect();
        self.whole.get(parts.join("/").as_str()).copied()
    }
}

/// Without `.` and `..`, as written.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => _ = plain.pop(),
            other => plain.push(other),
        }
    }
    plain
}
