//! Which images are kept for validation: seeded, stratified, duplicates together.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rayon::prelude::*;

use super::{Dataset, Image, content, labels};
use crate::{Error, Result};

/// Some images of a data set.
#[derive(Clone)]
pub struct Subset {
    dataset: Arc<dyn Dataset>,
    indices: Vec<usize>,
}

impl Subset {
    /// The images at `indices`, in that order.
    ///
    /// # Errors
    /// [`Error::Dataset`] where there is no such image.
    pub fn new(dataset: Arc<dyn Dataset>, indices: Vec<usize>) -> Result<Subset> {
        let count = dataset.len();
        match indices.iter().find(|index| **index >= count) {
            Some(index) => Err(Error::Dataset(format!(
                "there is no image {index}, only {count} from 0"
            ))),
            None => Ok(Subset { dataset, indices }),
        }
    }
}

impl Dataset for Subset {
    fn len(&self) -> usize {
        self.indices.len()
    }

    fn classes(&self) -> &[String] {
        self.dataset.classes()
    }

    fn label(&self, index: usize) -> usize {
        self.dataset.label(self.indices[index])
    }

    fn name(&self, index: usize) -> &str {
        self.dataset.name(self.indices[index])
    }

    fn image(&self, index: usize) -> std::result::Result<Image, String> {
        self.dataset.image(self.indices[index])
    }

    fn hand_over(&self, index: usize, take: &mut dyn FnMut(std::result::Result<Image, String>)) {
        self.dataset.hand_over(self.indices[index], take);
    }

    fn location(&self, index: usize) -> String {
        self.dataset.location(self.indices[index])
    }

    fn is_in_memory(&self) -> bool {
        self.dataset.is_in_memory()
    }
}

/// Splits a data set into train and validation: per class, `ratio` (0 to 1) of the images, rounded, goes to validation,
/// chosen by `seed` and content; byte-identical images stay on one side, whatever their class. An image that cannot be
/// read goes by its name.
///
/// # Errors
/// A ratio beyond 0 to 1; a class that cannot be split: one image, or all byte-identical.
pub fn split(dataset: Arc<dyn Dataset>, ratio: f64, seed: u64) -> Result<[Subset; 2]> {
    let in_validation = validation_images(&*dataset, ratio, seed)?;
    let side = |validation: bool| Subset {
        indices: (0..in_validation.len())
            .filter(|&index| in_validation[index] == validation)
            .collect(),
        dataset: dataset.clone(),
    };
    Ok([side(false), side(true)])
}

/// Refuses a share that is not between 0 and 1; `name` is the setting's.
pub(crate) fn check_share(name: &'static str, share: f64) -> Result<()> {
    match share > 0.0 && share < 1.0 {
        true => Ok(()),
        false => Err(Error::setting(name, share, "between 0 and 1")),
    }
}

/// Whether each image is for validation, see [`split`].
pub(crate) fn validation_images(dataset: &dyn Dataset, ratio: f64, seed: u64) -> Result<Vec<bool>> {
    check_share("validation_split", ratio)?;
    let hash = |index| content(dataset, index).unwrap_or_else(|_| blake3::hash(dataset.name(index).as_bytes()));
    let contents: Vec<_> = (0..dataset.len()).into_par_iter().map(hash).collect();
    choose(dataset.classes(), &labels(dataset)?, &contents, ratio, seed)
}

/// Whether each image is for validation, where the hash of every image's content is known.
pub(crate) fn choose(
    classes: &[String],
    labels: &[usize],
    contents: &[blake3::Hash],
    ratio: f64,
    seed: u64,
) -> Result<Vec<bool>> {
    let mut by_content: HashMap<&blake3::Hash, Vec<usize>> = HashMap::new();
    for (i, hash) in contents.iter().enumerate() {
        by_content.entry(hash).or_default().push(i);
    }
    let mut counts = vec![0; classes.len()];
    labels.iter().for_each(|&label| counts[label] += 1);
    let share = |&count: &usize| {
        ((count as f64 * ratio).round() as usize).clamp(usize::from(count > 1), count.saturating_sub(1))
    };
    let mut wanted: Vec<usize> = counts.iter().map(share).collect();
    // In an order that depends on seed and content alone: groups of duplicates first, each with the probability
    // `ratio`; then single images, which fill up exactly; then, should these not have sufficed, the other groups.
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
    let mut in_validation = vec![false; labels.len()];
    let mut chosen = vec![0; counts.len()];
    for (_, _, members) in groups {
        let mut needs: BTreeMap<usize, usize> = BTreeMap::new();
        members.iter().for_each(|&i| *needs.entry(labels[i]).or_default() += 1);
        if needs.iter().all(|(&label, &need)| wanted[label] >= need) {
            for (&label, &need) in &needs {
                wanted[label] -= need;
                chosen[label] += need;
            }
            members.iter().for_each(|&i| in_validation[i] = true);
        }
    }
    match chosen.iter().position(|&count| count == 0) {
        Some(class) => Err(Error::Split {
            class: classes[class].clone(),
            reason: match counts[class] {
                0 | 1 => "it has no more than one picture".into(),
                count => format!("too many of its {count} pictures are byte-identical"),
            },
        }),
        None => Ok(in_validation),
    }
}
