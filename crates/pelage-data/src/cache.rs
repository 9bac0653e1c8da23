//! The decoded images of a data set at training size, or larger: decoded once, kept in memory or in a file, or decoded
//! each time.

mod disk;
mod folder;

use std::borrow::Cow;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;

use rayon::prelude::*;

use crate::alike::Look;
use crate::dataset::{self, Dataset};
use crate::preprocess::Preprocessing;
use crate::progress::{Counter, Progress};
use crate::readable::Readable;
use crate::{Error, Result};

pub use disk::fingerprint;
pub use folder::{Kept, Kind, clear, default_dir, kept, limit, make_room, most_bytes, note_use, unused};

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

/// The readable images of a data set, decoded or to be decoded.
pub struct DecodedImages {
    readable: Readable,
    kept: Preprocessing,
    store: Store,
}

impl Deref for DecodedImages {
    type Target = Readable;

    fn deref(&self) -> &Readable {
        &self.readable
    }
}

enum Store {
    /// Of each image what it looks like, for which it would have to be decoded again.
    Off(Vec<Look>),
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
        let total = dataset::labels(&*dataset)?.len();
        let counter = Counter::new("decoding", total, progress);
        let counted = |index: usize| {
            let decoded = decode(&*dataset, index, &kept);
            counter.count();
            decoded
        };
        let mode = resolve(cache.mode, total.saturating_mul(kept.len()), dataset.is_in_memory());
        tell_mode(cache.mode, mode, total, &kept);
        let (results, store) = match mode {
            CacheMode::Off => {
                let look = |pixels: Vec<u8>| Look::of_pixels(&pixels, [kept.width, kept.height]);
                let looked: Vec<_> = (0..total)
                    .into_par_iter()
                    .map(|index| counted(index).map(look))
                    .collect();
                let results = looked.iter().map(|one| one.as_ref().map(drop).map_err(Clone::clone));
                (results.collect(), Store::Off(looked.into_iter().flatten().collect()))
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
        let results: Vec<std::result::Result<(), String>> = results;
        let reasons = results.into_iter().map(std::result::Result::err);
        Ok(DecodedImages {
            readable: Readable::new(dataset, reasons, preprocessing.clone())?,
            kept,
            store,
        })
    }

    /// Image `i` at the size of [`Readable::preprocessing`]: `height * width * 3` bytes of RGB.
    ///
    /// # Errors
    /// Where a file has changed or gone since [`DecodedImages::open`].
    pub fn pixels(&self, i: usize) -> Result<Cow<'_, [u8]>> {
        self.resized(i, [self.preprocessing().width, self.preprocessing().height])
    }

    /// What each image looks like; none is decoded for it again.
    ///
    /// # Errors
    /// A damaged file of the cache.
    pub fn looks(&self) -> Result<Vec<Look>> {
        match &self.store {
            Store::Off(looks) => Ok(looks.clone()),
            Store::Ram(_) | Store::Disk(_) => {
                let look = |i| Ok(Look::of_pixels(&self.kept(i)?, self.kept_size()));
                (0..self.len()).into_par_iter().map(look).collect()
            }
        }
    }

    /// Image `i` at `size` (width, height), made of the one that is kept: by the preprocessing's filter, antialiased.
    pub(crate) fn resized(&self, i: usize, size: [u32; 2]) -> Result<Cow<'_, [u8]>> {
        let pixels = self.kept(i)?;
        let kept = self.kept_size();
        if kept == size {
            return Ok(pixels);
        }
        self.resize_pixels(i, &pixels, kept, size).map(Cow::Owned)
    }

    /// Pixels of image `i` of the size `from` at the size `to` (width, height).
    pub(crate) fn resize_pixels(&self, i: usize, pixels: &[u8], from: [u32; 2], to: [u32; 2]) -> Result<Vec<u8>> {
        let resized = self.kept.resize_pixels(pixels, from, to);
        resized.map_err(|reason| self.failed(i, reason))
    }

    /// Width and height in pixels of [`DecodedImages::kept`].
    pub(crate) fn kept_size(&self) -> [u32; 2] {
        [self.kept.width, self.kept.height]
    }

    /// Image `i` as it is kept.
    pub(crate) fn kept(&self, i: usize) -> Result<Cow<'_, [u8]>> {
        match &self.store {
            Store::Ram(images) => Ok(Cow::Borrowed(&images[i])),
            Store::Off(_) => decode(self.dataset(), self.index(i), &self.kept)
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
        Error::data(self.dataset().location(self.index(i)), reason)
    }
}

/// Tells where decoded images are kept, and why there.
fn tell_mode(asked: CacheMode, mode: CacheMode, total: usize, kept: &Preprocessing) {
    let (megabytes, [width, height]) = (total * kept.len() / 1_000_000, [kept.width, kept.height]);
    let place = match mode {
        CacheMode::Off => "kept nowhere, and decoded each time",
        CacheMode::Disk => "kept in a file",
        CacheMode::Ram | CacheMode::Auto => "kept in memory",
    };
    let why = match asked {
        CacheMode::Auto => "chosen by their size",
        _ => "as asked",
    };
    log::info!("cache: {total} pictures of {width} x {height} pixels, {megabytes} MB, are {place} ({why})");
}

/// One image at size, or why not.
fn decode(dataset: &dyn Dataset, index: usize, kept: &Preprocessing) -> std::result::Result<Vec<u8>, String> {
    dataset::with_image(dataset, index, |image| image.decode(kept))?
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
