//! From any source to `DATA/train/<class>/...` and `DATA/validation/<class>/...`. Never touches the source.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::catalog::{self, Catalog, Item};
use crate::source::{Location, Progress};
use crate::{Error, Result};

/// What to organize, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// A folder or zip.
    pub source: PathBuf,
    /// The folder to make.
    pub out: PathBuf,
    /// Share of each class for validation, 0 to 1.
    pub ratio: f64,
    /// At most so many pictures in all, the classes' shares kept.
    pub limit: Option<usize>,
    /// Chooses who goes where.
    pub seed: u64,
    /// Class names to change: from, to.
    pub rename: Vec<(String, String)>,
    /// How pictures get there.
    pub link: Link,
    /// A CSV of path,label.
    pub labels: Option<PathBuf>,
    /// Replace what an earlier `organize` made there.
    pub force: bool,
}

/// How pictures get to their place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Link {
    /// A copy.
    #[default]
    Copy,
    /// A hard link (the same file system only).
    Hard,
    /// A symbolic link.
    Symbolic,
}

impl std::str::FromStr for Link {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "copy" => Ok(Link::Copy),
            "hard" => Ok(Link::Hard),
            "symbolic" => Ok(Link::Symbolic),
            other => Err(format!("'{other}' is none of copy, hard, symbolic")),
        }
    }
}

/// What was made.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The folder.
    pub out: PathBuf,
    /// One entry a class.
    pub classes: Vec<ClassCount>,
    /// Files written now.
    pub written: usize,
    /// Files that an earlier, interrupted call had written.
    pub already_there: usize,
    /// Files that carry no label and were left out.
    pub unlabelled: Vec<String>,
}

/// Pictures of one class.
#[derive(Clone, Debug, Serialize)]
pub struct ClassCount {
    /// The class.
    pub name: String,
    /// Pictures in train.
    pub train: usize,
    /// Pictures in validation.
    pub validation: usize,
}

/// Marks a folder as made by `organize`, and says by what plan and which files, so that a killed call can be finished
/// and `--force` removes nothing else.
const PLAN: &str = ".pelage-organize.json";

#[derive(Serialize, Deserialize, PartialEq)]
struct Plan {
    settings: String,
    complete: bool,
    files: Vec<String>,
}

/// Makes the tree; `progress` hears of every file.
///
/// # Errors
/// Bad settings, a source without two classes, a target that is not empty, a full disk.
pub fn organize(options: &Options, progress: &(dyn Fn(Progress) + Sync)) -> Result<Report> {
    if !(options.ratio > 0.0 && options.ratio < 1.0) {
        return Err(Error::Input(format!(
            "--ratio is {}, it must lie between 0 and 1",
            options.ratio
        )));
    }
    check_places(options)?;
    let mut catalog = Catalog::from_source(&options.source, options.labels.as_deref())?;
    let unlabelled = std::mem::take(&mut catalog.unlabelled);
    rename(&mut catalog, &options.rename)?;
    if catalog.classes.len() < 2 {
        return Err(Error::Data(format!(
            "{}: found {} class(es) ({}), a classifier needs two: name files like cat.0.jpg, put them into one folder \
             per class, or give `--labels labels.csv`",
            options.source.display(),
            catalog.classes.len(),
            catalog.classes.join(", ")
        )));
    }
    if let Some(limit) = options.limit {
        catalog = limited(catalog, limit, options.seed)?;
    }
    let split = catalog::split(&catalog, options.ratio, options.seed)?;
    let mut names = Names::default();
    let mut placed: Vec<(&Item, String)> = Vec::with_capacity(catalog.items.len());
    for (set, side) in [("train", &split.train), ("validation", &split.validation)] {
        for item in &side.items {
            let class = folder_name(&catalog.classes[item.label])?;
            placed.push((item, names.unique(&format!("{set}/{class}"), &item.name)));
        }
    }
    let settings = format!(
        "{:?} {} {:?} {} {:?} {:?} {:?}",
        options.source.canonicalize().map_err(Error::io(&options.source))?,
        options.ratio,
        options.limit,
        options.seed,
        options.rename,
        options.link,
        options.labels
    );
    let mut plan = Plan {
        settings,
        complete: false,
        files: placed.iter().map(|(_, name)| name.clone()).collect(),
    };
    prepare(options, &plan)?;

    let (done, written, total) = (AtomicUsize::new(0), AtomicUsize::new(0), placed.len());
    for class in &catalog.classes {
        for set in ["train", "validation"] {
            let folder = options.out.join(set).join(folder_name(class)?);
            std::fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
        }
    }
    placed.par_iter().try_for_each(|(item, name)| -> Result<()> {
        if place(&item.location, &options.out.join(name), options.link)? {
            written.fetch_add(1, Ordering::Relaxed);
        }
        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
        progress(Progress {
            done,
            total,
            what: "organizing",
        });
        Ok(())
    })?;
    plan.complete = true;
    write_plan(&options.out, &plan)?;

    let written = written.into_inner();
    let counts = split.train.counts().into_iter().zip(split.validation.counts());
    let classes = catalog
        .classes
        .iter()
        .zip(counts)
        .map(|(name, (train, validation))| ClassCount {
            name: name.clone(),
            train,
            validation,
        });
    Ok(Report {
        out: options.out.clone(),
        classes: classes.collect(),
        written,
        already_there: total - written,
        unlabelled,
    })
}

