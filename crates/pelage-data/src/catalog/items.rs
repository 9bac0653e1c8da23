//! Labelled images.

use std::collections::HashMap;

use super::part::Part;
use crate::composed::composed;
use crate::dataset::{Dataset, Image};
use crate::source::{Entry, LeftOut, Location, natural_order};

/// One labelled image.
#[derive(Clone, Debug)]
pub struct Item {
    /// Its name relative to the source, with slashes.
    pub name: String,
    /// Where its bytes are.
    pub location: Location,
    /// Index into [`Catalog::classes`].
    pub label: usize,
    /// The part of the data set that it is in, by its folder or by a CSV of labels.
    pub part: Option<Part>,
}

/// Labelled images and the names of their classes, in natural order.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// Class names; a label is an index into them.
    pub classes: Vec<String>,
    /// The images, in natural order of their names.
    pub items: Vec<Item>,
    /// What else was found, and why it is not used.
    pub left_out: Vec<LeftOut>,
}

impl Catalog {
    /// A catalog of entries with their labels and parts.
    pub(super) fn new(labelled: Vec<(Entry, String, Option<Part>)>, left_out: Vec<LeftOut>) -> Catalog {
        // Names that differ in their form alone are one class.
        let composed = |(entry, label, part): (Entry, String, _)| (entry, composed(&label).into_owned(), part);
        let labelled: Vec<_> = labelled.into_iter().map(composed).collect();
        let mut classes: Vec<String> = labelled.iter().map(|(_, label, _)| label.clone()).collect();
        classes.sort_by(|a, b| natural_order(a, b));
        classes.dedup();
        let index: HashMap<_, _> = classes.iter().cloned().zip(0..).collect();
        let items = labelled.into_iter().map(|(entry, label, part)| Item {
            label: index[&label],
            name: entry.name,
            location: entry.location,
            part,
        });
        Catalog {
            items: items.collect(),
            classes,
            left_out,
        }
    }

    /// Images of each class.
    pub fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes.len()];
        self.items.iter().for_each(|item| counts[item.label] += 1);
        counts
    }
}

impl Dataset for Catalog {
    fn len(&self) -> usize {
        self.items.len()
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn label(&self, index: usize) -> usize {
        self.items[index].label
    }

    fn name(&self, index: usize) -> &str {
        &self.items[index].name
    }

    fn image(&self, index: usize) -> std::result::Result<Image, String> {
        let bytes = self.items[index].location.read();
        bytes.map(Image::Encoded).map_err(|failure| failure.reason())
    }

    fn hand_over(&self, index: usize, take: &mut dyn FnMut(std::result::Result<Image, String>)) {
        let read = self.items[index]
            .location
            .read_with(|bytes| take(Ok(Image::Encoded(bytes))));
        if let Err(failure) = read {
            take(Err(failure.reason()));
        }
    }

    fn location(&self, index: usize) -> String {
        self.items[index].location.to_string()
    }

    fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }
}
