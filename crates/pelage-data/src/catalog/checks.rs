//! What is wrong with a data set.

use std::collections::HashMap;
use std::path::Path;

use super::items::Catalog;
use super::part::Part;
use crate::error::shortened;
use crate::source::{Kind, Location};
use crate::{Error, Result};

/// Refuses what no classifier can learn from.
pub(crate) fn check_classes(catalog: &Catalog, path: &Path) -> Result<()> {
    check_open(catalog)?;
    // As many bytes as a folder's name may have.
    if let Some(long) = catalog.classes.iter().find(|class| class.len() > 255) {
        let reason = format!("the class name '{}' is longer than 255 bytes", shortened(long));
        return Err(Error::data(path, reason));
    }
    match catalog.classes.as_slice() {
        [] => Err(no_labels(catalog, path)),
        [one] => Err(Error::OneClass {
            path: path.into(),
            class: one.clone(),
        }),
        _ => Ok(()),
    }
}

/// Refuses a class of which nothing but a folder is known that cannot be opened.
fn check_open(catalog: &Catalog) -> Result<()> {
    let counts = catalog.counts();
    let mut lone = catalog.items.iter().filter(|item| counts[item.label] == 1);
    let closed = lone.find_map(|item| match &item.location {
        Location::Closed { name, reason } => Some((name, reason)),
        _ => None,
    });
    match closed {
        Some((name, reason)) => Err(Error::data(name, format!("it cannot be read: {reason}"))),
        None => Ok(()),
    }
}

/// The error of a catalog without labelled images.
pub(crate) fn no_labels(catalog: &Catalog, path: &Path) -> Error {
    let zips = catalog
        .left_out
        .iter()
        .map(|one| &one.path)
        .filter(|name| Kind::of_name(name) == Some(Kind::Zip));
    match zips.collect::<Vec<_>>()[..] {
        [first, second, ref more @ ..] => {
            let and = if more.is_empty() { "" } else { " and more" };
            let [first, second] = [first, second].map(|zip| zip.rsplit(['/', '\\']).next().unwrap_or(zip));
            let reason = format!(
                "no labelled pictures, but {} zips ({first}, {second}{and}); unpack each into a folder of its own, or \
                 give one of them",
                more.len() + 2
            );
            Error::data(path, reason)
        }
        ref one => Error::NoLabels {
            path: path.into(),
            nested: one.first().map(|name| name.to_string()),
        },
    }
}

/// Gives the labels of another part training's numbers, by class name.
pub(super) fn match_classes(train: &Catalog, catalog: &mut Catalog, part: Part, path: &Path) -> Result<()> {
    let index: HashMap<&str, usize> = train.classes.iter().map(String::as_str).zip(0..).collect();
    let numbers = catalog.classes.iter().map(|class| {
        index.get(class.as_str()).copied().ok_or_else(|| Error::UnknownClass {
            path: path.into(),
            part: part.name(),
            class: class.clone(),
            known: train.classes.clone(),
        })
    });
    let numbers = numbers.collect::<Result<Vec<_>>>()?;
    catalog
        .items
        .iter_mut()
        .for_each(|item| item.label = numbers[item.label]);
    catalog.classes.clone_from(&train.classes);
    Ok(())
}