/// The target must not lie in the source, where it would be read back and change what is not ours.
fn check_places(options: &Options) -> Result<()> {
    let source = options.source.canonicalize().map_err(Error::io(&options.source))?;
    let mut out = std::path::absolute(&options.out).map_err(Error::io(&options.out))?;
    let mut missing = PathBuf::new();
    while !out.exists() {
        let Some(name) = out.file_name().map(PathBuf::from) else {
            break;
        };
        missing = if missing.as_os_str().is_empty() {
            name
        } else {
            name.join(missing)
        };
        out.pop();
    }
    let out = out.canonicalize().map_err(Error::io(&options.out))?.join(missing);
    if out.starts_with(&source) {
        return Err(Error::Input(format!(
            "{} lies inside the source {}, which is never written to; choose another --out",
            options.out.display(),
            options.source.display()
        )));
    }
    Ok(())
}

fn rename(catalog: &mut Catalog, renames: &[(String, String)]) -> Result<()> {
    for (from, to) in renames {
        let Some(class) = catalog.classes.iter_mut().find(|class| *class == from) else {
            let known = catalog.classes.join(", ");
            return Err(Error::Input(format!(
                "--rename {from}={to}: there is no class '{from}', only {known}"
            )));
        };
        *class = to.clone();
    }
    // Renaming can merge classes and change their order.
    let old = std::mem::take(&mut catalog.classes);
    let mut new = old.clone();
    new.sort_by(|a, b| crate::source::natural_order(a, b));
    new.dedup();
    for item in &mut catalog.items {
        item.label = new
            .iter()
            .position(|name| *name == old[item.label])
            .unwrap_or(item.label);
    }
    catalog.classes = new;
    Ok(())
}

/// `limit` pictures with the classes' shares kept, chosen by `seed`.
fn limited(catalog: Catalog, limit: usize, seed: u64) -> Result<Catalog> {
    let (counts, total) = (catalog.counts(), catalog.items.len());
    if limit >= total {
        return Ok(catalog);
    }
    if limit < 2 * counts.len() {
        let least = 2 * counts.len();
        return Err(Error::Input(format!(
            "--limit {limit} is too small: two pictures a class are {least}"
        )));
    }
    let mut left: Vec<usize> = counts.iter().map(|count| (count * limit / total).max(2)).collect();
    while left.iter().sum::<usize>() < limit {
        // What rounding left over goes where most is missing.
        let missing = |class: &usize| counts[*class] * limit / left[*class].max(1);
        let Some(class) = (0..counts.len())
            .filter(|class| left[*class] < counts[*class])
            .max_by_key(missing)
        else {
            break;
        };
        left[class] += 1;
    }
    let mut order: Vec<usize> = (0..total).collect();
    order.sort_by_key(|&i| *blake3::hash(format!("{seed} {}", catalog.items[i].name).as_bytes()).as_bytes());
    let mut chosen = vec![false; total];
    for i in order {
        let left = &mut left[catalog.items[i].label];
        chosen[i] = *left > 0;
        *left = left.saturating_sub(1);
    }
    let items = catalog
        .items
        .into_iter()
        .zip(chosen)
        .filter(|(_, chosen)| *chosen)
        .map(|(item, _)| item);
    Ok(Catalog {
        items: items.collect(),
        ..catalog
    })
}

/// A class name as one folder's name.
///
/// Names come from archives and CSVs and may be hostile.
fn folder_name(class: &str) -> Result<&str> {
    let bad = |c: char| c.is_control() || matches!(c, '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|');
    if class.is_empty() || class.starts_with('.') || class.contains(bad) {
        return Err(Error::Data(format!(
            "class '{}' cannot be a folder's name; give it another by `--rename`",
            class.escape_debug()
        )));
    }
    Ok(class)
}

