//! Which image is in which class and part, by the names of folders and files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::file_name;
use super::part::{self, Named, Part};
use crate::composed::composed;
use crate::{Error, Result};

/// How a source is laid out, by the names of its images.
#[derive(Default)]
pub(super) struct Layout {
    /// Folders from the source down to the class folders or parts, which all images share: `PetImages`.
    root: PathBuf,
    /// Where the parts are, if there are some.
    parts: Option<Parts>,
    /// The depth of the folders that are classes; none where labels come from file names.
    label_depth: Option<usize>,
    /// That folders at two levels may be the classes. The outer ones are taken for them.
    pub(super) ambiguous: Option<Ambiguous>,
}

/// Folders in each other, either of which may be the classes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ambiguous {
    /// The level of the outer ones, from 1 for those in the source.
    pub(super) level: usize,
    /// The outer folders.
    pub(super) folders: Vec<String>,
    /// The folders, or classes by the names of files, that more than one of them has.
    pub(super) within: Vec<String>,
}

/// The folders that are parts of a data set: `train`, `validation`.
struct Parts {
    depth: usize,
    /// Beside those of known parts, a folder that looks like one and says not which.
    folders: BTreeMap<String, Option<Part>>,
}

/// Folders, with those that lie in each.
type Folders<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

impl Layout {
    /// Class folders are the outermost ones where images part ways, as Keras and torchvision have it: `Cat` of
    /// `PetImages/Cat/indoors/1.jpg`. Parts, by their names or because they hold the same folders, are looked through,
    /// and what lies beside them is none of the data set. Labels are looked for in the names of files only where no
    /// folder is a class. `source` is the source's own name.
    pub(super) fn of(names: &[&str], source: &str) -> Layout {
        let names: Vec<_> = names.iter().map(|name| composed(name)).collect();
        let names: &[&str] = &names.iter().map(|name| name.as_ref()).collect::<Vec<_>>();
        let (mut layout, mut depth) = (Layout::default(), 0);
        let mut found = folders_at(names, depth);
        loop {
            if let Some(folders) = parts(&found) {
                layout.parts = Some(Parts { depth, folders });
                let inner = layout.in_parts(names);
                depth = unwrapped(&inner, depth);
                found = folders_at(&inner, depth);
                break;
            }
            let [lone] = Vec::from_iter(found.keys())[..] else {
                break;
            };
            layout.root.push(lone);
            depth += 1;
            found = folders_at(names, depth);
        }
        if found.len() > 1 {
            layout.label_depth = Some(depth);
            match layout.parts {
                None => {
                    layout.look_within(&found, depth);
                    layout.look_at_files(&found, names, depth);
                }
                Some(_) => layout.look_for_recurring(&found, depth),
            }
            return layout;
        }
        // One folder that is no mere container is a class, whatever the files in it are called.
        let inner = layout.in_parts(names);
        let lone = match (found.keys().next(), &layout.parts) {
            (Some(folder), _) => Some((folder.to_string(), depth)),
            (None, None) if depth > 0 => {
                let folder = layout.root.file_name().unwrap_or_default().to_string_lossy();
                Some((folder.into_owned(), depth - 1))
            }
            _ => None,
        };
        if let Some((folder, at)) = lone {
            let by_file: BTreeSet<_> = inner.iter().filter_map(|name| file_name::label(name)).collect();
            let container = part::is_container(&folder) || folder.eq_ignore_ascii_case(source);
            if by_file.len() < 2 || !container {
                layout.label_depth = Some(at);
                if at < depth {
                    layout.root.pop();
                }
            }
        }
        layout
    }

    /// The layout where the `empty` folders, named as parts are, may be parts too: that, if every image that has a
    /// class has one still, or else the same.
    pub(super) fn with_empty_parts(self, names: &[&str], empty: &[String], source: &str) -> Layout {
        let all: Vec<&str> = names.iter().copied().chain(empty.iter().map(String::as_str)).collect();
        let with = Layout::of(&all, source);
        let keeps = |name: &&str| self.label(name).is_none() || with.label(name).is_some();
        match with.has_parts() && names.iter().all(keeps) {
            true => with,
            false => self,
        }
    }

