//! A look at a data set before training: what is there, what is broken, what is there twice.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use rayon::prelude::*;
use serde::Serialize;

use crate::alike::{self, Look, near_groups};
use crate::capture::Capture;
use crate::catalog::{self, Catalog, Item, Listing, Part};
use crate::decode;
use crate::progress::{Counter, Progress};
use crate::source::{Entry, LeftOut};
use crate::{Error, Result, Unreadable};

/// What `inspect` found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Images looked at.
    #[serde(rename = "pictures")]
    pub images: usize,
    /// One entry a set and class.
    pub classes: Vec<ClassReport>,
    /// Readable images by format.
    pub formats: BTreeMap<String, usize>,
    /// Files that cannot be read, with reasons.
    pub unreadable: Vec<Unreadable>,
    /// What else was found, and why it was not looked at.
    pub left_out: Vec<LeftOut>,
    /// Why it is not clear which folders are the classes; here the outer ones are taken for them.
    pub unclear: Option<Unclear>,
    /// Groups of byte-identical images, first those of different classes.
    pub exact_duplicates: Vec<Vec<String>>,
    /// How many of these are of different classes: one label of each is wrong.
    pub contradictions: usize,
    /// Groups of images that look the same but for size, compression, brightness or a narrow margin. Of byte-identical
    /// ones the first stands for all.
    pub near_duplicates: Vec<Vec<String>>,
    /// Groups, exact or near, with images in more than one of train, validation and test.
    pub leaks: Vec<Vec<String>>,
    /// Images of the largest class for each one of the smallest.
    pub imbalance: f64,
    /// What images say of when and where they were taken.
    pub captured: Captured,
}

/// What images say, in their EXIF data, of when and where they were taken.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Captured {
    /// Images that say when.
    pub with_time: usize,
    /// The first and the last of these times, as `2024-05-01T06:30:00`, by the camera's clock.
    pub times: Option<[String; 2]>,
    /// Images that say where.
    pub with_place: usize,
}

impl Captured {
    fn of<'a>(captures: impl Iterator<Item = &'a Capture>) -> Captured {
        let (mut times, mut with_place) = (Vec::new(), 0);
        for capture in captures {
            times.extend(capture.time);
            with_place += usize::from(capture.has_place);
        }
        let range = times.iter().min().zip(times.iter().max());
        Captured {
            with_time: times.len(),
            times: range.map(|(first, last)| [first.to_string(), last.to_string()]),
            with_place,
        }
    }
}

/// Folders in each other, either of which may be the classes.
#[derive(Clone, Debug, Serialize)]
pub struct Unclear {
    /// The level of the outer ones, from 1 for those in the source.
    pub level: usize,
    /// What is not clear, in words.
    pub reason: String,
}

/// One class in one set.
#[derive(Clone, Debug, Serialize)]
pub struct ClassReport {
    /// `train`, `validation`, `test`, or `all` where there are no such parts.
    pub set: &'static str,
    /// The class; empty for images without a label.
    pub name: String,
    /// Its files.
    #[serde(rename = "pictures")]
    pub images: usize,
    /// Those that cannot be read.
    pub unreadable: usize,
    /// Smallest, median and largest width in pixels.
    pub width: [u32; 3],
    /// Smallest, median and largest height in pixels.
    pub height: [u32; 3],
}

/// What is known of one readable image.
struct Seen {
    size: [u32; 2],
    format: &'static str,
    content: [u8; 32],
    look: Look,
    capture: Capture,
}

