//! A look at a data set before training: what is there, what is broken, what is there twice.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use image::RgbImage;
use rayon::prelude::*;
use serde::Serialize;

use crate::cache::Unreadable;
use crate::catalog::Catalog;
use crate::decode::{self, Limits};
use crate::source::Progress;
use crate::{Error, Result, catalog};

/// What `inspect` found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Pictures looked at.
    pub pictures: usize,
    /// One entry a set and class.
    pub classes: Vec<ClassReport>,
    /// Readable pictures by format.
    pub formats: BTreeMap<String, usize>,
    /// Files that cannot be read, with reasons.
    pub unreadable: Vec<Unreadable>,
    /// Files that carry no label.
    pub unlabelled: Vec<String>,
    /// Groups of byte-identical pictures.
    pub exact_duplicates: Vec<Vec<String>>,
    /// Groups of pictures that look the same: perceptual hashes at most [`NEAR_BITS`] bits apart.
    pub near_duplicates: Vec<Vec<String>>,
    /// Groups, exact or near, with pictures in both train and validation.
    pub leaks: Vec<Vec<String>>,
    /// Pictures of the largest class for each one of the smallest.
    pub imbalance: f64,
}

/// One class in one set.
#[derive(Clone, Debug, Serialize)]
pub struct ClassReport {
    /// `train`, `validation`, or `all` where there is no split.
    pub set: &'static str,
    /// The class.
    pub name: String,
    /// Its files.
    pub pictures: usize,
    /// Those that cannot be read.
    pub unreadable: usize,
    /// Smallest, median and largest width in pixels.
    pub width: [u32; 3],
    /// Smallest, median and largest height in pixels.
    pub height: [u32; 3],
}

/// Bits of 64 by which the perceptual hashes of near duplicates may differ.
pub const NEAR_BITS: u32 = 3;

/// What is known of one readable picture.
struct Seen {
    size: [u32; 2],
    format: &'static str,
    content: [u8; 32],
    look: u64,
}

/// Decodes every picture of `path` (an organised tree or any source) in parallel.
///
/// # Errors
/// A source that cannot be read or is empty; broken pictures are part of the report, not errors.
pub fn inspect(path: &Path, progress: &(dyn Fn(Progress) + Sync)) -> Result<Report> {
    let sets: Vec<(&'static str, Catalog)> = match catalog::open_dataset(path, None, 0) {
        Ok(split) => vec![("train", split.train), ("validation", split.validation)],
        // Not an organised tree, or one that training would refuse: still worth a look.
        Err(_) => vec![("all", Catalog::from_source(path, None)?)],
    };
    let items: Vec<_> = sets
        .iter()
        .flat_map(|(set, catalog)| catalog.items.iter().map(move |item| (*set, item)))
        .collect();
    if items.is_empty() {
        return Err(Error::Data(format!("{}: no labelled pictures", path.display())));
    }
    let (done, total) = (AtomicUsize::new(0), items.len());
    let seen: Vec<std::result::Result<Seen, String>> = items
        .par_iter()
        .map(|(_, item)| {
            let seen = item
                .location
                .read()
                .map_err(|failure| failure.to_string())
                .and_then(|bytes| look_at(&bytes));
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            progress(Progress {
                done,
                total,
                what: "decoding",
            });
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
    // One of each group of exact duplicates stands for the others.
    let doubles: std::collections::HashSet<usize> = exact.iter().flat_map(|group| group[1..].iter().copied()).collect();
    let looks: Vec<(usize, u64)> = seen
        .iter()
        .enumerate()
        .filter(|(i, _)| !doubles.contains(i))
        .filter_map(|(i, seen)| Some((i, seen.as_ref().ok()?.look)))
        .collect();
    let near = near_groups(&looks);
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
                pictures: all.len(),
                unreadable: all.len() - sizes.len(),
                width: spread(sizes.iter().map(|size| size[0])),
                height: spread(sizes.iter().map(|size| size[1])),
            });
        }
        first += catalog.items.len();
    }
    let mut totals: HashMap<&str, usize> = HashMap::new();
    classes
        .iter()
        .for_each(|class| *totals.entry(&class.name).or_default() += class.pictures);
    let (most, least) = (
        totals.values().max().copied().unwrap_or(0),
        totals.values().min().copied().unwrap_or(0),
    );
    let imbalance = most as f64 / least.max(1) as f64;
    Ok(Report {
        pictures: total,
        formats,
        unreadable,
        unlabelled: sets
            .iter()
            .flat_map(|(_, catalog)| catalog.unlabelled.clone())
            .collect(),
        exact_duplicates: exact.iter().map(named).collect(),
        near_duplicates: near.iter().map(named).collect(),
        leaks,
        imbalance,
        classes,
    })
}

