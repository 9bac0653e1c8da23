//! Names of classes that a data set gives by number, where it has a list of them beside its archives.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use super::entry::{Entry, Location};
use crate::shown;

/// Files with a name a line, or a JSON array of names, or an object of names and numbers.
const FILES: [&str; 4] = ["classnames.txt", "classes.txt", "classnames.json", "classes.json"];

/// Gives each entry whose class is a number the name of that class, where all of these are in a list beside the
/// archives or in the folder above them.
pub(super) fn give(entries: &mut [Entry]) {
    let archives = entries.iter().filter_map(|entry| match &entry.location {
        Location::Tar { archive, .. } if entry.label.is_some() => Some(archive.name()),
        #[cfg(feature = "parquet")]
        Location::Parquet { file, .. } if entry.label.is_some() => Some(file.name()),
        _ => None,
    });
    let archives: BTreeSet<&str> = archives.collect();
    let files = archives.into_iter().filter_map(file_of);
    let beside: BTreeSet<&Path> = files.filter_map(Path::parent).collect();
    if beside.is_empty() {
        return;
    }
    let above = beside.iter().filter_map(|folder| folder.parent());
    let folders = beside.iter().copied().chain(above);
    let mut files = folders.flat_map(|folder| FILES.map(|file| folder.join(file)));
    let Some((names, file)) = files.find_map(|file| Some((read(&file)?, file))) else {
        return;
    };
    let mut numbers = entries.iter().filter_map(|entry| entry.label.as_deref());
    if !numbers.all(|number| names.contains_key(number)) {
        log::info!(
            "data: {} does not name every class, so it is not used",
            shown::path(&file)
        );
        return;
    }
    log::info!("data: names of classes from {}", shown::path(&file));
    entries
        .iter_mut()
        .filter_map(|entry| entry.label.as_mut())
        .for_each(|label| *label = names[&**label].clone());
}

/// The file that an archive of this name is or lies in, behind whose name is a `!` then; a folder's may hold one too.
fn file_of(name: &str) -> Option<&Path> {
    let ends = name.match_indices('!').map(|(end, _)| end).chain([name.len()]);
    ends.map(|end| Path::new(&name[..end])).find(|path| path.is_file())
}

/// The names in a file by their numbers; none where it is not such a list.
fn read(file: &Path) -> Option<HashMap<String, Arc<str>>> {
    let text = std::fs::read_to_string(file).ok()?;
    let is_json = file.extension().is_some_and(|extension| extension == "json");
    let names: Vec<(String, String)> = match is_json {
        false => numbered(text.lines().map(|line| line.trim().to_string())),
        true => match serde_json::from_str(&text).ok()? {
            serde_json::Value::Array(names) => {
                numbered(names.iter().filter_map(|name| Some(name.as_str()?.to_string())))
            }
            serde_json::Value::Object(names) => (names.into_iter())
                .filter_map(|(key, value)| match value {
                    serde_json::Value::Number(number) => Some((number.to_string(), key)),
                    serde_json::Value::String(name) => Some((key, name)),
                    _ => None,
                })
                .collect(),
            _ => return None,
        },
    };
    let mut count: HashMap<&str, usize> = HashMap::new();
    names.iter().for_each(|(_, name)| *count.entry(name).or_default() += 1);
    // Two classes of one name stay two.
    let apart = |(number, name): &(String, String)| match count[name.as_str()] {
        1 => (number.clone(), name.as_str().into()),
        _ => (number.clone(), format!("{name} ({number})").into()),
    };
    let named = names.iter().filter(|(_, name)| !name.is_empty()).map(apart);
    Some(named.collect()).filter(|names: &HashMap<_, _>| !names.is_empty())
}

fn numbered(names: impl Iterator<Item = String>) -> Vec<(String, String)> {
    names
        .enumerate()
        .map(|(number, name)| (number.to_string(), name))
        .collect()
}
