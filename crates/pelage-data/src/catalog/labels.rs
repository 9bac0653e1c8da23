//! Which image is in which class: from folder names, file names or a CSV.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use crate::source::Entry;
use crate::{Error, Result};

/// The part of a data set that a folder is named after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Train,
    Validation,
    Test,
}

impl Part {
    /// `train`, `Val`, `test1` (as Kaggle has it), `test_set`.
    fn of_folder(name: &str) -> Option<Part> {
        let name = name.to_lowercase();
        match name
            .trim_end_matches(|c: char| c.is_ascii_digit())
            .trim_end_matches("_set")
        {
            "train" | "training" => Some(Part::Train),
            "validation" | "valid" | "val" => Some(Part::Validation),
            "test" | "testing" => Some(Part::Test),
            _ => None,
        }
    }
}

/// How a source is laid out, by the names of its images.
pub(super) struct Layout {
    /// Folders from the source down to the class folders or parts, which all images share: `PetImages`.
    pub(super) root: PathBuf,
    /// Folders of the parts, where there are some: `train`, `validation`.
    pub(super) parts: Vec<String>,
    /// Whether labels are the names of folders; else they come from file names.
    pub(super) class_folders: bool,
    depth: usize,
}

impl Layout {
    /// Class folders are the outermost ones where images part ways, as Keras and torchvision have it: `Cat` of
    /// `PetImages/Cat/indoors/1.jpg`. Folders `train` and, say, `validation` are looked through; others beside them
    /// hold no images of the data set.
    pub(super) fn of(names: &[&str]) -> Layout {
        let folders_at =
            |depth: usize| -> BTreeSet<&str> { names.iter().filter_map(|name| folder(name, depth)).collect() };
        let mut layout = Layout {
            root: PathBuf::new(),
            parts: Vec::new(),
            class_folders: false,
            depth: 0,
        };
        let mut found = folders_at(0);
        while found.len() == 1 || has_parts(&found) {
            layout.depth += 1;
            let deeper = folders_at(layout.depth);
            if has_parts(&found) {
                layout.parts = found
                    .iter()
                    .filter(|name| Part::of_folder(name).is_some())
                    .map(|s| s.to_string())
                    .collect();
                found = deeper;
                break;
            }
            layout.root.extend(&found);
            found = deeper;
        }
        let by_file: BTreeSet<String> = names.iter().filter_map(|name| file_label(name)).collect();
        // One folder says less than several file labels, but more than one.
        let lone_folder = found.len() == 1 || layout.parts.is_empty() && layout.depth > 0;
        layout.class_folders = found.len() > 1 || by_file.len() < 2 && lone_folder;
        if layout.class_folders && found.is_empty() {
            layout.root.pop();
            layout.depth -= 1;
        }
        layout
    }

    /// The part that an image is in; none where there are no parts, or outside of them.
    pub(super) fn part(&self, name: &str) -> Option<Part> {
        let folder = folder(name, self.depth.checked_sub(1)?)?;
        Part::of_folder(folder).filter(|_| self.parts.iter().any(|part| part == folder))
    }

    /// An image's class.
    pub(super) fn label(&self, name: &str) -> Option<String> {
        if !self.parts.is_empty() && self.part(name).is_none() {
            return None;
        }
        if self.class_folders {
            folder(name, self.depth).map(str::to_string)
        } else {
            file_label(name)
        }
    }
}

/// Whether these folders are the parts of a data set. `train` alone may be one, and beside `car` and `bus` is a class.
fn has_parts(folders: &BTreeSet<&str>) -> bool {
    let parts: Vec<_> = folders.iter().filter_map(|name| Part::of_folder(name)).collect();
    parts.contains(&Part::Train) && (folders.len() == 1 || parts.iter().any(|part| *part != Part::Train))
}

/// The folder at `depth` that a file lies in.
fn folder(name: &str, depth: usize) -> Option<&str> {
    name.rsplit_once('/')?.0.split('/').nth(depth)
}

/// `cat` of `cat.0.jpg`, `cat_0.jpg`, `cat-0.jpg`, `cat (1).jpg`: what stands before the number.
fn file_label(name: &str) -> Option<String> {
    let file = name.rsplit('/').next().unwrap_or(name);
    let (stem, _extension) = file.rsplit_once('.')?;
    let label = stem
        .trim_end_matches(')')
        .trim_end_matches(|c: char| c.is_ascii_digit());
    let separators = ['.', '_', '-', ' ', '('];
    let cut = label.trim_end_matches(separators);
    (label.len() < stem.len() && cut.len() < label.len() && !cut.is_empty()).then(|| cut.to_string())
}

