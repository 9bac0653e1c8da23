//! The choice behind a split: shares of each class, of units that stay together.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::{Error, Result};

/// Draws of which the best is taken where images are grouped: groups of several classes and of any size fit together
/// well or badly.
const DRAWS: u32 = 64;

/// Images to choose from.
pub(crate) struct Stratified<'a> {
    pub(crate) classes: &'a [String],
    pub(crate) labels: &'a [usize],
    /// A hash of each image's content.
    pub(crate) contents: &'a [blake3::Hash],
    /// The group of each image, where they are grouped.
    pub(crate) groups: Option<&'a [usize]>,
    pub(crate) seed: u64,
}

/// Images that stay together.
struct Unit {
    /// A hash of what they hold: neither names nor the order of the images matter.
    hash: [u8; 32],
    /// In order.
    members: Vec<usize>,
    /// How many there are of each class that they have.
    counts: BTreeMap<usize, usize>,
}

/// A part that is to be chosen.
struct Wanted {
    /// From 0.
    number: u8,
    /// Its share of the images that there are yet.
    share: f64,
    /// Images that are wanted of each class.
    counts: Vec<usize>,
    /// Images that there are yet of each class.
    left: Vec<usize>,
    /// Units of each class that may be taken at most, so that each later part can have one.
    most: Vec<usize>,
}

/// The units of a part, by their numbers.
struct Draw {
    units: Vec<usize>,
    /// Images of each class.
    counts: Vec<usize>,
    /// Units of each class.
    of_class: Vec<usize>,
}

impl Stratified<'_> {
    /// The part of each image: 1 for the first of `shares` (of all images of each class, rounded), 2 for the second,
    /// and so on; 0 for all that is left.
    ///
    /// # Errors
    /// A class that has too few images, or units of them, for each part to get one.
    pub(crate) fn parts(&self, shares: &[f64]) -> Result<Vec<usize>> {
        self.drawn(shares, |part, count, _| count as f64 * shares[part])
    }

    /// The fold of each image, from 0, where all have the same number of images of each class, as near as can be.
    ///
    /// # Errors
    /// As [`Stratified::parts`].
    pub(crate) fn folds(&self, folds: usize) -> Result<Vec<usize>> {
        let shares = vec![1.0 / folds as f64; folds - 1];
        // Of what is left, so that no fold gets what rounding has kept from all others.
        self.drawn(&shares, |fold, _, left| left as f64 / (folds - fold) as f64)
    }

    /// Parts, where `wish` says how many images of a class one should have: by its number from 0, those that there are,
    /// and those that are left.
    fn drawn(&self, shares: &[f64], wish: impl Fn(usize, usize, usize) -> f64) -> Result<Vec<usize>> {
        let mut units = self.units();
        let counts = self.counts(&units);
        let mut parts = vec![0; self.labels.len()];
        let mut gone = 0.0;
        for (number, &share) in (0..).zip(shares) {
            let later = shares.len() - usize::from(number);
            let left = self.counts(&units);
            let some = |(&count, &left): (&usize, &usize)| {
                let wished = wish(usize::from(number), count, left).round() as usize;
                wished.max(1).min(left.saturating_sub(later))
            };
            let mut most = vec![0usize; self.classes.len()];
            let classes = units.iter().flat_map(|unit| unit.counts.keys());
            classes.for_each(|&class| most[class] += 1);
            let wanted = Wanted {
                number,
                share: share / (1.0 - gone),
                counts: counts.iter().zip(&left).map(some).collect(),
                most: most.into_iter().map(|units| units.saturating_sub(later)).collect(),
                left,
            };
            let draw = self.best(&units, &wanted);
            if let Some(class) = draw.counts.iter().position(|&count| count == 0) {
                return Err(self.cannot_split(class, shares.len()));
            }
            let chosen: BTreeSet<_> = draw.units.into_iter().collect();
            let mut rest = Vec::new();
            for (index, unit) in units.into_iter().enumerate() {
                match chosen.contains(&index) {
                    true => unit.members.iter().for_each(|&i| parts[i] = usize::from(number) + 1),
                    false => rest.push(unit),
                }
            }
            units = rest;
            gone += share;
        }
        Ok(parts)
    }

    /// Byte-identical images, and images of one group, and those that are one of these with one of those.
    fn units(&self) -> Vec<Unit> {
        let mut leaders: Vec<usize> = (0..self.labels.len()).collect();
        let mut of_content = HashMap::new();
        let mut of_group = HashMap::new();
        for (i, content) in self.contents.iter().enumerate() {
            unite(&mut leaders, i, *of_content.entry(content).or_insert(i));
            if let Some(groups) = self.groups {
                unite(&mut leaders, i, *of_group.entry(groups[i]).or_insert(i));
            }
        }
        let mut united: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for i in 0..leaders.len() {
            united.entry(leader(&mut leaders, i)).or_default().push(i);
        }
        let unit = |members: Vec<usize>| {
            let contents: BTreeSet<_> = members.iter().map(|&i| *self.contents[i].as_bytes()).collect();
            let contents = Vec::from_iter(contents);
            let hash = match contents[..] {
                [one] => one,
                _ => *blake3::hash(contents.as_flattened()).as_bytes(),
            };
            let mut counts = BTreeMap::new();
            members
                .iter()
                .for_each(|&i| *counts.entry(self.labels[i]).or_default() += 1);
            Unit { hash, members, counts }
        };
        united.into_values().map(unit).collect()
    }

    /// Images of each class.
    fn counts(&self, units: &[Unit]) -> Vec<usize> {
        let mut counts = vec![0; self.classes.len()];
        for (&label, count) in units.iter().flat_map(|unit| &unit.counts) {
            counts[label] += count;
        }
        counts
    }

    /// The best of several draws: with the fewest classes missing, then nearest to what is wanted of each.
    fn best(&self, units: &[Unit], wanted: &Wanted) -> Draw {
        let first = self.draw(units, wanted, 0);
        if self.groups.is_none() {
            return first;
        }
        let cost = |draw: &Draw| {
            let missing = draw.counts.iter().filter(|count| **count == 0).count();
            let far = draw
                .counts
                .iter()
                .enumerate()
                .map(|(class, &count)| wanted.far(class, count));
            (missing, far.sum::<f64>())
        };
        let (mut least, mut best) = (cost(&first), first);
        for attempt in 1..DRAWS {
            let draw = self.draw(units, wanted, attempt);
            let cost = cost(&draw);
            if cost < least {
                (least, best) = (cost, draw);
            }
        }
        best
    }

    /// Takes units in an order that depends on seed and content alone, as long as they fit: those of several images
    /// first, each with the probability of the share; then single images, which fill up exactly; then, should these not
    /// have sufficed, the others of several images.
    fn draw(&self, units: &[Unit], wanted: &Wanted, attempt: u32) -> Draw {
        let key = |unit: &Unit| {
            let mut bytes = [&self.seed.to_le_bytes()[..], &unit.hash].concat();
            if (wanted.number, attempt) != (0, 0) {
                bytes.push(wanted.number);
                bytes.extend(attempt.to_le_bytes());
            }
            *blake3::hash(&bytes).as_bytes()
        };
        let mut order: Vec<(u8, [u8; 32], usize)> = (units.iter().enumerate())
            .map(|(index, unit)| {
                let key = key(unit);
                let chance = f64::from(u32::from_le_bytes([key[0], key[1], key[2], key[3]])) / f64::from(u32::MAX);
                let turn = match unit.members.len() {
                    1 => 1,
                    _ if chance < wanted.share => 0,
                    _ => 2,
                };
                (turn, key, index)
            })
            .collect();
        order.sort_unstable();
        let mut draw = Draw {
            units: Vec::new(),
            counts: vec![0; self.classes.len()],
            of_class: vec![0; self.classes.len()],
        };
        let mut passed_over = Vec::new();
        for (_, _, index) in order {
            let unit = &units[index];
            match draw.can_take(unit, wanted) && draw.fits(unit, wanted) {
                true => draw.take(index, unit),
                false => passed_over.push(index),
            }
        }
        // Groups are larger than what is missing in the end, and one too many may be nearer to what is wanted.
        for index in passed_over {
            let unit = &units[index];
            if self.groups.is_some() && draw.can_take(unit, wanted) && draw.is_better_with(unit, wanted) {
                draw.take(index, unit);
            }
        }
        draw
    }

    fn cannot_split(&self, class: usize, shares: usize) -> Error {
        let in_class = || (0..self.labels.len()).filter(|&i| self.labels[i] == class);
        let count = in_class().count();
        let groups = self
            .groups
            .map(|groups| in_class().map(|i| groups[i]).collect::<BTreeSet<_>>().len());
        let parts = shares + 1;
        let reason = match (count, groups) {
            (0 | 1, _) => "it has no more than one picture".into(),
            (count, _) if count < parts => format!("it has {count} pictures for {parts} parts"),
            (count, Some(1)) => format!("its {count} pictures are all of one group"),
            (count, Some(groups)) => format!("its {count} pictures in {groups} groups do not fit into {parts} parts"),
            (count, None) => format!("too many of its {count} pictures are byte-identical"),
        };
        Error::Split {
            class: self.classes[class].clone(),
            reason,
        }
    }
}

