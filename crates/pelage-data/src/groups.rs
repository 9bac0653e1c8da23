//! Which images belong together, so that a split leaves them on one side: the pictures of a burst, of a place, of a
//! patient. What is learnt from one of them is known of the others, and a validation that has these flatters.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use jiff::civil::DateTime;
use rayon::prelude::*;
use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::alike::{look_at, near_groups};
use crate::capture::Capture;
use crate::catalog::{Catalog, Item, groups_of_csv};
use crate::progress::{Counter, Progress};
use crate::{Error, Result};

/// What makes images a group. As text, in settings and on a command line: `near-duplicates`, `folder`,
/// `regex:PATTERN`, `csv:FILE`, `exif-time:60s`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum GroupBy {
    /// They look the same but for size, compression, brightness or a narrow margin.
    NearDuplicates,
    /// They lie in the same folder.
    Folder,
    /// What this regular expression captures of their paths in the source, or else all that it matches, is the same. An
    /// image whose path it does not match is alone.
    Regex(String),
    /// They have the same value in the column `group` of this CSV, which names images in a column `path`. An image
    /// without one is alone.
    Csv(PathBuf),
    /// They were taken by the same camera, each no more than so many seconds after the one before. An image that does
    /// not say when is alone.
    ExifTime(u32),
}

/// What a text must be.
const EXPECTED: &str = "near-duplicates, folder, regex:PATTERN, csv:FILE or exif-time:60s";

impl FromStr for GroupBy {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text.split_once(':') {
            None if text == "near-duplicates" => Ok(GroupBy::NearDuplicates),
            None if text == "folder" => Ok(GroupBy::Folder),
            Some(("regex", pattern)) => match Regex::new(pattern) {
                Ok(_) => Ok(GroupBy::Regex(pattern.into())),
                Err(failure) => Err(format!("'{pattern}' is no regular expression: {failure}")),
            },
            Some(("csv", file)) if !file.is_empty() => Ok(GroupBy::Csv(file.into())),
            Some(("exif-time", time)) => seconds(time)
                .map(GroupBy::ExifTime)
                .ok_or_else(|| format!("'{time}' is no time; expected one such as 60s, 5min or 1h")),
            _ => Err(format!("'{text}' is no way to group; expected {EXPECTED}")),
        }
    }
}

/// `60s`, `5min`, `1h`; a number alone is of seconds.
pub fn seconds(text: &str) -> Option<u32> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let number: u32 = text[..text.len() - unit.len()].parse().ok()?;
    let seconds = match unit {
        "" | "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        _ => return None,
    };
    number.checked_mul(seconds)
}

impl fmt::Display for GroupBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GroupBy::NearDuplicates => f.write_str("near-duplicates"),
            GroupBy::Folder => f.write_str("folder"),
            GroupBy::Regex(pattern) => write!(f, "regex:{pattern}"),
            GroupBy::Csv(file) => write!(f, "csv:{}", file.display()),
            GroupBy::ExifTime(seconds) => write!(f, "exif-time:{seconds}s"),
        }
    }
}

impl TryFrom<String> for GroupBy {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Self, String> {
        text.parse()
    }
}

impl From<GroupBy> for String {
    fn from(by: GroupBy) -> String {
        by.to_string()
    }
}