/// File names taken so far.
#[derive(Default)]
struct Names(HashSet<String>);

impl Names {
    /// `folder/file.jpg` for `any/path/file.jpg`, or `folder/file-2.jpg` where that is taken.
    fn unique(&mut self, folder: &str, name: &str) -> String {
        let file: String = name
            .rsplit(['/', '\\'])
            .next()
            .unwrap_or(name)
            .chars()
            .filter(|c| !c.is_control())
            .collect();
        let file = file.trim_start_matches('.');
        let (stem, extension) = file
            .rsplit_once('.')
            .map_or((file, String::new()), |(s, e)| (s, format!(".{e}")));
        let mut candidate = format!("{folder}/{stem}{extension}");
        let mut number = 2;
        // Lower case, since some file systems do not tell case apart.
        while !self.0.insert(candidate.to_lowercase()) {
            candidate = format!("{folder}/{stem}-{number}{extension}");
            number += 1;
        }
        candidate
    }
}

/// Makes `out` ready for `plan`: empty, or holding a part of just this plan.
fn prepare(options: &Options, plan: &Plan) -> Result<()> {
    let out = &options.out;
    std::fs::create_dir_all(out).map_err(Error::io(out))?;
    let earlier: Option<Plan> = std::fs::read(out.join(PLAN))
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let same = earlier
        .as_ref()
        .is_some_and(|old| old.settings == plan.settings && old.files == plan.files);
    let empty = std::fs::read_dir(out).map_err(Error::io(out))?.next().is_none();
    if !empty && !same {
        match earlier {
            Some(old) if options.force => remove(out, &old)?,
            Some(_) => {
                return Err(Error::Input(format!(
                    "{} holds what an earlier organize made with other settings; `--force` replaces it",
                    out.display()
                )));
            }
            None => {
                return Err(Error::Input(format!(
                    "{} is not empty and was not made by organize; choose another --out (--force would not remove it \
                     either)",
                    out.display()
                )));
            }
        }
    }
    write_plan(out, plan)
}

/// Removes the files of an earlier plan, and folders that this leaves empty; nothing else.
fn remove(out: &Path, plan: &Plan) -> Result<()> {
    for name in &plan.files {
        let path = Path::new(name);
        if path
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_)))
        {
            // What is gone already needs no removing.
            let _ = std::fs::remove_file(out.join(path));
        }
    }
    for set in ["train", "validation"] {
        for folder in std::fs::read_dir(out.join(set)).into_iter().flatten().flatten() {
            // Fails, as it should, where somebody else's files are left.
            let _ = std::fs::remove_dir(folder.path());
        }
    }
    Ok(())
}

fn write_plan(out: &Path, plan: &Plan) -> Result<()> {
    let path = out.join(PLAN);
    let bytes = serde_json::to_vec(plan).map_err(|failure| Error::io(&path)(failure.into()))?;
    write_whole(&path, &bytes)
}

/// Written under another name and renamed: a kill never leaves half a file under the right name.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let attempt = || -> std::io::Result<()> {
        let mut file = tempfile::Builder::new()
            .prefix(".organize-")
            .suffix(".tmp")
            .tempfile_in(folder)?;
        std::io::Write::write_all(&mut file, bytes)?;
        #[cfg(unix)]
        std::fs::set_permissions(file.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
        file.persist(path).map_err(|failure| failure.error)?;
        Ok(())
    };
    attempt().map_err(Error::io(path))
}

/// Puts one picture in its place; whether it was not there yet.
fn place(location: &Location, target: &Path, link: Link) -> Result<bool> {
    if target.exists() {
        return Ok(false);
    }
    match (location, link) {
        (Location::File(from), Link::Hard) => std::fs::hard_link(from, target).map_err(Error::io(target))?,
        (Location::File(from), Link::Symbolic) => {
            let from = from.canonicalize().map_err(Error::io(from))?;
            #[cfg(unix)]
            std::os::unix::fs::symlink(from, target).map_err(Error::io(target))?;
            #[cfg(windows)]
            std::os::windows::fs::symlink_file(from, target).map_err(Error::io(target))?;
        }
        (Location::Zip { .. }, Link::Hard | Link::Symbolic) => {
            return Err(Error::Input(
                "pictures in a zip cannot be linked; leave --link out".into(),
            ));
        }
        (location, Link::Copy) => write_whole(target, &location.read()?)?,
    }
    Ok(true)
}
