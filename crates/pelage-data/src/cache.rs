//! The decoded images of a data set at training size, or larger: decoded once, kept in memory or in a file, or decoded each time.

mod disk;
mod folder;

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use rayon::prelude::*;

use crate::dataset::{self, Dataset};
use crate::preprocess::Preprocessing;
use crate::progress::{Counter, Progress};
use crate::{Error, Result, Unreadable};

pub use disk::fingerprint;
pub use folder::{clear, default_dir};

crate::choices! {
    /// Where decoded images are kept.
    #[derive(Default)]
    CacheMode {
        /// In memory where they take under 512 MiB and under half of what is free. Else in a file, or nowhere where the
        /// data set is in memory itself.
        #[default]
        Auto = "auto",
        /// Nowhere: decoded each time.
        Off = "off",
        /// In memory.
        Ram = "ram",
        /// In a file in the cache folder, also those of a data set in memory.
        Disk = "disk",
    }
}

/// Where decoded images are kept, and how large.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    /// Where.
    pub mode: CacheMode,
    /// The folder of the disk cache, which is made if need be, and not looked at otherwise.
    pub folder: PathBuf,
    /// Width and height in pixels at which images are kept, no less than those of the preprocessing and in the same
    /// proportion; none: just those. Larger images leave room for random crops and for batches of several sizes.
    pub size: Option<[u32; 2]>,
}

impl Cache {
    /// Images of the preprocessing's size; on disk they are in the user's cache folder, see [`default_dir`].
    pub fn new(mode: CacheMode) -> Cache {
        Cache {
            mode,
            folder: default_dir(),
            size: None,
        }
    }

    /// How images are brought to the size that is kept.
    fn kept(&self, preprocessing: &Preprocessing) -> Result<Preprocessing> {
        let [width, height] = self.size.unwrap_or([preprocessing.width, preprocessing.height]);
        let most = u32::from(u16::MAX);
        let (least_width, least_height) = (preprocessing.width.max(1), preprocessing.height.max(1));
        if !(least_width..=most).contains(&width) || !(least_height..=most).contains(&height) {
            return Err(Error::setting(
                "image_size",
                format!("{width} x {height} pixels"),
                format!("{least_width} x {least_height} to {most} x {most} pixels"),
            ));
        }
        Ok(Preprocessing {
            width,
            height,
            ..preprocessing.clone()
        })
    }
}

/// The readable images of a data set.
pub struct DecodedImages {
    dataset: Arc<dyn Dataset>,
    /// Which images of the data set are readable.
    indices: Vec<usize>,
    /// The class of each of these.
    labels: Vec<usize>,
    classes: Vec<String>,
    unreadable: Vec<Unreadable>,
    preprocessing: Preprocessing,
    kept: Preprocessing,
    store: Store,
}

enum Store {
    Off,
    Ram(Vec<Vec<u8>>),
    Disk(disk::Cached),
}

