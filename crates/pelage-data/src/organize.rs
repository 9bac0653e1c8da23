//! From any source to `DATA/train/<class>/...`, `DATA/validation/<class>/...` and, where it is asked for,
//! `DATA/test/<class>/...`. Never touches the source.

mod names;
mod options;
mod origins;
mod refusal;
mod target;
mod whole;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use serde::Serialize;

use self::names::{Names, check_folder_names};
use self::target::{Plan, Target};
use crate::catalog::{self, Catalog, Item, Part};
use crate::composed::composed;
use crate::dataset::{Stratified, check_share};
use crate::decode::{self, Limits};
use crate::groups;
use crate::progress::{Counter, Progress};
use crate::readable::check_unreadable;
use crate::source::LeftOut;
use crate::{Error, Result, Unreadable};

pub use self::options::{Link, Options};
pub use self::refusal::Refusal;

/// What was made.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The folder.
    pub out: PathBuf,
    /// The table in it that tells where each file came from.
    pub origins: PathBuf,
    /// One entry a class.
    pub classes: Vec<ClassCount>,
    /// Files written now.
    pub written: usize,
    /// Files that an earlier, interrupted call had written.
    pub already_there: usize,
    /// Whether a CSV said which images are for validation.
    pub split_given: bool,
    /// What else was found, and why it was left out.
    pub left_out: Vec<LeftOut>,
    /// Images that could not be read, and were left out.
    pub unreadable: Vec<Unreadable>,
}

/// Images of one class.
#[derive(Clone, Debug, Serialize)]
pub struct ClassCount {
    /// The class.
    pub name: String,
    /// Images in train.
    pub train: usize,
    /// Images in validation.
    pub validation: usize,
    /// Images in test.
    pub test: usize,
}

/// Makes the tree; `progress` hears of every file, first as "reading", then as "organizing". A call that was killed is
/// finished by calling again.
///
/// # Errors
/// Bad settings, a source without two classes or with over a tenth unreadable, a target that is not empty, a full disk.
pub fn organize(options: &Options, progress: &(dyn Fn(Progress) + Sync)) -> Result<Report> {
    check_shares(options)?;
    let target = Target::new(&options.out, &options.source)?;
    let mut catalog = match &options.labels {
        Some(csv) => Catalog::from_csv(&options.source, csv, &options.columns)?,
        None => Catalog::at_level(&options.source, options.label_level)?,
    };
    rename(&mut catalog, &options.rename)?;
    catalog::check_classes(&catalog, &options.source)?;
    check_folder_names(&catalog.classes)?;
    leave_test_out(&mut catalog);
    let left_out = std::mem::take(&mut catalog.left_out);
    if let Some(limit) = options.limit {
        catalog = limited(catalog, limit, options.seed)?;
    }
    let (catalog, contents, unreadable) = read_all(catalog, progress)?;
    let given = options.labels.as_ref().and_then(|_| given_split(&catalog));
    let split_given = given.is_some();
    let (parts, groups) = match given {
        Some(given) => {
            check_given(options)?;
            (given, None)
        }
        None => chosen_split(&catalog, &contents, options, progress)?,
    };

    let mut names = Names::default();
    let mut classes: Vec<ClassCount> = catalog
        .classes
        .iter()
        .map(|name| ClassCount {
            name: name.clone(),
            train: 0,
            validation: 0,
            test: 0,
        })
        .collect();
    let mut plan = Plan::new(options, &contents)?;
    for (item, part) in catalog.items.iter().zip(&parts) {
        let class = &mut classes[item.label];
        *match part {
            Part::Train => &mut class.train,
            Part::Validation => &mut class.validation,
            Part::Test => &mut class.test,
        } += 1;
        let folder = format!("{}/{}", part.name(), class.name);
        plan.files.push(names.unique(&folder, &item.name));
    }
    let target = target.prepare(&plan, options.force, &catalog.items)?;

    let (written, total) = (AtomicUsize::new(0), plan.files.len());
    let counter = Counter::new("organizing", total, progress);
    let files = catalog.items.par_iter().zip(&contents).zip(&plan.files);
    let placed = files.try_for_each(|((item, content), name)| -> Result<()> {
        if target.place(&item.location, name, content, options.link)? {
            written.fetch_add(1, Ordering::Relaxed);
        }
        counter.count();
        Ok(())
    });
    let written = written.into_inner();
    if placed.is_err() && written == 0 {
        target.leave(&plan);
    }
    placed?;
    let origins = origins::Origins {
        catalog: &catalog,
        files: &plan.files,
        parts: &parts,
        groups: groups.as_deref(),
    };
    Ok(Report {
        origins: origins.write(&options.out)?,
        out: options.out.clone(),
        classes,
        written,
        already_there: total - written,
        split_given,
        left_out,
        unreadable,
    })
}

/// What a CSV says to be for testing is not trained on.
fn leave_test_out(catalog: &mut Catalog) {
    let (test, items) = catalog.items.drain(..).partition(|item| item.part == Some(Part::Test));
    catalog.items = items;
    let test: Vec<Item> = test;
    catalog.left_out.extend(test.into_iter().map(|item| LeftOut {
        path: item.location.to_string(),
        reason: "in the test part".into(),
    }));
}

/// The part of each image, where a CSV says of some that they are for validation.
fn given_split(catalog: &Catalog) -> Option<Vec<Part>> {
    let parts = catalog.items.iter().map(|item| item.part.unwrap_or(Part::Train));
    let parts: Vec<_> = parts.collect();
    parts.contains(&Part::Validation).then_some(parts)
}

