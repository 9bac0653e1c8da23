//! The file that a line of a CSV names.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use crate::composed::composed;
use crate::error::shortened;

/// The files of a source by all that they may be called.
pub(super) struct Files<'a> {
    /// Their whole names, as they are and composed.
    whole: HashMap<Cow<'a, str>, usize>,
    /// What comes last in these, composed, and the same without an extension.
    tails: HashMap<Cow<'a, str>, Vec<usize>>,
    stems: HashMap<Cow<'a, str>, Vec<usize>>,
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
            sources: Vec::new(),
        };
        for source in [Some(absolute(source)), source.canonicalize().ok()]
            .into_iter()
            .flatten()
        {
            files
                .sources
                .extend(source.to_str().map(|source| PathBuf::from(&*composed(source))));
            files.sources.push(source);
        }
        for (i, name) in names.enumerate() {
            let composed = composed(name);
            // As it is, a name is one file's alone.
            files.whole.insert(name.into(), i);
            files.whole.entry(composed.clone()).or_insert(i);
            for start in std::iter::once(0).chain(composed.match_indices('/').map(|(at, _)| at + 1)) {
                let stem = composed[start..].rfind('.').map(|length| start + length);
                files
                    .tails
                    .entry(part(&composed, start, composed.len()))
                    .or_default()
                    .push(i);
                if let Some(end) = stem {
                    files.stems.entry(part(&composed, start, end)).or_default().push(i);
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
        let whole = self.whole(key).or_else(|| self.beside(&name));
        let key = &composed(key);
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
        let inside = |path: &Path| {
            let inside = self.sources.iter().find_map(|source| path.strip_prefix(source).ok())?;
            let parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy()).collect();
            self.whole(&parts.join("/"))
        };
        inside(&path).or_else(|| {
            let path = PathBuf::from(composed(path.to_str()?).as_ref());
            inside(&path)
        })
    }

    /// By its whole name, in either form.
    fn whole(&self, name: &str) -> Option<usize> {
        let whole = self.whole.get(name).or_else(|| self.whole.get(&composed(name)));
        whole.copied()
    }
}

/// The bytes from `start` to `end` of a name.
fn part<'a>(name: &Cow<'a, str>, start: usize, end: usize) -> Cow<'a, str> {
    match name {
        Cow::Borrowed(name) => Cow::Borrowed(&name[start..end]),
        Cow::Owned(name) => Cow::Owned(name[start..end].to_string()),
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