/// The group of each image of `catalog`, of the files in `source`, as a number; `progress` hears of files that are
/// looked into.
///
/// # Errors
/// A CSV that cannot be used, a pattern that matches no path, times that no image has.
pub fn of(catalog: &Catalog, source: &Path, by: &GroupBy, progress: &(dyn Fn(Progress) + Sync)) -> Result<Vec<usize>> {
    let names = || catalog.items.iter().map(|item| item.name.as_str());
    let none = |reason: &str| Error::setting("group_by", by, format!("another way to group: {reason}"));
    match by {
        GroupBy::NearDuplicates => Ok(near_duplicates(catalog, progress)),
        GroupBy::Folder => Ok(numbered(names().map(|name| Some(folder(name))))),
        GroupBy::Regex(pattern) => {
            let regex = Regex::new(pattern).map_err(|failure| none(&failure.to_string()))?;
            let keys: Vec<_> = names().map(|name| captured(&regex, name)).collect();
            match keys.iter().all(Option::is_none) {
                true => {
                    let example = names().next().unwrap_or_default();
                    Err(none(&format!(
                        "the pattern matches the path of no picture, not {example} for one"
                    )))
                }
                false => {
                    tell_alone(
                        keys.iter().filter(|key| key.is_none()).count(),
                        "does not match the pattern",
                        "do not match the pattern",
                    );
                    Ok(numbered(keys.into_iter()))
                }
            }
        }
        GroupBy::Csv(csv) => {
            let names: Vec<_> = names().collect();
            Ok(numbered(groups_of_csv(csv, source, &names)?.into_iter()))
        }
        GroupBy::ExifTime(gap) => {
            let taken = captures(catalog, progress);
            match taken.is_empty() {
                true => Err(none("no picture says when it was taken")),
                false => {
                    tell_alone(
                        catalog.items.len() - taken.len(),
                        "has no capture time",
                        "have no capture time",
                    );
                    Ok(bursts(catalog.items.len(), taken, *gap))
                }
            }
        }
    }
}

/// Tells of images that belong to no other, where somebody might think that they do.
fn tell_alone(images: usize, one: &str, several: &str) {
    match images {
        0 => {}
        1 => log::warn!("1 picture {one} and is in no group"),
        _ => log::warn!("{images} pictures {several} and are in no group"),
    }
}

/// A number for each different key, and for each image that has none.
fn numbered<K: Eq + Hash>(keys: impl Iterator<Item = Option<K>>) -> Vec<usize> {
    let mut known = HashMap::new();
    let number = |(i, key)| match key {
        Some(key) => *known.entry(key).or_insert(i),
        None => i,
    };
    keys.enumerate().map(number).collect()
}

/// The folder that a file lies in.
fn folder(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// What a pattern captures, or else all that it matches.
fn captured<'a>(regex: &Regex, name: &'a str) -> Option<Vec<&'a str>> {
    let captures = regex.captures(name)?;
    let first = usize::from(captures.len() > 1);
    let text = |group: Option<regex::Match<'a>>| group.map_or("", |group| group.as_str());
    Some(captures.iter().skip(first).map(text).collect())
}

/// What cannot be read looks like nothing else.
fn near_duplicates(catalog: &Catalog, progress: &(dyn Fn(Progress) + Sync)) -> Vec<usize> {
    let counter = Counter::new("comparing", catalog.items.len(), progress);
    let looks: Vec<_> = (catalog.items.par_iter())
        .map(|item| {
            let look = item.location.read_with(|bytes| look_at(&bytes));
            counter.count();
            Some(look.ok()?.ok()?.1)
        })
        .collect();
    let looks: Vec<_> = looks
        .iter()
        .enumerate()
        .filter_map(|(i, look)| Some((i, look.as_ref()?)))
        .collect();
    let mut groups: Vec<usize> = (0..catalog.items.len()).collect();
    for group in near_groups(&looks) {
        group.iter().for_each(|&i| groups[i] = group[0]);
    }
    groups
}

/// Camera, time and number of each image that says when it was taken.
fn captures(catalog: &Catalog, progress: &(dyn Fn(Progress) + Sync)) -> Vec<(String, DateTime, usize)> {
    let counter = Counter::new("reading", catalog.items.len(), progress);
    let capture = |(i, item): (usize, &Item)| {
        let capture = Capture::at(&item.location);
        counter.count();
        Some((capture.camera, capture.time?, i))
    };
    catalog.items.par_iter().enumerate().filter_map(capture).collect()
}

/// Groups of images whose neighbors in time are at most `gap` seconds apart.
fn bursts(images: usize, mut taken: Vec<(String, DateTime, usize)>, gap: u32) -> Vec<usize> {
    taken.sort();
    let mut groups: Vec<usize> = (0..images).collect();
    for pair in taken.windows(2) {
        let [(camera, before, one), (other, after, next)] = pair else {
            continue;
        };
        if camera == other && after.duration_since(*before).as_secs() <= i64::from(gap) {
            groups[*next] = groups[*one];
        }
    }
    groups
}