/// Refuses what would change a split that is given.
fn check_given(options: &Options) -> Result<()> {
    let allowed = "left out where the labels say which pictures are for validation";
    match (&options.test, &options.group_by) {
        (Some(test), _) => Err(Error::setting("test", test, allowed)),
        (None, Some(by)) => Err(Error::setting("group_by", by, allowed)),
        (None, None) => Ok(()),
    }
}

/// The part of each image, and its group, where these are asked for.
fn chosen_split(
    catalog: &Catalog,
    contents: &[blake3::Hash],
    options: &Options,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<(Vec<Part>, Option<Vec<usize>>)> {
    let labels: Vec<_> = catalog.items.iter().map(|item| item.label).collect();
    let by = options.group_by.as_ref();
    let groups = by
        .map(|by| groups::of(catalog, &options.source, by, progress))
        .transpose()?;
    let images = Stratified {
        classes: &catalog.classes,
        labels: &labels,
        contents,
        groups: groups.as_deref(),
        seed: options.seed,
    };
    // Validation first: it is the same with a test part and without.
    let shares: Vec<f64> = std::iter::once(options.ratio).chain(options.test).collect();
    let parts = [Part::Train, Part::Validation, Part::Test];
    let chosen = images.parts(&shares)?.into_iter().map(|part| parts[part]).collect();
    Ok((chosen, groups))
}

fn check_shares(options: &Options) -> Result<()> {
    check_share("ratio", options.ratio)?;
    let Some(test) = options.test else { return Ok(()) };
    check_share("test", test)?;
    match options.ratio + test < 1.0 {
        true => Ok(()),
        false => {
            let allowed = format!("below {}, so that some are left to train on", 1.0 - options.ratio);
            Err(Error::setting("test", test, allowed))
        }
    }
}

/// The items that can be read, the hashes of their contents, and those that cannot.
fn read_all(
    mut catalog: Catalog,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<(Catalog, Vec<blake3::Hash>, Vec<Unreadable>)> {
    let total = catalog.items.len();
    let counter = Counter::new("reading", total, progress);
    let read = |item: &Item| {
        let read = item
            .location
            .read_whole(|bytes| known_format(&bytes).map(|()| blake3::hash(&bytes)));
        counter.count();
        read.map_err(|failure| failure.reason()).and_then(|content| content)
    };
    let results: Vec<_> = catalog.items.par_iter().map(read).collect();
    let (mut items, mut contents, mut unreadable) = (Vec::with_capacity(total), Vec::with_capacity(total), Vec::new());
    for (item, result) in std::mem::take(&mut catalog.items).into_iter().zip(results) {
        match result {
            Ok(content) => {
                items.push(item);
                contents.push(content);
            }
            Err(reason) => {
                unreadable.push(Unreadable {
                    path: item.location.to_string(),
                    reason,
                });
            }
        }
    }
    check_unreadable(&unreadable, total)?;
    Ok((Catalog { items, ..catalog }, contents, unreadable))
}

/// Refuses what begins as no image does; whether it is whole, decoding would tell.
fn known_format(bytes: &[u8]) -> std::result::Result<(), String> {
    match decode::format(bytes) {
        Some(_) => Ok(()),
        None => decode::decode(bytes, &Limits::default()).map(drop),
    }
}

/// Renames classes, all at once, so that two can change names; two that get one name become one.
fn rename(catalog: &mut Catalog, renames: &[(String, String)]) -> Result<()> {
    let composed = |name: &String| composed(name).into_owned();
    let renames: Vec<_> = renames
        .iter()
        .map(|(from, to)| (composed(from), composed(to)))
        .collect();
    let mut new = catalog.classes.clone();
    for (i, (from, to)) in renames.iter().enumerate() {
        let Some(class) = catalog.classes.iter().position(|class| class == from) else {
            let known = crate::error::listed(&catalog.classes);
            let (value, allowed) = (format!("{from}={to}"), format!("of a class of the source: {known}"));
            return Err(Error::setting("rename", value, allowed));
        };
        if let Some((_, other)) = renames[..i]
            .iter()
            .find(|(earlier, other)| earlier == from && other != to)
        {
            let value = format!("{from}={other} and {from}={to}");
            return Err(Error::setting("rename", value, "one new name for each class"));
        }
        new[class].clone_from(to);
    }
    let mut classes = new.clone();
    classes.sort_by(|a, b| crate::source::natural_order(a, b));
    classes.dedup();
    let label: Vec<Option<usize>> = new
        .iter()
        .map(|name| classes.iter().position(|class| class == name))
        .collect();
    catalog
        .items
        .iter_mut()
        .for_each(|item| item.label = label[item.label].unwrap_or(item.label));
    catalog.classes = classes;
    Ok(())
}

/// `limit` images with the classes' shares kept, two of a class at least, chosen by `seed`.
fn limited(catalog: Catalog, limit: usize, seed: u64) -> Result<Catalog> {
    let (counts, total) = (catalog.counts(), catalog.items.len());
    if limit >= total {
        return Ok(catalog);
    }
    let mut left: Vec<usize> = counts.iter().map(|&count| count.min(2)).collect();
    let least = left.iter().sum::<usize>();
    if limit < least {
        let allowed = format!("at least {least}, two pictures of each class");
        return Err(Error::setting("limit", limit, allowed));
    }
    for _ in least..limit {
        // The next one goes where most is missing from the class's share; one in each class could be.
        let missing = |class: &usize| (counts[*class] * limit) as i128 - (left[*class] * total) as i128;
        let open = (0..counts.len()).filter(|class| left[*class] < counts[*class]);
        if let Some(class) = open.max_by_key(|class| (missing(class), std::cmp::Reverse(*class))) {
            left[class] += 1;
        }
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