    /// Folders of parts in which none of these images lies, from the source down.
    pub(super) fn parts_without(&self, names: &[&str]) -> Vec<(String, Option<Part>)> {
        let Some(parts) = &self.parts else {
            return Vec::new();
        };
        let used: BTreeSet<String> = names
            .iter()
            .filter_map(|name| Some(folder(&composed(name), parts.depth)?.to_string()))
            .collect();
        let unused = parts.folders.iter().filter(|(name, _)| !used.contains(*name));
        unused
            .map(|(name, part)| (self.root.join(name).display().to_string(), *part))
            .collect()
    }

    /// The layout whose folders at `level` are the classes, from 1 for those in the source.
    ///
    /// # Errors
    /// A level at which none of these images lies in a folder.
    pub(super) fn with_labels_at(self, level: usize, names: &[&str]) -> Result<Layout> {
        let deepest = names.iter().map(|name| name.matches('/').count()).max().unwrap_or(0);
        match level.checked_sub(1).filter(|_| level <= deepest) {
            Some(depth) => Ok(Layout {
                label_depth: Some(depth),
                parts: self.parts.filter(|parts| parts.depth != depth),
                ambiguous: None,
                ..self
            }),
            None if deepest == 0 => {
                let allowed = "left out, since no picture lies in a folder of the source";
                Err(Error::setting("label_level", level, allowed))
            }
            None => {
                let allowed = format!("from 1 to {deepest}, the most folders of the source that a picture lies in");
                Err(Error::setting("label_level", level, allowed))
            }
        }
    }

    /// Sibling folders that hold the same folders: parts within classes, or no telling.
    fn look_within(&mut self, found: &Folders<'_>, depth: usize) {
        let inner: BTreeMap<&str, BTreeSet<&str>> =
            found.values().flatten().map(|name| (*name, BTreeSet::new())).collect();
        let all_named = inner.keys().all(|name| part::of_folder(name).is_some());
        if let (true, Some(folders)) = (all_named, parts(&inner)) {
            let depth = depth + 1;
            self.parts = Some(Parts { depth, folders });
            return;
        }
        self.look_for_recurring(found, depth);
    }

    /// Names of folders that recur in sibling folders: species at several places, or places of several species.
    fn look_for_recurring(&mut self, found: &Folders<'_>, depth: usize) {
        let inner: BTreeSet<&str> = found.values().flatten().copied().collect();
        // `cat` and `dog` are classes, and folders in both that are numbered, or named `images`, are none. Numbers in
        // numbers may be either.
        let has_letters = |name: &&str| name.chars().any(char::is_alphabetic);
        let all_numbers = !found.keys().all(has_letters) && !inner.iter().any(has_letters);
        let telling = inner.into_iter().filter(|name| all_numbers || part::is_telling(name));
        let telling: Vec<&str> = telling.collect();
        let recurs = |name: &&&str| found.values().filter(|set| set.contains(**name)).count() > 1;
        let within: Vec<String> = telling.iter().filter(recurs).map(|name| name.to_string()).collect();
        // One name alone makes no classes.
        if telling.len() > 1 && !within.is_empty() {
            self.ambiguous = Some(Ambiguous {
                level: depth + 1,
                folders: found.keys().map(|name| name.to_string()).collect(),
                within,
            });
        }
    }

    /// A folder `train` without folders, whose files are named after classes, beside one that says not what it is.
    fn look_at_files(&mut self, found: &Folders<'_>, names: &[&str], depth: usize) {
        let is_train = |name: &&&str| part::of_folder(name) == Some(Named::Part(Part::Train));
        let train = found.iter().filter(|(name, set)| is_train(name) && set.is_empty());
        for (train, _) in train {
            let inside = names.iter().filter(|name| folder(name, depth) == Some(train));
            let labels: BTreeSet<_> = inside.filter_map(|name| file_name::label(name)).collect();
            if labels.len() > 1 {
                let folders = found.keys().map(|name| name.to_string()).collect();
                self.ambiguous = Some(Ambiguous {
                    level: depth + 1,
                    folders,
                    within: labels.into_iter().collect(),
                });
            }
        }
    }

