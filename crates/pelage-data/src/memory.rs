//! Images in memory: a server's uploads, arrays of another language.

use crate::dataset::{Dataset, Image};
use crate::{Error, Result};

/// Labelled images in memory, in the order in which they came.
///
/// ```
/// use pelage_data::dataset::Image;
/// use pelage_data::memory::InMemory;
///
/// let mut images = InMemory::new(["cat", "dog"]);
/// images.push("red", "cat", Image::rgb(1, 2, vec![255, 0, 0, 255, 0, 0])?)?;
/// images.push("upload", 1, Image::Encoded(vec![0xFF, 0xD8]))?;
/// assert!(images.push("other", "bird", Image::Encoded(vec![])).is_err());
/// # Ok::<_, pelage_data::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct InMemory {
    classes: Vec<String>,
    images: Vec<Labelled>,
}

#[derive(Clone, Debug)]
struct Labelled {
    name: String,
    label: usize,
    image: Image,
}

/// A class, by its name or by its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label<'a> {
    /// Its name.
    Name(&'a str),
    /// Its index into the classes.
    Index(usize),
}

impl<'a> From<&'a str> for Label<'a> {
    fn from(name: &'a str) -> Self {
        Label::Name(name)
    }
}

impl From<usize> for Label<'_> {
    fn from(index: usize) -> Self {
        Label::Index(index)
    }
}

impl InMemory {
    /// No images yet, of these classes.
    pub fn new<C: Into<String>>(classes: impl IntoIterator<Item = C>) -> InMemory {
        InMemory {
            classes: classes.into_iter().map(Into::into).collect(),
            images: Vec::new(),
        }
    }

    /// Adds an image. Tables and messages know it by `name`, which need not be its own alone.
    ///
    /// # Errors
    /// [`Error::Dataset`] for a label that is none of the classes.
    pub fn push<'a>(&mut self, name: impl Into<String>, label: impl Into<Label<'a>>, image: Image) -> Result<()> {
        let (name, label) = (name.into(), label.into());
        let known = match label {
            Label::Name(class) => self.classes.iter().position(|known| known == class),
            Label::Index(index) => Some(index).filter(|index| *index < self.classes.len()),
        };
        let Some(label) = known else {
            let classes = self.classes.join(", ");
            return Err(Error::Dataset(match label {
                Label::Name(class) => format!("'{name}' is of class '{class}', and there are only {classes}"),
                Label::Index(index) => format!(
                    "'{name}' has the label {index}, and there are {} classes ({classes}); labels count from 0",
                    self.classes.len()
                ),
            }));
        };
        self.images.push(Labelled { name, label, image });
        Ok(())
    }
}

impl Dataset for InMemory {
    fn len(&self) -> usize {
        self.images.len()
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn label(&self, index: usize) -> usize {
        self.images[index].label
    }

    fn name(&self, index: usize) -> &str {
        &self.images[index].name
    }

    fn image(&self, index: usize) -> std::result::Result<Image, String> {
        Ok(self.images[index].image.clone())
    }

    fn is_in_memory(&self) -> bool {
        true
    }
}
