//! Members of an archive by their names alone: which are passed over, and what the others are called in the source.

use std::collections::HashSet;

use super::entry::Found;
use super::leftovers::rule_within;
use super::mark;

/// The members of one archive.
pub(super) struct Members<'a> {
    archive: &'a str,
    /// Of an archive within another: its own name, and the folder of what lies at its top.
    stem: &'a str,
    /// Folders that pelage has written and somebody has packed.
    marked: HashSet<&'a str>,
    passed_over: HashSet<String>,
}

impl<'a> Members<'a> {
    /// Those of these names.
    pub(super) fn new(archive: &'a str, stem: &'a str, names: impl Iterator<Item = &'a str>) -> Self {
        let told = |name: &&str| mark::tells(name.rsplit('/').next().unwrap_or(name));
        let telling: HashSet<&str> = names.filter(told).collect();
        let signs = telling.iter().filter_map(|name| name.rsplit_once('/'));
        let folders = signs.filter(|(_, file)| mark::is_sign(file)).map(|(folder, _)| folder);
        let is_marked = |folder: &&str| mark::is_marked(|file| telling.contains(&*format!("{folder}/{file}")));
        Members {
            archive,
            stem,
            marked: folders.filter(is_marked).collect(),
            passed_over: HashSet::new(),
        }
    }

    /// What a member of this name is called in the source; none where it is passed over, which `found` hears of.
    pub(super) fn called(&mut self, name: &str, found: &mut Found) -> Option<String> {
        let ours = || {
            let mut ends = name.match_indices('/').map(|(end, _)| end);
            ends.find(|end| self.marked.contains(&name[..*end]))
                .map(|end| (end, "written by pelage"))
        };
        if let Some((end, why)) = ours().or_else(|| rule_within(name)) {
            let path = format!("{}!{}", self.archive, &name[..end]);
            if self.passed_over.insert(path.clone()) {
                found.leave_out(path, why);
            }
            return None;
        }
        Some(match self.stem.is_empty() || name.contains('/') {
            true => name.to_string(),
            false => format!("{}/{name}", self.stem),
        })
    }
}