impl Draw {
    fn take(&mut self, index: usize, unit: &Unit) {
        self.units.push(index);
        for (&class, count) in &unit.counts {
            self.counts[class] += count;
            self.of_class[class] += 1;
        }
    }

    /// Whether enough of each class is left without `unit`.
    fn can_take(&self, unit: &Unit, wanted: &Wanted) -> bool {
        unit.counts
            .keys()
            .all(|&class| self.of_class[class] < wanted.most[class])
    }

    /// Whether there are not more than are wanted with `unit`.
    fn fits(&self, unit: &Unit, wanted: &Wanted) -> bool {
        let counts = &mut unit.counts.iter();
        counts.all(|(&class, count)| self.counts[class] + count <= wanted.counts[class])
    }

    /// Whether it is nearer to what is wanted with `unit` than without, or has a class then that was missing.
    fn is_better_with(&self, unit: &Unit, wanted: &Wanted) -> bool {
        let cost = |more: usize| {
            let far = |(&class, &count): (&usize, &usize)| wanted.far(class, self.counts[class] + more * count);
            unit.counts.iter().map(far).sum::<f64>()
        };
        unit.counts.keys().any(|&class| self.counts[class] == 0) || cost(1) < cost(0)
    }
}

impl Wanted {
    /// How far `count` images of a class are from what is wanted, in the square of what there is of it.
    fn far(&self, class: usize, count: usize) -> f64 {
        (count.abs_diff(self.counts[class]) as f64 / self.left[class].max(1) as f64).powi(2)
    }
}

/// The first of those that are united with `i`.
fn leader(leaders: &mut [usize], mut i: usize) -> usize {
    while leaders[i] != i {
        leaders[i] = leaders[leaders[i]];
        i = leaders[i];
    }
    i
}

fn unite(leaders: &mut [usize], a: usize, b: usize) {
    let (a, b) = (leader(leaders, a), leader(leaders, b));
    leaders[a.max(b)] = a.min(b);
}
