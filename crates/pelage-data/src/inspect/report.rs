//! What a look at a data set found: counts, sizes, what is broken, what is there twice.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Serialize;

use super::seen::{Picture, SETS};
use crate::Unreadable;
use crate::alike::near_groups;
use crate::capture::Capture;
use crate::source::{LeftOut, natural_order};

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
    /// Images of the largest class for each one of the smallest; none where no image has a class.
    pub imbalance: Option<f64>,
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

impl Report {
    /// What these pictures, set by set, tell together; in a set those of a class need not stand together.
    pub(super) fn of(pictures: &[Picture], left_out: Vec<LeftOut>) -> Report {
        let name = |i: usize| pictures[i].path.clone();
        let mut formats = BTreeMap::new();
        let mut unreadable = Vec::new();
        let mut by_content: HashMap<[u8; 32], Vec<usize>> = HashMap::new();
        for (i, picture) in pictures.iter().enumerate() {
            match &picture.seen {
                Ok(seen) => {
                    *formats.entry(seen.format.to_string()).or_default() += 1;
                    by_content.entry(seen.content).or_default().push(i);
                }
                Err(reason) => unreadable.push(Unreadable {
                    path: name(i),
                    reason: reason.clone(),
                }),
            }
        }
        let mut exact: Vec<Vec<usize>> = by_content.into_values().filter(|group| group.len() > 1).collect();
        // What has no label contradicts none.
        let agrees = |group: &Vec<usize>| {
            let classes = group
                .iter()
                .map(|&i| &pictures[i].class)
                .filter(|class| !class.is_empty());
            classes.collect::<HashSet<_>>().len() <= 1
        };
        exact.sort_by_cached_key(|group| (agrees(group), group.clone()));
        let contradictions = exact.iter().filter(|group| !agrees(group)).count();
        // One of each group of exact duplicates stands for the others.
        let doubles: HashSet<usize> = exact.iter().flat_map(|group| group[1..].iter().copied()).collect();
        let looks = pictures.iter().enumerate().filter(|(i, _)| !doubles.contains(i));
        let near = near_groups(
            &looks
                .filter_map(|(i, picture)| Some((i, &picture.seen.as_ref().ok()?.look)))
                .collect::<Vec<_>>(),
        );
        let crosses = |group: &&Vec<usize>| group.iter().any(|&i| pictures[i].set != pictures[group[0]].set);
        let named = |group: &Vec<usize>| group.iter().map(|&i| name(i)).collect::<Vec<_>>();
        let leaks = exact.iter().chain(&near).filter(crosses).map(named).collect();
        let classes = classes(pictures);
        let mut totals: HashMap<&str, usize> = HashMap::new();
        let labelled = classes.iter().filter(|class| !class.name.is_empty());
        labelled.for_each(|class| *totals.entry(&class.name).or_default() += class.images);
        let range = totals.values().max().zip(totals.values().min());
        let imbalance = range.map(|(most, least)| *most as f64 / *least as f64);
        let seen = pictures.iter().filter_map(|picture| picture.seen.as_ref().ok());
        Report {
            images: pictures.len(),
            formats,
            unreadable,
            left_out,
            unclear: None,
            contradictions,
            exact_duplicates: exact.iter().map(named).collect(),
            near_duplicates: near.iter().map(named).collect(),
            leaks,
            imbalance,
            captured: Captured::of(seen.map(|seen| &seen.capture)),
            classes,
        }
    }
}

/// The classes of each set, those without a name last.
fn classes(pictures: &[Picture]) -> Vec<ClassReport> {
    let mut members: HashMap<(&str, &str), Vec<&Picture>> = HashMap::new();
    for picture in pictures {
        members.entry((picture.set, &picture.class)).or_default().push(picture);
    }
    let mut all: Vec<_> = members.into_iter().collect();
    let place = |set: &str| SETS.iter().position(|known| *known == set);
    all.sort_by(|((a, class), _), ((b, other), _)| {
        let by_set = place(a).cmp(&place(b));
        let by_name = class.is_empty().cmp(&other.is_empty());
        by_set.then(by_name).then_with(|| natural_order(class, other))
    });
    let report = |((set, class), members): ((&str, &str), Vec<&Picture>)| {
        let seen = members.iter().filter_map(|picture| picture.seen.as_ref().ok());
        let sizes: Vec<[u32; 2]> = seen.map(|seen| seen.size).collect();
        ClassReport {
            set: place(set).map_or("all", |known| SETS[known]),
            name: class.into(),
            images: members.len(),
            unreadable: members.len() - sizes.len(),
            width: spread(sizes.iter().map(|size| size[0])),
            height: spread(sizes.iter().map(|size| size[1])),
        }
    };
    all.into_iter().map(report).collect()
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
