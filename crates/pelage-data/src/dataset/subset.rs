//! Some images of a data set, as a data set.

use std::sync::Arc;

use super::{Dataset, Image};
use crate::{Error, Result};

/// Some images of a data set.
#[derive(Clone)]
pub struct Subset {
    pub(super) dataset: Arc<dyn Dataset>,
    pub(super) indices: Vec<usize>,
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