    /// Those of `names` that are in a part; all where there are none.
    fn in_parts<'a>(&self, names: &[&'a str]) -> Vec<&'a str> {
        let inside = |name: &&&str| self.parts.is_none() || self.part_folder(name).is_some();
        names.iter().filter(inside).copied().collect()
    }

    /// The folder of the part that an image is in, and its part if that is known.
    fn part_folder(&self, name: &str) -> Option<(&str, Option<Part>)> {
        let parts = self.parts.as_ref()?;
        let (folder, part) = parts.folders.get_key_value(folder(name, parts.depth)?)?;
        Some((folder, *part))
    }

    /// The part that an image is in; none where there are no parts, or outside of them.
    pub(super) fn part(&self, name: &str) -> Option<Part> {
        self.part_folder(&composed(name))?.1
    }

    /// Whether there are parts.
    pub(super) fn has_parts(&self) -> bool {
        self.parts.is_some()
    }

    /// Folders of a part, from the source down.
    pub(super) fn folders_of(&self, part: Part) -> Vec<String> {
        let parts = self.parts.iter().flat_map(|parts| &parts.folders);
        let of_part = parts.filter(|(_, own)| **own == Some(part));
        of_part
            .map(|(name, _)| self.root.join(name).display().to_string())
            .collect()
    }

    /// An image's class.
    pub(super) fn label(&self, name: &str) -> Option<String> {
        let name = &composed(name);
        if self.has_parts() && self.part_folder(name).is_none() {
            return None;
        }
        match self.label_depth {
            Some(depth) => folder(name, depth).map(str::to_string),
            None => file_name::label(name),
        }
    }

    /// Where classes come from, in words.
    pub(super) fn labelled_by(&self) -> &'static str {
        match self.label_depth {
            Some(_) => "the names of folders",
            None => "the names of files",
        }
    }

    /// Why an image has no class.
    pub(super) fn why_no_label(&self, name: &str) -> &'static str {
        match self.label_depth {
            _ if self.has_parts() && self.part_folder(&composed(name)).is_none() => "beside the parts of the data set",
            Some(_) => "in no class folder",
            None => "no label in its name",
        }
    }

    /// The folder among class folders that a file lies in, and that folder's path in the source: of the parts, where
    /// there are some.
    pub(super) fn class_folder(&self, name: &str) -> Option<(String, String)> {
        let name = &*composed(name);
        let depth = self.label_depth?;
        let inside = match &self.parts {
            Some(_) => self.part_folder(name).is_some(),
            None => PathBuf::from(name).starts_with(&self.root),
        };
        let class = folder(name, depth).filter(|_| inside)?;
        let end = name
            .split('/')
            .take(depth + 1)
            .map(|part| part.len() + 1)
            .sum::<usize>()
            - 1;
        Some((class.to_string(), name[..end].to_string()))
    }
}

/// The parts among these folders, or none. `train` alone may be one, and beside `car` and `bus` is a class.
fn parts<'a>(found: &Folders<'a>) -> Option<BTreeMap<String, Option<Part>>> {
    let words: BTreeMap<&str, Vec<String>> = found.keys().map(|name| (*name, part::words(name))).collect();
    // `seg_train` and `seg_test` are told apart by what they do not share.
    let named = |(name, own): (&&'a str, &Vec<String>)| {
        let shared = |word: &String| found.len() > 1 && words.values().all(|others| others.contains(word));
        let apart: Vec<_> = own.iter().filter(|word| !shared(word)).cloned().collect();
        Some((*name, part::of_words(own).or_else(|| part::of_words(&apart))?))
    };
    let named: BTreeMap<&str, Named> = words.iter().filter_map(named).collect();
    let of = |part: Part| named.iter().filter(move |(_, named)| **named == Named::Part(part));
    let train = of(Part::Train).map(|(name, _)| *name).next();
    let validates = of(Part::Validation).next().is_some();
    // The classes, where some folder has them for certain.
    let classes = &found[train.or_else(|| named.keys().next().copied())?];
    let alike = |set: &BTreeSet<&str>| set.len() > 1 && set.intersection(classes).count() > 1;
    let resembling = || {
        found
            .iter()
            .filter(|(name, set)| !named.contains_key(*name) && alike(set))
    };
    let are_parts = match train {
        Some(_) => found.len() == 1 || named.len() > 1 || resembling().next().is_some(),
        None => found.len() > 1 && found.values().all(alike),
    };
    let held = if validates { Part::Test } else { Part::Validation };
    let known = named.iter().map(|(name, named)| match named {
        Named::Part(part) => (name.to_string(), Some(*part)),
        Named::Held => (name.to_string(), Some(held)),
    });
    are_parts.then(|| {
        known
            .chain(resembling().map(|(name, _)| (name.to_string(), None)))
            .collect()
    })
}