fn look_at(bytes: &[u8]) -> std::result::Result<Seen, String> {
    let picture = decode::decode(bytes, &Limits::default())?;
    Ok(Seen {
        size: [picture.width(), picture.height()],
        format: decode::format(bytes).map_or("unknown", |format| format.extensions_str()[0]),
        content: *blake3::hash(bytes).as_bytes(),
        look: difference_hash(&picture),
    })
}

/// dHash: the picture as 9 x 8 mean grays; one bit for each pair of neighbors, whether the right one is brighter.
fn difference_hash(picture: &RgbImage) -> u64 {
    let (width, height) = picture.dimensions();
    let raw = picture.as_raw();
    let gray = |column: u32, row: u32| -> f64 {
        let range = |i: u32, parts: u32, side: u32| {
            let from = u64::from(i) * u64::from(side) / u64::from(parts);
            let to = (u64::from(i + 1) * u64::from(side) / u64::from(parts)).max(from + 1);
            (from as usize)..(to.min(u64::from(side)) as usize)
        };
        let (rows, columns) = (range(row, 8, height), range(column, 9, width));
        let count = (rows.len() * columns.len()).max(1);
        let sum: u64 = rows
            .flat_map(|y| {
                let start = y * width as usize * 3;
                raw[start + columns.start * 3..start + columns.end * 3].iter()
            })
            .map(|v| u64::from(*v))
            .sum();
        sum as f64 / count as f64
    };
    let mut hash = 0;
    for row in 0..8 {
        for column in 0..8 {
            hash = hash << 1 | u64::from(gray(column, row) < gray(column + 1, row));
        }
    }
    hash
}

/// Groups of hashes at most [`NEAR_BITS`] apart. Such a pair agrees in at least one of four 16-bit parts, since three
/// bits cannot spoil four parts; so only hashes that share a part are compared.
fn near_groups(looks: &[(usize, u64)]) -> Vec<Vec<usize>> {
    let mut leader: Vec<usize> = (0..looks.len()).collect();
    fn find(leader: &mut [usize], mut i: usize) -> usize {
        while leader[i] != i {
            leader[i] = leader[leader[i]];
            i = leader[i];
        }
        i
    }
    for part in 0..4 {
        let mut buckets: HashMap<u16, Vec<usize>> = HashMap::new();
        for (i, (_, look)) in looks.iter().enumerate() {
            // Flat pictures (all one color) hash to 0 or nearly so and would all look alike.
            if look.count_ones().min(look.count_zeros()) > 8 {
                buckets.entry((look >> (part * 16)) as u16).or_default().push(i);
            }
        }
        for bucket in buckets.values() {
            for (at, &i) in bucket.iter().enumerate() {
                for &j in &bucket[at + 1..] {
                    if (looks[i].1 ^ looks[j].1).count_ones() <= NEAR_BITS {
                        let (a, b) = (find(&mut leader, i), find(&mut leader, j));
                        leader[a.max(b)] = a.min(b);
                    }
                }
            }
        }
    }
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for i in 0..looks.len() {
        groups.entry(find(&mut leader, i)).or_default().push(looks[i].0);
    }
    groups.into_values().filter(|group| group.len() > 1).collect()
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
