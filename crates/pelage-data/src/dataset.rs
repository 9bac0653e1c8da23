//! Data sets: labelled images, wherever they are. [`Catalog`](crate::catalog::Catalog) has those of a folder, zip or
//! CSV, [`InMemory`](crate::memory::InMemory) those of the caller's memory; anything else is a [`Dataset`] by five
//! methods.

mod split;
mod stratified;
mod subset;

use std::collections::HashSet;

use image::RgbImage;

use crate::preprocess::Preprocessing;
use crate::source::LeftOut;
use crate::{Error, Result};

pub(crate) use split::{check_share, validation_images};
pub use split::{folds, split, split_grouped};
pub(crate) use stratified::Stratified;
pub use subset::Subset;

/// An image as a data set gives it.
#[derive(Clone, Debug, PartialEq)]
pub enum Image {
    /// A JPEG, PNG, WebP, GIF, BMP or TIFF.
    Encoded(Vec<u8>),
    /// Pixels.
    Rgb(RgbImage),
}

impl Image {
    /// Rows of red, green and blue bytes: `height * width * 3`.
    ///
    /// # Errors
    /// Another number of bytes.
    pub fn rgb(width: u32, height: u32, bytes: Vec<u8>) -> Result<Image> {
        let (count, needed) = (bytes.len(), u128::from(width) * u128::from(height) * 3);
        // Of more bytes than it needs, it would only leave out what follows.
        let image = (count as u128 == needed).then(|| RgbImage::from_raw(width, height, bytes));
        image.flatten().map(Image::Rgb).ok_or_else(|| {
            Error::Dataset(format!(
                "an RGB image of {width} x {height} pixels has {needed} bytes, and {count} were given"
            ))
        })
    }

    /// At the size of `preprocessing`: `height * width * 3` bytes, or why not.
    pub(crate) fn decode(&self, preprocessing: &Preprocessing) -> std::result::Result<Vec<u8>, String> {
        match self {
            Image::Encoded(bytes) => preprocessing.decode(bytes),
            Image::Rgb(image) => preprocessing.resize(image),
        }
    }

    /// A hash of what it holds.
    fn content(&self) -> blake3::Hash {
        match self {
            Image::Encoded(bytes) => blake3::hash(bytes),
            Image::Rgb(image) => {
                let mut hash = blake3::Hasher::new();
                hash.update(format!("{:?}", image.dimensions()).as_bytes())
                    .update(image.as_raw());
                hash.finalize()
            }
        }
    }
}

/// Labelled images in a fixed order. What it says must not change while it is in use.
pub trait Dataset: Send + Sync {
    /// Images, those included that turn out not to be readable.
    fn len(&self) -> usize;

    /// Class names; a label is an index into them. Train and validation have the same ones in the same order.
    fn classes(&self) -> &[String];

    /// The class of image `index`, which is less than [`Dataset::len`] here and below.
    fn label(&self, index: usize) -> usize;

    /// The name of image `index`, by which tables and files know it.
    fn name(&self, index: usize) -> &str;

    /// Image `index`. It is asked for by several threads at once, and again in each epoch where decoded images are not
    /// kept.
    ///
    /// # Errors
    /// Why it cannot be read, in words for a table. It is skipped then, unless too many are.
    fn image(&self, index: usize) -> std::result::Result<Image, String>;

    /// Hands image `index` to `take`, once. What [`Dataset::image`] gives is all there is to hand over; a data set of
    /// files, though, has threads share memory until `take` is done with one.
    fn hand_over(&self, index: usize, take: &mut dyn FnMut(std::result::Result<Image, String>)) {
        take(self.image(index));
    }

    /// Where image `index` is, for messages: its name, where that says it all.
    fn location(&self, index: usize) -> String {
        self.name(index).to_string()
    }

    /// What was found beside the images and is not used, for messages.
    fn left_out(&self) -> &[LeftOut] {
        &[]
    }

    /// Whether the images are in memory already. Decoded ones are then never written to a disk cache, unless
    /// [`CacheMode::Disk`](crate::cache::CacheMode::Disk) is asked for.
    fn is_in_memory(&self) -> bool {
        false
    }

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A hash of what image `index` holds.
///
/// # Errors
/// Why it cannot be read.
pub fn content(dataset: &dyn Dataset, index: usize) -> std::result::Result<blake3::Hash, String> {
    with_image(dataset, index, |image| image.content())
}

/// What `make` makes of image `index`, or why it cannot be read.
pub(crate) fn with_image<T>(
    dataset: &dyn Dataset,
    index: usize,
    make: impl Fn(Image) -> T,
) -> std::result::Result<T, String> {
    let mut made = Err("the data set handed no picture over".to_string());
    dataset.hand_over(index, &mut |image| made = image.map(&make));
    made
}

/// The label of each image.
///
/// # Errors
/// [`Error::Dataset`] where one is none of a class, or two classes have one name.
pub fn labels(dataset: &dyn Dataset) -> Result<Vec<usize>> {
    let classes = dataset.classes();
    let mut names = HashSet::new();
    if let Some(class) = classes.iter().find(|class| !names.insert(*class)) {
        return Err(Error::Dataset(format!("two of its classes have the name '{class}'")));
    }
    let label = |index| match dataset.label(index) {
        label if label < classes.len() => Ok(label),
        label => Err(Error::Dataset(format!(
            "'{}' has the label {label}, and there are {} classes; labels count from 0",
            dataset.location(index),
            classes.len()
        ))),
    };
    (0..dataset.len()).map(label).collect()
}

/// Images of each class.
///
/// # Errors
/// As [`labels`].
pub fn counts(dataset: &dyn Dataset) -> Result<Vec<usize>> {
    let mut counts = vec![0; dataset.classes().len()];
    labels(dataset)?.into_iter().for_each(|label| counts[label] += 1);
    Ok(counts)
}

/// Checks that a classifier can be trained on `train` and validated on `validation`: two classes at least, the same
/// ones in the same order on both sides, and images of each.
///
/// # Errors
/// [`Error::Dataset`] where that is not so.
pub fn check(train: &dyn Dataset, validation: &dyn Dataset) -> Result<()> {
    let classes = train.classes();
    let wrong = match classes {
        [] => Some("it has no classes".to_string()),
        [one] => Some(format!("it has only one class, '{one}', and a classifier needs two")),
        _ if classes != validation.classes() => Some(format!(
            "train has the classes {}, and validation {}; they must be the same, in the same order",
            classes.join(", "),
            validation.classes().join(", ")
        )),
        _ => None,
    };
    if let Some(reason) = wrong {
        return Err(Error::Dataset(reason));
    }
    for (side, dataset) in [("train", train), ("validation", validation)] {
        if let Some(class) = counts(dataset)?.iter().position(|&count| count == 0) {
            let class = &classes[class];
            return Err(Error::Dataset(format!("{side} has no picture of class '{class}'")));
        }
    }
    Ok(())
}
