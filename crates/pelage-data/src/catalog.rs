//! Who is in which class, and which pictures are kept for validation.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use rayon::prelude::*;

use crate::source::{self, Entry, Location, natural_order};
use crate::{Error, Result};

/// One labelled picture.
#[derive(Clone, Debug)]
pub struct Item {
    /// Its name relative to the source, with slashes.
    pub name: String,
    /// Where its bytes are.
    pub location: Location,
    /// Index into [`Catalog::classes`].
    pub label: usize,
}

/// Labelled pictures and the names of their classes, in natural order.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// Class names; a label is an index into them.
    pub classes: Vec<String>,
    /// The pictures, in natural order of their names.
    pub items: Vec<Item>,
    /// Files that carry no label, by name.
    pub unlabelled: Vec<String>,
}

/// A catalog parted in two; both sides have the same classes.
#[derive(Clone, Debug)]
pub struct Split {
    /// What is learnt from.
    pub train: Catalog,
    /// What is kept for validation.
    pub validation: Catalog,
}

impl Catalog {
    /// Reads the labels of a source from a CSV (`path,label`), or from folder names (`PetImages/Cat/1.jpg`), or where
    /// there are no class folders from file names (`cat.0.jpg`).
    ///
    /// # Errors
    /// An unreadable or empty source, a CSV that names missing files, pictures without labels.
    pub fn from_source(path: &Path, labels_csv: Option<&Path>) -> Result<Catalog> {
        let entries = source::list(path)?;
        if entries.is_empty() {
            return Err(Error::Data(format!("{}: holds no files", path.display())));
        }
        let labels: Vec<Option<String>> = match labels_csv {
            Some(csv) => labels_from_csv(csv, &entries)?,
            None => {
                let folders: Vec<_> = entries.iter().map(|entry| folder_label(&entry.name)).collect();
                let mut names: Vec<_> = folders.iter().flatten().collect();
                names.sort_unstable();
                names.dedup();
                match names.len() {
                    // One folder (Kaggle's `train/`) or none says nothing; then the file names must.
                    0 | 1 => entries.iter().map(|entry| file_label(&entry.name)).collect(),
                    _ => folders,
                }
            }
        };
        Ok(Catalog::new(entries.into_iter().zip(labels)))
    }

    /// A catalog of labelled entries; those without a label are only named.
    pub fn new(labelled: impl Iterator<Item = (Entry, Option<String>)>) -> Catalog {
        let (mut known, mut unlabelled) = (Vec::new(), Vec::new());
        for (entry, label) in labelled {
            match label {
                Some(label) => known.push((entry, label)),
                None => unlabelled.push(entry.name),
            }
        }
        let mut classes: Vec<String> = known.iter().map(|(_, label)| label.clone()).collect();
        classes.sort_by(|a, b| natural_order(a, b));
        classes.dedup();
        let index: HashMap<_, _> = classes.iter().cloned().zip(0..).collect();
        let items = known.into_iter().map(|(entry, label)| Item {
            label: index[&label],
            name: entry.name,
            location: entry.location,
        });
        Catalog {
            items: items.collect(),
            classes,
            unlabelled,
        }
    }

    /// Pictures of each class.
    pub fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes.len()];
        self.items.iter().for_each(|item| counts[item.label] += 1);
        counts
    }

    fn with_items(&self, items: Vec<Item>) -> Catalog {
        Catalog {
            classes: self.classes.clone(),
            items,
            unlabelled: Vec::new(),
        }
    }
}

