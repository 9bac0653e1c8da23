//! The readable images of a data set: what is known of them beside their pixels.

use std::sync::Arc;

use crate::dataset::{self, Dataset};
use crate::preprocess::Preprocessing;
use crate::source::LeftOut;
use crate::{Error, Result, Unreadable};

/// Names and classes of the images that can be read, in the order of their data set, and why the others cannot. Decoded
/// images and features alike dereference to it.
pub struct Readable {
    dataset: Arc<dyn Dataset>,
    /// Which images of the data set are readable.
    indices: Vec<usize>,
    /// The class of each of these.
    labels: Vec<usize>,
    classes: Vec<String>,
    unreadable: Vec<Unreadable>,
    preprocessing: Preprocessing,
}

impl Readable {
    /// Those of `dataset` for which `reasons` gives none why they cannot be read.
    ///
    /// # Errors
    /// A data set that contradicts itself, more than a tenth unreadable, a class with no readable image left.
    pub fn new(
        dataset: Arc<dyn Dataset>,
        reasons: impl Iterator<Item = Option<String>>,
        preprocessing: Preprocessing,
    ) -> Result<Self> {
        let all_labels = dataset::labels(&*dataset)?;
        let (mut indices, mut unreadable) = (Vec::with_capacity(all_labels.len()), Vec::new());
        for (index, reason) in reasons.enumerate() {
            match reason {
                None => indices.push(index),
                Some(reason) => unreadable.push(Unreadable {
                    path: dataset.location(index),
                    reason,
                }),
            }
        }
        let images = Readable {
            labels: indices.iter().map(|&index| all_labels[index]).collect(),
            indices,
            classes: dataset.classes().to_vec(),
            dataset,
            unreadable,
            preprocessing,
        };
        images.check(&all_labels)?;
        Ok(images)
    }

    fn check(&self, all_labels: &[usize]) -> Result<()> {
        check_unreadable(&self.unreadable, all_labels.len())?;
        let count = |labels: &[usize]| {
            let mut counts = vec![0usize; self.classes.len()];
            labels.iter().for_each(|&label| counts[label] += 1);
            counts
        };
        let counts = count(all_labels).into_iter().zip(count(&self.labels));
        match counts.enumerate().find(|(_, (had, left))| *had > 0 && *left == 0) {
            Some((class, _)) => Err(Error::UnreadableClass {
                class: self.classes[class].clone(),
                unreadable: self.unreadable.clone(),
            }),
            None => Ok(()),
        }
    }

    /// Readable images.
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }

    /// The class of image `i`.
    pub fn label(&self, i: usize) -> usize {
        self.labels[i]
    }

    /// The class of every image.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// The name of image `i`, relative to its source.
    pub fn name(&self, i: usize) -> &str {
        self.dataset.name(self.indices[i])
    }

    /// Class names; a label is an index into them.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The images that were skipped, and why.
    pub fn unreadable(&self) -> &[Unreadable] {
        &self.unreadable
    }

    /// What was found beside the images and is not used.
    pub fn left_out(&self) -> &[LeftOut] {
        self.dataset.left_out()
    }

    /// How the images become a network's input.
    pub fn preprocessing(&self) -> &Preprocessing {
        &self.preprocessing
    }

    /// The data set.
    pub(crate) fn dataset(&self) -> &dyn Dataset {
        &*self.dataset
    }

    /// The index of image `i` in the data set.
    pub fn index(&self, i: usize) -> usize {
        self.indices[i]
    }
}

/// More than a tenth unreadable is no accident to pass over.
///
/// # Errors
/// [`Error::TooManyUnreadable`].
pub fn check_unreadable(unreadable: &[Unreadable], total: usize) -> Result<()> {
    if unreadable.len() * 10 > total {
        return Err(Error::TooManyUnreadable {
            unreadable: unreadable.to_vec(),
            total,
        });
    }
    Ok(())
}