/// Labels from a CSV of path and label, with or without a heading, one for each entry.
///
/// An image may be named by its whole name or by what comes last, with its extension or (as Kaggle does) without,
/// where that is unambiguous.
pub(super) fn from_csv(path: &Path, entries: &[Entry]) -> Result<Vec<Option<String>>> {
    let wrong = |line: u64, reason: String| Error::Labels {
        path: path.into(),
        line,
        reason,
    };
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_path(path)
        .map_err(|failure| Error::io(path)(failure.into()))?;
    let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut by_stem: HashMap<&str, Vec<usize>> = HashMap::new();
    for (i, entry) in entries.iter().enumerate() {
        for start in std::iter::once(0).chain(entry.name.match_indices('/').map(|(at, _)| at + 1)) {
            let tail = &entry.name[start..];
            by_name.entry(tail).or_default().push(i);
            if let Some((stem, _)) = tail.rsplit_once('.') {
                by_stem.entry(stem).or_default().push(i);
            }
        }
    }
    let mut labels: Vec<Option<String>> = vec![None; entries.len()];
    for record in reader.records() {
        let record =
            record.map_err(|failure| wrong(failure.position().map_or(0, csv::Position::line), failure.to_string()))?;
        let line = record.position().map_or(0, csv::Position::line);
        let (Some(name), Some(label)) = (record.get(0), record.get(1)) else {
            return Err(wrong(line, "expected two columns: path,label".into()));
        };
        let name = name.replace('\\', "/");
        let key = name.trim_start_matches("./");
        let one = match by_name.get(key).or_else(|| by_stem.get(key)).map(Vec::as_slice) {
            Some([one]) => *one,
            Some(_) => {
                return Err(wrong(
                    line,
                    format!("'{name}' fits several files; give more of its path"),
                ));
            }
            // A heading names no file, so it has no extension.
            None if line <= 1 && !name.contains(['.', '/']) => continue,
            None => {
                return Err(wrong(
                    line,
                    format!("there is no file '{}' in the source", name.escape_debug()),
                ));
            }
        };
        if label.is_empty() {
            return Err(wrong(line, format!("'{name}' has an empty label")));
        }
        if let Some(other) = labels[one].replace(label.to_string()).filter(|other| other != label) {
            return Err(wrong(
                line,
                format!("'{name}' is labelled '{label}' here and '{other}' before"),
            ));
        }
    }
    Ok(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(names: &[&str]) -> Vec<String> {
        let layout = Layout::of(names);
        names
            .iter()
            .map(|name| layout.label(name).unwrap_or("-".into()))
            .collect()
    }

    #[test]
    fn labels_from_file_names() {
        let label = |name: &str| file_label(name).unwrap_or_default();
        assert_eq!(label("train/cat.0.jpg"), "cat");
        assert_eq!(label("great_dane_12.jpg"), "great_dane");
        assert_eq!(label("dog (7).png"), "dog");
        assert_eq!(label("1.jpg"), "");
        assert_eq!(label("readme.txt"), "");
    }

    #[test]
    fn labels_from_folders() {
        assert_eq!(labels(&["PetImages/Cat/1.jpg", "PetImages/Dog/1.jpg"]), ["Cat", "Dog"]);
        assert_eq!(
            labels(&["cat/a/1.jpg", "cat/b/1.jpg", "dog/a/1.jpg"]),
            ["cat", "cat", "dog"]
        );
        assert_eq!(labels(&["cat/1.jpg", "dog/1.jpg", "loose.3.jpg"]), ["cat", "dog", "-"]);
        assert_eq!(
            labels(&["PetImages/Cat/1.jpg", "PetImages/Dog/1.jpg", "sample.jpg"]),
            ["Cat", "Dog", "-"]
        );
        assert_eq!(labels(&["cats/1.jpg", "cats/2.jpg"]), ["cats", "cats"]);
        assert_eq!(labels(&["cat.1.jpg", "cat.2.jpg"]), ["cat", "cat"]);
        assert_eq!(labels(&["train/cat.1.jpg", "train/cat.2.jpg"]), ["cat", "cat"]);
        assert_eq!(
            labels(&["train/1.jpg", "car/1.jpg", "bus/1.jpg"]),
            ["train", "car", "bus"]
        );
    }

    #[test]
    fn parts_are_looked_through() {
        assert_eq!(labels(&["train/cat/1.jpg", "val/dog/1.jpg"]), ["cat", "dog"]);
        assert_eq!(labels(&["data/train/cat/1.jpg", "data/test/dog/1.jpg"]), ["cat", "dog"]);
        assert_eq!(
            labels(&["train/cat/1.jpg", "validation/dog/1.jpg", "runs/a/curves.png"]),
            ["cat", "dog", "-"]
        );
        assert_eq!(
            labels(&["train/cat.0.jpg", "train/dog.0.jpg", "test1/1.jpg"]),
            ["cat", "dog", "-"]
        );
        assert_eq!(labels(&["train/cat/1.jpg", "validation/cat/2.jpg"]), ["cat", "cat"]);
        let layout = Layout::of(&["d/Train/cat/1.jpg", "d/valid/dog/1.jpg"]);
        assert_eq!(layout.part("d/valid/dog/1.jpg"), Some(Part::Validation));
        assert_eq!(
            (layout.root, layout.parts),
            ("d".into(), vec!["Train".to_string(), "valid".to_string()])
        );
    }
}