/// The name of the folder a file lies in.
fn folder_label(name: &str) -> Option<String> {
    let (folders, _) = name.rsplit_once('/')?;
    Some(folders.rsplit('/').next().unwrap_or(folders).to_string())
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

fn labels_from_csv(path: &Path, entries: &[Entry]) -> Result<Vec<Option<String>>> {
    let wrong = |line: u64, what: String| Error::Input(format!("{}, line {line}: {what}", path.display()));
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_path(path)
        .map_err(|failure| wrong(0, failure.to_string()))?;
    // A CSV may name a picture by its whole name, or by what comes last where that is unambiguous.
    let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
    for (i, entry) in entries.iter().enumerate() {
        let mut rest = entry.name.as_str();
        by_name.entry(rest).or_default().push(i);
        while let Some((_, tail)) = rest.split_once('/') {
            by_name.entry(tail).or_default().push(i);
            rest = tail;
        }
    }
    let mut labels = vec![None; entries.len()];
    for record in reader.records() {
        let record =
            record.map_err(|failure| wrong(failure.position().map_or(0, csv::Position::line), failure.to_string()))?;
        let line = record.position().map_or(0, csv::Position::line);
        let (Some(name), Some(label)) = (record.get(0), record.get(1)) else {
            return Err(wrong(line, "expected two columns: path,label".into()));
        };
        let name = name.replace('\\', "/");
        match by_name.get(name.trim_start_matches("./")).map(Vec::as_slice) {
            Some([_]) if label.is_empty() => return Err(wrong(line, format!("'{name}' has an empty label"))),
            Some([one]) => labels[*one] = Some(label.to_string()),
            Some(_) => {
                return Err(wrong(
                    line,
                    format!("'{name}' fits several files; give more of its path"),
                ));
            }
            // The first line may be a heading.
            None if line <= 1 => {}
            None => return Err(wrong(line, format!("there is no file '{name}' in the source"))),
        }
    }
    Ok(labels)
}

/// Parts a catalog: per class, `ratio` (0 to 1) of the pictures goes to validation, chosen by `seed`; byte-identical
/// pictures stay on one side, whatever their class.
///
/// # Errors
/// Pictures that cannot be read at all (the content of readable files is not looked at here).
pub fn split(catalog: &Catalog, ratio: f64, seed: u64) -> Result<Split> {
    let hashes: Vec<[u8; 32]> = catalog
        .items
        .par_iter()
        .map(|item| Ok(*blake3::hash(&item.location.read()?).as_bytes()))
        .collect::<Result<_>>()?;
    let mut by_hash: HashMap<[u8; 32], Vec<usize>> = HashMap::new();
    for (i, hash) in hashes.iter().enumerate() {
        by_hash.entry(*hash).or_default().push(i);
    }
    let counts = catalog.counts();
    let mut wanted: Vec<usize> = counts
        .iter()
        .map(|&count| ((count as f64 * ratio).round() as usize).clamp(usize::from(count > 1), count.saturating_sub(1)))
        .collect();
    // Groups in an order that depends on seed and content alone, largest first so that single pictures fill up exactly.
    let mut groups: Vec<(std::cmp::Reverse<usize>, [u8; 32], Vec<usize>)> = by_hash
        .into_iter()
        .map(|(hash, members)| {
            let key = *blake3::hash(&[&seed.to_le_bytes()[..], &hash].concat()).as_bytes();
            (std::cmp::Reverse(members.len()), key, members)
        })
        .collect();
    groups.sort_unstable();
    let mut in_validation = vec![false; catalog.items.len()];
    for (_, _, members) in groups {
        let mut needs: BTreeMap<usize, usize> = BTreeMap::new();
        members
            .iter()
            .for_each(|&i| *needs.entry(catalog.items[i].label).or_default() += 1);
        if needs.iter().all(|(&label, &need)| wanted[label] >= need) {
            needs.iter().for_each(|(&label, &need)| wanted[label] -= need);
            members.iter().for_each(|&i| in_validation[i] = true);
        }
    }
    let side = |validation: bool| {
        let chosen = catalog
            .items
            .iter()
            .zip(&in_validation)
            .filter(|(_, there)| **there == validation);
        catalog.with_items(chosen.map(|(item, _)| item.clone()).collect())
    };
    Ok(Split {
        train: side(false),
        validation: side(true),
    })
}

/// Names that a validation folder may have.
const VALIDATION: [&str; 4] = ["validation", "valid", "val", "test"];

/// Opens what `train` takes: `DATA/train` and `DATA/validation` with class folders, matched by name; or any source with
/// `validation_split` (0 to 1).
///
/// # Errors
/// Says what is wrong with the data set and what to type: no validation part, one class only, a class without pictures,
/// a validation class that training does not know.
pub fn open_dataset(path: &Path, validation_split: Option<f64>, seed: u64) -> Result<Split> {
    let shown = path.display();
    if !path.exists() {
        return Err(Error::Input(format!("{shown}: there is no such folder or zip")));
    }
    let train = path.join("train");
    let validation = VALIDATION[..3]
        .iter()
        .map(|name| path.join(name))
        .find(|folder| folder.is_dir());
    let split = match (train.is_dir().then_some(train), validation, validation_split) {
        (Some(train), Some(validation), None) => Split {
            train: folders(&train)?,
            validation: folders(&validation)?,
        },
        (Some(_), Some(_), Some(_)) => {
            return Err(Error::Input(format!(
                "{shown} has a validation part already; leave --validation-split out"
            )));
        }
        (_, _, Some(ratio)) => {
            let catalog = Catalog::from_source(path, None)?;
            check_classes(&catalog, path)?;
            split(&catalog, ratio, seed)?
        }
        (_, _, None) => {
            return Err(Error::Input(format!(
                "{shown} has no train and validation folders; add `--validation-split 0.2`, or make them by \
                 `pelage organize {shown} --out data`"
            )));
        }
    };
    check_classes(&split.train, path)?;
    match_classes(split, path)
}

/// The class folders directly below `folder`; an empty one counts as a class without pictures.
fn folders(folder: &Path) -> Result<Catalog> {
    let entries = source::list(folder)?;
    let labelled = entries.into_iter().map(|entry| {
        let label = entry.name.split_once('/').map(|(class, _)| class.to_string());
        (entry, label)
    });
    let mut catalog = Catalog::new(labelled);
    for entry in std::fs::read_dir(folder).map_err(Error::io(folder))? {
        let entry = entry.map_err(Error::io(folder))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() && !name.starts_with('.') && !catalog.classes.contains(&name) {
            return Err(Error::Data(format!(
                "{}: class '{name}' has no pictures; fill the folder or remove it",
                folder.display()
            )));
        }
    }
    if catalog.items.is_empty() {
        return Err(Error::Data(format!(
            "{}: no class folders with pictures",
            folder.display()
        )));
    }
    catalog.unlabelled.clear();
    Ok(catalog)
}

fn check_classes(catalog: &Catalog, path: &Path) -> Result<()> {
    match catalog.classes.as_slice() {
        [] => Err(Error::Data(format!(
            "{}: no labelled pictures; put them into one folder per class, name them like cat.0.jpg, or organize \
             them with `--labels labels.csv`",
            path.display()
        ))),
        [one] => Err(Error::Data(format!(
            "{}: only one class, '{one}'; a classifier needs at least two folders of pictures",
            path.display()
        ))),
        _ => Ok(()),
    }
}

/// Gives validation labels training's numbers, by class name.
fn match_classes(mut split: Split, path: &Path) -> Result<Split> {
    let index: HashMap<&str, usize> = split.train.classes.iter().map(String::as_str).zip(0..).collect();
    let numbers = split.validation.classes.iter().map(|class| {
        index.get(class.as_str()).copied().ok_or_else(|| {
            let known = split.train.classes.join(", ");
            Error::Data(format!(
                "{}: validation has a class '{class}' that training does not know (it knows {known}); rename or \
                 remove that folder",
                path.display()
            ))
        })
    });
    let numbers = numbers.collect::<Result<Vec<_>>>()?;
    split
        .validation
        .items
        .iter_mut()
        .for_each(|item| item.label = numbers[item.label]);
    split.validation.classes = split.train.classes.clone();
    if let Some(missing) = split.validation.counts().iter().position(|&count| count == 0) {
        return Err(Error::Data(format!(
            "{}: validation has no picture of class '{}'; move some there, or make a split by `pelage organize`",
            path.display(),
            split.train.classes[missing]
        )));
    }
    Ok(split)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_from_names() {
        let label = |name: &str| file_label(name).unwrap_or_default();
        assert_eq!(label("train/cat.0.jpg"), "cat");
        assert_eq!(label("great_dane_12.jpg"), "great_dane");
        assert_eq!(label("dog (7).png"), "dog");
        assert_eq!(label("1.jpg"), "");
        assert_eq!(label("readme.txt"), "");
        assert_eq!(folder_label("PetImages/Cat/1.jpg").unwrap(), "Cat");
    }
}
