//! Which pictures are kept for validation: seeded, stratified, duplicates together.

use std::collections::{BTreeMap, HashMap};

use rayon::prelude::*;

use super::{Catalog, Split};
use crate::{Error, Result};

/// Parts a catalog: per class, `ratio` (0 to 1) of the pictures, rounded, goes to validation, chosen by `seed` and
/// content; byte-identical pictures stay on one side, whatever their class. A picture that cannot be read is parted by
/// its name.
///
/// # Errors
/// A class that cannot be parted: one picture, or all byte-identical.
pub fn split(catalog: &Catalog, ratio: f64, seed: u64) -> Result<Split> {
    let content = |item: &super::Item| match item.location.read() {
        Ok(bytes) => blake3::hash(&bytes),
        Err(_) => blake3::hash(item.name.as_bytes()),
    };
    let contents: Vec<_> = catalog.items.par_iter().map(content).collect();
    let in_validation = choose_validation(catalog, &contents, ratio, seed)?;
    let side = |validation: bool| {
        let chosen = catalog
            .items
            .iter()
            .zip(&in_validation)
            .filter(|(_, there)| **there == validation);
        Catalog {
            items: chosen.map(|(item, _)| item.clone()).collect(),
            ..catalog.without_items()
        }
    };
    Ok(Split {
        train: side(false),
        validation: side(true),
    })
}

/// Whether each item is for validation, where the hash of every item's content is known.
pub(crate) fn choose_validation(
    catalog: &Catalog,
    contents: &[blake3::Hash],
    ratio: f64,
    seed: u64,
) -> Result<Vec<bool>> {
    let mut by_content: HashMap<&blake3::Hash, Vec<usize>> = HashMap::new();
    for (i, hash) in contents.iter().enumerate() {
        by_content.entry(hash).or_default().push(i);
    }
    let counts = catalog.counts();
    let share = |&count: &usize| {
        ((count as f64 * ratio).round() as usize).clamp(usize::from(count > 1), count.saturating_sub(1))
    };
    let mut wanted: Vec<usize> = counts.iter().map(share).collect();
    // In an order that depends on seed and content alone: groups of duplicates first, each with the probability
    // `ratio`; then single pictures, which fill up exactly; then, should these not have sufficed, the other groups.
    let mut groups: Vec<(u8, [u8; 32], Vec<usize>)> = by_content
        .into_iter()
        .map(|(hash, members)| {
            let key = *blake3::hash(&[&seed.to_le_bytes()[..], hash.as_bytes()].concat()).as_bytes();
            let chance = f64::from(u32::from_le_bytes([key[0], key[1], key[2], key[3]])) / f64::from(u32::MAX);
            let turn = match members.len() {
                1 => 1,
                _ if chance < ratio => 0,
                _ => 2,
            };
            (turn, key, members)
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
    let mut chosen = vec![0usize; counts.len()];
    catalog
        .items
        .iter()
        .zip(&in_validation)
        .for_each(|(item, there)| chosen[item.label] += usize::from(*there));
    match chosen.iter().position(|&count| count == 0) {
        Some(class) => Err(Error::Data(format!(
            "class '{}' cannot be parted into train and validation: {}; add pictures to it or leave it out",
            catalog.classes[class],
            match counts[class] {
                0 | 1 => "it has no more than one picture".into(),
                count => format!("too many of its {count} pictures are byte-identical"),
            }
        ))),
        None => Ok(in_validation),
    }
}
