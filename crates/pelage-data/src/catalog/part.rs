//! The parts of a data set by the names of their folders.

use std::collections::BTreeSet;

use serde::Serialize;

/// A part of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// What models learn from.
    Train,
    /// What they are validated on.
    Validation,
    /// What is kept for the end.
    Test,
}

impl Part {
    /// `train`, `validation`, `test`.
    pub fn name(self) -> &'static str {
        match self {
            Part::Train => "train",
            Part::Validation => "validation",
            Part::Test => "test",
        }
    }

    /// Where its files are, in words.
    pub(super) fn inside(self) -> &'static str {
        match self {
            Part::Train => "in the training part",
            Part::Validation => "in the validation part",
            Part::Test => "in the test part",
        }
    }
}

/// What a folder calls itself; `Held` is validation where nothing else is, else test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Named {
    Part(Part),
    Held,
}

/// The words for parts.
const PARTS: [(&str, Named); 22] = [
    ("train", Named::Part(Part::Train)),
    ("training", Named::Part(Part::Train)),
    ("trainval", Named::Part(Part::Train)),
    ("validation", Named::Part(Part::Validation)),
    ("validate", Named::Part(Part::Validation)),
    ("valid", Named::Part(Part::Validation)),
    ("val", Named::Part(Part::Validation)),
    ("dev", Named::Part(Part::Validation)),
    ("development", Named::Part(Part::Validation)),
    ("test", Named::Part(Part::Test)),
    ("testing", Named::Part(Part::Test)),
    ("tests", Named::Part(Part::Test)),
    ("unseen", Named::Part(Part::Test)),
    ("pred", Named::Part(Part::Test)),
    ("predict", Named::Part(Part::Test)),
    ("unlabeled", Named::Part(Part::Test)),
    ("unlabelled", Named::Part(Part::Test)),
    ("eval", Named::Held),
    ("evaluation", Named::Held),
    ("evaluate", Named::Held),
    ("holdout", Named::Held),
    ("heldout", Named::Held),
];

/// Words that say of a folder only that pictures are in it.
const GENERIC: [&str; 24] = [
    "image", "images", "img", "imgs", "picture", "pictures", "pic", "pics", "photo", "photos", "jpg", "jpeg", "jpegs",
    "png", "file", "files", "data", "dataset", "datasets", "set", "sets", "split", "samples", "all",
];

/// `train`, `Val`, `test1` (as Kaggle has it), `test_set`, `trainImages`, `val2017`, `hold-out`.
pub(super) fn of_folder(name: &str) -> Option<Named> {
    of_words(&words(name))
}

/// The folders in these names that are named as parts are, with all folders around them and a slash at the end.
pub(super) fn folders_named<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut found = BTreeSet::new();
    for name in names {
        for (end, _) in name.match_indices('/') {
            let own = name[..end].rsplit('/').next().unwrap_or_default();
            if of_folder(own).is_some() {
                found.insert(name[..=end].to_string());
            }
        }
    }
    found.into_iter().collect()
}

/// The same, by the words of a name.
pub(super) fn of_words(words: &[String]) -> Option<Named> {
    let telling: String = words
        .iter()
        .filter(|word| !GENERIC.contains(&word.as_str()))
        .cloned()
        .collect();
    let known = |text: &str| PARTS.iter().find(|(word, _)| *word == text).map(|(_, part)| *part);
    // Written as one word: `trainset`, `testimages`.
    let joined = || GENERIC.iter().find_map(|generic| known(telling.strip_suffix(generic)?));
    known(&telling).or_else(joined)
}

/// Whether a folder's name says only that pictures are in it: `images`, `PetImages`.
pub(super) fn is_container(name: &str) -> bool {
    of_folder(name).is_some() || words(name).iter().any(|word| GENERIC.contains(&word.as_str()))
}

/// Words that say of a folder only how its pictures got there, and what cameras call theirs.
const ORIGINS: [&str; 20] = [
    "raw",
    "original",
    "originals",
    "orig",
    "crop",
    "crops",
    "cropped",
    "resized",
    "export",
    "exports",
    "new",
    "old",
    "misc",
    "other",
    "others",
    "camera",
    "cam",
    "dcim",
    "dsc",
    "card",
];

/// Whether a folder's name may say what is on the pictures in it: not `images`, `raw_files`, `3`, `train`, `100CANON`.
pub(super) fn is_telling(name: &str) -> bool {
    // As the Design rule for Camera File system has it: three digits, and five signs.
    let by_camera = name.len() == 8 && name.is_ascii() && name.bytes().take(3).all(|byte| byte.is_ascii_digit());
    let says = |word: &String| {
        ![&GENERIC[..], &ORIGINS]
            .iter()
            .any(|words| words.contains(&word.as_str()))
    };
    !by_camera && of_folder(name).is_none() && words(name).iter().any(says)
}

/// The words of a name in lower case, without numbers: `pet`, `images` of `PetImages2`.
pub(super) fn words(name: &str) -> Vec<String> {
    let (mut words, mut last) = (vec![String::new()], ' ');
    for c in name.chars() {
        // Where it goes from lower to upper case a word begins; between letters and anything else too.
        if !c.is_alphabetic() || c.is_uppercase() && last.is_lowercase() {
            words.push(String::new());
        }
        if c.is_alphabetic()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
        last = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_parts_in_many_spellings() {
        for name in [
            "train",
            "Train",
            "TRAIN",
            "training",
            "training_set",
            "train_images",
            "trainImages",
            "Train-Data",
            "train2017",
            "trainset",
            "train_imgs",
            "trainval",
            "images_train",
            "data.train",
        ] {
            assert_eq!(of_folder(name), Some(Named::Part(Part::Train)), "{name}");
        }
        for name in [
            "validation",
            "valid",
            "Val",
            "val_data",
            "ValidationSet",
            "dev",
            "valset",
            "dev_images",
        ] {
            assert_eq!(of_folder(name), Some(Named::Part(Part::Validation)), "{name}");
        }
        for name in ["test", "test1", "test_set", "testing", "Test Images"] {
            assert_eq!(of_folder(name), Some(Named::Part(Part::Test)), "{name}");
        }
        for name in ["eval", "holdout", "hold_out", "held-out", "evaluation"] {
            assert_eq!(of_folder(name), Some(Named::Held), "{name}");
        }
        for name in [
            "cat",
            "trainer",
            "trains",
            "steam_train",
            "images",
            "2019",
            "valley",
            "device",
            "trainA",
        ] {
            assert_eq!(of_folder(name), None, "{name}");
        }
        assert!(is_container("PetImages") && is_container("images") && !is_container("cats"));
    }
}