/// Decodes every image of `path` (an organised tree or any source) in parallel. The folders at `label_level` are the
/// classes, if one is given.
///
/// # Errors
/// A source that cannot be read or is empty; broken images are part of the report, not errors.
pub fn inspect(path: &Path, label_level: Option<usize>, progress: &(dyn Fn(Progress) + Sync)) -> Result<Report> {
    let listing = Listing::read(path, label_level)?;
    let unclear = match listing.check_clear() {
        Err(ref error @ Error::Ambiguous { level, .. }) => Some(Unclear {
            level,
            reason: error.to_string(),
        }),
        _ => None,
    };
    let parts = [
        ("train", Part::Train),
        ("validation", Part::Validation),
        ("test", Part::Test),
    ];
    let mut sets: Vec<(&'static str, Catalog)> = parts
        .into_iter()
        .filter(|(_, part)| listing.has(*part))
        .map(|(set, part)| {
            (
                set,
                with_unlabelled(listing.part(part), listing.without_label(Some(part))),
            )
        })
        .collect();
    let mut all = listing.catalog(|_| true);
    if sets.is_empty() {
        let whole = listing.catalog(|_| true);
        sets.push(("all", with_unlabelled(whole, listing.without_label(None))));
    }
    let items: Vec<_> = sets
        .iter()
        .flat_map(|(set, catalog)| catalog.items.iter().map(move |item| (*set, item)))
        .collect();
    if items.is_empty() {
        return Err(catalog::no_labels(&all, path));
    }
    let looked_at: HashSet<String> = items.iter().map(|(_, item)| item.location.to_string()).collect();
    all.left_out.retain(|one| !looked_at.contains(&one.path));
    let counter = Counter::new("decoding", items.len(), progress);
    let seen: Vec<std::result::Result<Seen, String>> = items
        .par_iter()
        .map(|(_, item)| {
            let seen = item.location.read_with(|bytes| look_at(&bytes));
            let seen = seen.map_err(|failure| failure.reason()).and_then(|seen| seen);
            counter.count();
            seen
        })
        .collect();

    let name = |i: usize| items[i].1.location.to_string();
    let mut formats = BTreeMap::new();
    let mut unreadable = Vec::new();
    for (i, seen) in seen.iter().enumerate() {
        match seen {
            Ok(seen) => *formats.entry(seen.format.to_string()).or_default() += 1,
            Err(reason) => unreadable.push(Unreadable {
                path: name(i),
                reason: reason.clone(),
            }),
        }
    }
    let mut by_content: HashMap<[u8; 32], Vec<usize>> = HashMap::new();
    for (i, seen) in seen.iter().enumerate() {
        if let Ok(seen) = seen {
            by_content.entry(seen.content).or_default().push(i);
        }
    }
    let mut exact: Vec<Vec<usize>> = by_content.into_values().filter(|group| group.len() > 1).collect();
    exact.sort();
    let class_names = sets.iter().flat_map(|(_, catalog)| {
        let name = |item: &Item| catalog.classes[item.label].as_str();
        catalog.items.iter().map(name).collect::<Vec<_>>()
    });
    let class_names: Vec<&str> = class_names.collect();
    // What has no label contradicts none.
    let contradicts = |group: &Vec<usize>| {
        let named = group.iter().map(|&i| class_names[i]).filter(|name| !name.is_empty());
        named.collect::<HashSet<_>>().len() > 1
    };
    let (mut differing, agreeing): (Vec<_>, Vec<_>) = exact.into_iter().partition(contradicts);
    let contradictions = differing.len();
    differing.extend(agreeing);
    let exact = differing;
    // One of each group of exact duplicates stands for the others.
    let doubles: HashSet<usize> = exact.iter().flat_map(|group| group[1..].iter().copied()).collect();
    let looks = seen.iter().enumerate().filter(|(i, _)| !doubles.contains(i));
    let near = near_groups(
        &looks
            .filter_map(|(i, seen)| Some((i, &seen.as_ref().ok()?.look)))
            .collect::<Vec<_>>(),
    );
    let crosses = |group: &&Vec<usize>| group.iter().any(|&i| items[i].0 != items[group[0]].0);
    let named = |group: &Vec<usize>| group.iter().map(|&i| name(i)).collect::<Vec<_>>();
    let leaks = exact.iter().chain(&near).filter(crosses).map(named).collect();

    let mut classes = Vec::new();
    let mut first = 0;
    for (set, catalog) in &sets {
        for (label, class) in catalog.classes.iter().enumerate() {
            let members = (first..first + catalog.items.len()).filter(|&i| items[i].1.label == label);
            let all: Vec<_> = members.map(|i| &seen[i]).collect();
            let sizes: Vec<[u32; 2]> = all.iter().filter_map(|seen| Some(seen.as_ref().ok()?.size)).collect();
            classes.push(ClassReport {
                set,
                name: class.clone(),
                images: all.len(),
                unreadable: all.len() - sizes.len(),
                width: spread(sizes.iter().map(|size| size[0])),
                height: spread(sizes.iter().map(|size| size[1])),
            });
        }
        first += catalog.items.len();
    }
    let mut totals: HashMap<&str, usize> = HashMap::new();
    let labelled = classes.iter().filter(|class| !class.name.is_empty());
    labelled.for_each(|class| *totals.entry(&class.name).or_default() += class.images);
    let (most, least) = (
        totals.values().max().copied().unwrap_or(0),
        totals.values().min().copied().unwrap_or(0),
    );
    let imbalance = most as f64 / least.max(1) as f64;
    Ok(Report {
        images: items.len(),
        formats,
        unreadable,
        left_out: all.left_out,
        unclear,
        contradictions,
        exact_duplicates: exact.iter().map(named).collect(),
        near_duplicates: near.iter().map(named).collect(),
        leaks,
        imbalance,
        captured: Captured::of(seen.iter().flatten().map(|seen| &seen.capture)),
        classes,
    })
}

/// A catalog with images that have no label, in a last class without a name.
fn with_unlabelled(mut catalog: Catalog, unlabelled: Vec<&Entry>) -> Catalog {
    let label = catalog.classes.len();
    if !unlabelled.is_empty() {
        catalog.classes.push(String::new());
    }
    catalog.items.extend(unlabelled.into_iter().map(|entry| Item {
        name: entry.name.clone(),
        location: entry.location.clone(),
        label,
        part: None,
    }));
    catalog
}

fn look_at(bytes: &[u8]) -> std::result::Result<Seen, String> {
    let (size, look) = alike::look_at(bytes)?;
    Ok(Seen {
        size,
        format: decode::format(bytes).map_or("unknown", |format| format.extensions_str()[0]),
        content: *blake3::hash(bytes).as_bytes(),
        look,
        capture: Capture::of(bytes),
    })
}

/// Smallest, median and largest.
fn spread(values: impl Iterator<Item = u32>) -> [u32; 3] {
    let mut values: Vec<u32> = values.collect();
    values.sort_unstable();
    match values.as_slice() {
        [] => [0; 3],
        [first, .., last] => [*first, values[values.len() / 2], *last],
        [one] => [*one; 3],
    }
}