impl DecodedImages {
    /// Decodes every image once, in parallel, and keeps it as `cache` says.
    ///
    /// # Errors
    /// A data set that contradicts itself, a size of no pixels, more than a tenth unreadable, a class with no readable
    /// image left, a cache folder that cannot be written.
    pub fn open(
        dataset: Arc<dyn Dataset>,
        preprocessing: &Preprocessing,
        cache: &Cache,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<DecodedImages> {
        let kept = cache.kept(preprocessing)?;
        let all_labels = dataset::labels(&*dataset)?;
        let total = all_labels.len();
        let counter = Counter::new("decoding", total, progress);
        let counted = |index: usize| {
            let decoded = decode(&*dataset, index, &kept);
            counter.count();
            decoded
        };
        let (results, store) = match resolve(cache.mode, total.saturating_mul(kept.len()), dataset.is_in_memory()) {
            CacheMode::Off => {
                let results = (0..total).into_par_iter().map(|index| counted(index).map(drop));
                (results.collect(), Store::Off)
            }
            CacheMode::Disk => {
                let (results, cached) = disk::open(&*dataset, total, &kept, &cache.folder, &counted)?;
                (results, Store::Disk(cached))
            }
            CacheMode::Ram | CacheMode::Auto => {
                let decoded: Vec<_> = (0..total).into_par_iter().map(counted).collect();
                let results = decoded.iter().map(|one| one.as_ref().map(drop).map_err(Clone::clone));
                (results.collect(), Store::Ram(decoded.into_iter().flatten().collect()))
            }
        };
        let (mut indices, mut unreadable) = (Vec::with_capacity(total), Vec::new());
        let results: Vec<std::result::Result<(), String>> = results;
        for (index, result) in results.into_iter().enumerate() {
            match result {
                Ok(()) => indices.push(index),
                Err(reason) => unreadable.push(Unreadable {
                    path: dataset.location(index),
                    reason,
                }),
            }
        }
        let images = DecodedImages {
            labels: indices.iter().map(|&index| all_labels[index]).collect(),
            indices,
            classes: dataset.classes().to_vec(),
            dataset,
            unreadable,
            preprocessing: preprocessing.clone(),
            kept,
            store,
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

    /// How the images become a network's input.
    pub fn preprocessing(&self) -> &Preprocessing {
        &self.preprocessing
    }

    /// Image `i` at the size of [`DecodedImages::preprocessing`]: `height * width * 3` bytes of RGB.
    ///
    /// # Errors
    /// Where a file has changed or gone since [`DecodedImages::open`].
    pub fn pixels(&self, i: usize) -> Result<Cow<'_, [u8]>> {
        self.resized(i, [self.preprocessing.width, self.preprocessing.height])
    }

    /// Image `i` at `size` (width, height), made of the one that is kept: by the preprocessing's filter, antialiased.
    pub(crate) fn resized(&self, i: usize, size: [u32; 2]) -> Result<Cow<'_, [u8]>> {
        let pixels = self.kept(i)?;
        let kept = self.kept_size();
        if kept == size {
            return Ok(pixels);
        }
        let resized = self.kept.resize_pixels(&pixels, kept, size);
        resized.map(Cow::Owned).map_err(|reason| self.failed(i, reason))
    }

    /// Width and height in pixels of [`DecodedImages::kept`].
    pub(crate) fn kept_size(&self) -> [u32; 2] {
        [self.kept.width, self.kept.height]
    }

    /// Image `i` as it is kept.
    pub(crate) fn kept(&self, i: usize) -> Result<Cow<'_, [u8]>> {
        match &self.store {
            Store::Ram(images) => Ok(Cow::Borrowed(&images[i])),
            Store::Off => decode(&*self.dataset, self.indices[i], &self.kept)
                .map(Cow::Owned)
                .map_err(|reason| self.failed(i, reason)),
            Store::Disk(cached) => {
                let mut bytes = vec![0; self.kept.len()];
                cached.read(i, &mut bytes)?;
                Ok(Cow::Owned(bytes))
            }
        }
    }

    fn failed(&self, i: usize, reason: String) -> Error {
        Error::data(self.dataset.location(self.indices[i]), reason)
    }
}

/// More than a tenth unreadable is no accident to pass over.
pub(crate) fn check_unreadable(unreadable: &[Unreadable], total: usize) -> Result<()> {
    if unreadable.len() * 10 > total {
        return Err(Error::TooManyUnreadable {
            unreadable: unreadable.to_vec(),
            total,
        });
    }
    Ok(())
}

/// One image at size, or why not.
fn decode(dataset: &dyn Dataset, index: usize, kept: &Preprocessing) -> std::result::Result<Vec<u8>, String> {
    dataset.image(index)?.decode(kept)
}

fn resolve(mode: CacheMode, bytes: usize, in_memory: bool) -> CacheMode {
    match mode {
        CacheMode::Auto if bytes < 512 << 20 && bytes < folder::available_memory() / 2 => CacheMode::Ram,
        CacheMode::Auto if in_memory => CacheMode::Off,
        CacheMode::Auto => CacheMode::Disk,
        chosen => chosen,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_memory_goes_to_disk_only_where_that_is_asked_for() {
        assert_eq!(resolve(CacheMode::Auto, 1, true), CacheMode::Ram);
        assert_eq!(resolve(CacheMode::Auto, usize::MAX, true), CacheMode::Off);
        assert_eq!(resolve(CacheMode::Auto, usize::MAX, false), CacheMode::Disk);
        assert_eq!(resolve(CacheMode::Disk, 1, true), CacheMode::Disk);
    }
}