/// The depth below parts at `depth`, and below a folder within each of them that says no more: `train/images`,
/// `seg_train/seg_train`.
fn unwrapped(names: &[&str], depth: usize) -> usize {
    let mut below = depth + 1;
    loop {
        let mut inner = Folders::new();
        for (part, within) in names
            .iter()
            .filter_map(|name| Some((folder(name, depth)?, folder(name, below)?)))
        {
            inner.entry(part).or_default().insert(within);
        }
        let wraps = |(part, set): (&&str, &BTreeSet<&str>)| {
            set.len() == 1 && set.iter().all(|folder| folder == part || part::is_container(folder))
        };
        if inner.is_empty() || !inner.iter().all(wraps) {
            return below;
        }
        below += 1;
    }
}

/// The folders at `depth`, with those in each.
fn folders_at<'a>(names: &[&'a str], depth: usize) -> Folders<'a> {
    let mut found = Folders::new();
    for name in names {
        if let Some(outer) = folder(name, depth) {
            found.entry(outer).or_default().extend(folder(name, depth + 1));
        }
    }
    found
}

/// The folder at `depth` that a file lies in.
fn folder(name: &str, depth: usize) -> Option<&str> {
    name.rsplit_once('/')?.0.split('/').nth(depth)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(names: &[&str]) -> Vec<String> {
        let layout = Layout::of(names, "source");
        names
            .iter()
            .map(|name| layout.label(name).unwrap_or("-".into()))
            .collect()
    }

    fn parts_of(names: &[&str]) -> Vec<Option<Part>> {
        let layout = Layout::of(names, "source");
        names.iter().map(|name| layout.part(name)).collect()
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
    fn a_folder_that_is_a_class_is_no_riddle_of_file_names() {
        assert_eq!(labels(&["cats/IMG_1.jpg", "cats/DSC_1.jpg"]), ["cats", "cats"]);
        assert_eq!(labels(&["cats/tom_1.jpg", "cats/felix_1.jpg"]), ["cats", "cats"]);
        assert_eq!(labels(&["train/cats/a_1.jpg", "train/cats/b_1.jpg"]), ["cats", "cats"]);
        assert_eq!(labels(&["IMG_1.jpg", "DSC_1.jpg"]), ["-", "-"]);
        // A container is none, nor is the folder that a zip of its name has at its top.
        assert_eq!(labels(&["images/cat_1.jpg", "images/dog_1.jpg"]), ["cat", "dog"]);
        assert_eq!(labels(&["source/cat_1.jpg", "source/dog_1.jpg"]), ["cat", "dog"]);
        assert_eq!(labels(&["train/all/cat.1.jpg", "train/all/dog.1.jpg"]), ["cat", "dog"]);
    }

    #[test]
    fn parts_are_looked_through() {
        assert_eq!(labels(&["train/cat/1.jpg", "val/dog/1.jpg"]), ["cat", "dog"]);
        assert_eq!(labels(&["data/train/cat/1.jpg", "data/test/dog/1.jpg"]), ["cat", "dog"]);
        assert_eq!(
            labels(&["train/cat/1.jpg", "validation/cat/1.jpg", "runs/a/curves.png"]),
            ["cat", "cat", "-"]
        );
        assert_eq!(
            labels(&["train/cat.0.jpg", "train/dog.0.jpg", "test1/1.jpg"]),
            ["cat", "dog", "-"]
        );
        assert_eq!(labels(&["train/cat/1.jpg", "validation/cat/2.jpg"]), ["cat", "cat"]);
        let layout = Layout::of(&["d/Train/cat/1.jpg", "d/valid/dog/1.jpg"], "d");
        assert_eq!(layout.part("d/valid/dog/1.jpg"), Some(Part::Validation));
        assert_eq!(layout.folders_of(Part::Train), ["d/Train"]);
        assert_eq!(
            layout.class_folder("d/Train/bird/x.txt"),
            Some(("bird".into(), "d/Train/bird".into()))
        );
        assert_eq!(layout.class_folder("d/runs/bird/x.txt"), None);
    }

    #[test]
    fn folders_that_hold_the_same_folders_are_parts() {
        use Part::{Test, Train, Validation};
        for (other, part) in [
            ("val_data", Some(Validation)),
            ("eval", Some(Validation)),
            ("more", None),
        ] {
            let names = ["train/A/1.jpg", "train/B/1.jpg"].map(String::from);
            let others = ["A", "B"].map(|class| format!("{other}/{class}/1.jpg"));
            let names = [names, others].concat();
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            assert_eq!(labels(&names), ["A", "B", "A", "B"], "{other}");
            assert_eq!(parts_of(&names), [Some(Train), Some(Train), part, part], "{other}");
        }
        let three = ["train/a/1.jpg", "dev/a/1.jpg", "holdout/a/1.jpg"];
        assert_eq!(parts_of(&three), [Some(Train), Some(Validation), Some(Test)]);
        let no_train = ["val/a/1.jpg", "val/b/1.jpg", "test/a/1.jpg", "test/b/1.jpg"];
        assert_eq!(labels(&no_train), ["a", "b", "a", "b"]);
        // Within the classes.
        let within = ["cat/train/1.jpg", "cat/test/1.jpg", "dog/train/1.jpg"];
        assert_eq!(labels(&within), ["cat", "cat", "dog"]);
        assert_eq!(parts_of(&within), [Some(Train), Some(Test), Some(Train)]);
    }

    #[test]
    fn what_all_parts_share_tells_nothing() {
        let names = [
            "seg_train/seg_train/sea/1.jpg",
            "seg_train/seg_train/street/1.jpg",
            "seg_test/seg_test/sea/1.jpg",
            "seg_pred/seg_pred/1.jpg",
        ];
        assert_eq!(labels(&names), ["sea", "street", "sea", "-"]);
        let parts = [Part::Train, Part::Train, Part::Test, Part::Test];
        assert_eq!(parts_of(&names), parts.map(Some));
        assert_eq!(labels(&["train/images/a/1.jpg", "val/images/b/1.jpg"]), ["a", "b"]);
        assert_eq!(
            labels(&["steam_train/1.jpg", "bullet_train/1.jpg"]),
            ["steam_train", "bullet_train"]
        );
    }

    #[test]
    fn what_may_be_either_is_told() {
        let names = ["x/a/1.jpg", "x/b/1.jpg", "y/a/1.jpg", "y/b/1.jpg"];
        let either = Ambiguous {
            level: 1,
            folders: ["x", "y"].map(String::from).to_vec(),
            within: ["a", "b"].map(String::from).to_vec(),
        };
        assert_eq!(Layout::of(&names, "").ambiguous, Some(either));
        let in_parts = [
            "d/train/x/a/1.jpg",
            "d/train/x/b/1.jpg",
            "d/train/y/a/1.jpg",
            "d/val/x/a/2.jpg",
        ];
        assert_eq!(Layout::of(&in_parts, "").ambiguous.map(|either| either.level), Some(3));
        // Not all need be in each.
        for (names, common) in [
            (&["x/a/1.jpg", "x/b/1.jpg", "y/a/1.jpg", "y/c/1.jpg"][..], vec!["a"]),
            (&["x/a/1.jpg", "x/b/1.jpg", "y/a/1.jpg"], vec!["a"]),
            (
                &["x/a/1.jpg", "x/b/1.jpg", "x/c/1.jpg", "y/a/1.jpg", "y/b/1.jpg"],
                vec!["a", "b"],
            ),
            (
                &["x/a/1.jpg", "x/b/1.jpg", "y/a/1.jpg", "y/b/1.jpg", "y/d/1.jpg"],
                vec!["a", "b"],
            ),
            // Or the classes are in the names of files.
            (
                &[
                    "train/cat.0.jpg",
                    "train/cat.1.jpg",
                    "train/dog.0.jpg",
                    "extra/cat.2.jpg",
                    "extra/dog.2.jpg",
                ],
                vec!["cat", "dog"],
            ),
        ] {
            let either = Layout::of(names, "").ambiguous.expect("taken for clear");
            assert_eq!(either.within, common);
        }
        for clear in [
            &["x/a/1.jpg", "x/b/1.jpg", "y/c/1.jpg", "y/d/1.jpg"][..],
            &["x/a/1.jpg", "y/a/1.jpg"],
            &["x/images/1.jpg", "x/raw/1.jpg", "y/images/1.jpg", "y/originals/1.jpg"],
            &["x/100CANON/1.jpg", "x/101CANON/1.jpg", "y/100CANON/1.jpg"],
            &["train/1.jpg", "car/1.jpg", "bus/1.jpg"],
            &["x/1/1.jpg", "x/2/1.jpg", "y/1/1.jpg", "y/2/1.jpg"],
            &["x/pictures/1.jpg", "y/pictures/1.jpg"],
        ] {
            assert_eq!(Layout::of(clear, "").ambiguous, None);
        }
    }
}
