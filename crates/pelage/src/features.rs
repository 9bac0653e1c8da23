//! A frozen backbone's features of images: computed once, kept in the user's cache folder by content, and used for
//! training instead of the images.

mod array;
pub mod export;
mod file;
pub mod growing;
pub mod merged;
mod npy;

use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use burn::tensor::{Device, Tensor};
use pelage_data::Progress;
use pelage_data::alike::Look;
use pelage_data::cache::{self, Cache, CacheMode, DecodedImages, make_room, note_use};
use pelage_data::dataset::Dataset;
use pelage_data::loader::{self, Batch, Pass};
use pelage_data::preprocess::Preprocessing;
use pelage_data::readable::Readable;
use pelage_data::shown;
use pelage_data::source;
use pelage_data::targets::Targets;
use pelage_model::input;
use pelage_model::networks::pooled::{self, BATCH};
use pelage_model::networks::{Network, Pooling};
use pelage_model::values::to_vec;

use crate::{Error, Result, atomic};
use pelage_data::table;

/// What progress calls the computation of features.
pub const PHASE: &str = "features";

/// Feature maps of labelled images, in the order of their catalog.
pub struct Features {
    readable: Readable,
    /// Rows, columns and channels of one map.
    shape: [usize; 3],
    /// Values of a map that come from one backbone each.
    blocks: Vec<usize>,
    /// How the images become the input of each of these backbones.
    preprocessings: Vec<Preprocessing>,
    values: Vec<f32>,
    looks: Vec<Look>,
}

impl Deref for Features {
    type Target = Readable;

    fn deref(&self) -> &Readable {
        &self.readable
    }
}

/// Computes features of images.
pub struct Extractor<'a> {
    /// The network, of which the last feature map is used.
    pub network: &'a Network,
    /// How images become its input.
    pub preprocessing: &'a Preprocessing,
    /// Identifies its weights.
    pub fingerprint: &'a str,
    /// Whether to keep the mean of each channel or the whole map.
    pub pooling: Pooling,
    /// Whether to average the features of an image and its mirror image.
    pub flip: bool,
}

impl Extractor<'_> {
    /// The last feature map of pixels `[n, h, w, 3]`, pooled if asked for.
    pub fn forward(&self, pixels: Tensor<4>) -> Tensor<4> {
        pooled::features(self.network, pixels, self.pooling, self.flip)
    }

    /// The cache's key for these features of these images.
    fn key(&self, dataset: &dyn Dataset) -> String {
        let Preprocessing { mean, std, .. } = self.preprocessing;
        let images = cache::fingerprint(dataset, self.preprocessing);
        let nodes: Vec<_> = self.network.graph().nodes()[..=self.network.graph().features()]
            .iter()
            .collect();
        let made = format!(
            "{nodes:?} {} {mean:?} {std:?} {:?} {}",
            self.fingerprint, self.pooling, self.flip
        );
        let mut hash = blake3::Hasher::new();
        hash.update(file::MARK)
            .update(images.as_bytes())
            .update(made.as_bytes());
        hash.finalize().to_hex()[..32].to_string()
    }
}

impl Features {
    /// The features of the images of `dataset`, from the folder of `cache` if they are there; otherwise computed, and
    /// kept there if its mode is [`CacheMode::Disk`], or [`CacheMode::Auto`] and the images are not in memory
    /// themselves. Images are decoded on demand, and not kept.
    ///
    /// # Errors
    /// More than a tenth of the images unreadable, a class with none left, a cache folder that cannot be written.
    pub fn open(
        dataset: &Arc<dyn Dataset>,
        extractor: &Extractor,
        cache: &Cache,
        device: &Device,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Features> {
        let kept = match cache.mode {
            CacheMode::Disk => true,
            CacheMode::Auto => !dataset.is_in_memory(),
            CacheMode::Off | CacheMode::Ram => false,
        };
        if !kept {
            return Self::of(dataset, extractor, compute(dataset, extractor, device, progress)?);
        }
        let path = cache.folder.join(format!("{}.features", extractor.key(&**dataset)));
        if let Some(found) = file::read(&path, dataset.len()) {
            note_use(&path);
            log::info!("cache: features computed before, in {}", shown::path(&path));
            return Self::of(dataset, extractor, found);
        }
        log::info!("cache: features not computed before; kept as {}", shown::path(&path));
        let computed = compute(dataset, extractor, device, progress)?;
        make_room(&cache.folder, size_of_val(&computed.values[..]) as u64);
        file::write(&path, &computed).map_err(|failure| pelage_data::Error::Cache {
            folder: cache.folder.clone(),
            source: failure,
        })?;
        Self::of(dataset, extractor, computed)
    }

    fn of(dataset: &Arc<dyn Dataset>, extractor: &Extractor, found: file::Content) -> Result<Features> {
        let reasons = found.reasons.into_iter();
        Ok(Features {
            readable: Readable::new(dataset.clone(), reasons, extractor.preprocessing.clone())?,
            shape: found.shape,
            blocks: vec![found.shape.iter().product()],
            preprocessings: vec![extractor.preprocessing.clone()],
            values: found.values,
            looks: found.looks,
        })
    }

    /// Channel means of the same images by several backbones, side by side.
    ///
    /// # Errors
    /// Images that could be read for one of them and not for another.
    pub fn joined(mut parts: Vec<Features>) -> Result<Features> {
        let first = parts.remove(0);
        if parts.is_empty() {
            return Ok(first);
        }
        let indices = |part: &Features| (0..part.len()).map(|i| part.index(i)).collect::<Vec<_>>();
        if parts.iter().any(|part| indices(part) != indices(&first)) {
            let reason = "some images can be read for one backbone and not for another";
            return Err(pelage_data::Error::Dataset(reason.into()).into());
        }
        let each = |part: &Features| part.shape.iter().product::<usize>();
        let all = || std::iter::once(&first).chain(&parts);
        let mut values = Vec::with_capacity(all().map(|part| part.values.len()).sum());
        for i in 0..first.len() {
            for part in all() {
                values.extend_from_slice(&part.values[i * each(part)..(i + 1) * each(part)]);
            }
        }
        let blocks: Vec<usize> = all().map(each).collect();
        Ok(Features {
            shape: [1, 1, blocks.iter().sum()],
            blocks,
            preprocessings: all().map(|part| part.preprocessing().clone()).collect(),
            values,
            looks: first.looks,
            readable: first.readable,
        })
    }

    /// How the images become the input of each backbone.
    pub fn preprocessings(&self) -> &[Preprocessing] {
        &self.preprocessings
    }

    /// Rows, columns and channels of each map.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// Values of an image by the backbone that they come from.
    pub fn blocks(&self) -> &[usize] {
        &self.blocks
    }

    /// All values, image by image, channels last.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// What each image looks like.
    pub fn looks(&self) -> &[Look] {
        &self.looks
    }

    /// Writes them into `folder` as `NAME.npy`, float32, one row per image, and `NAME.csv` beside it: path, class,
    /// label.
    ///
    /// # Errors
    /// A full disk or a folder that cannot be written.
    pub fn write(&self, folder: &Path, name: &str) -> Result<()> {
        std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
        source::mark(folder)?;
        let shape = array::shape_of(self.len(), self.shape);
        let mut array = Vec::new();
        npy::write(&mut array, &shape, &self.values).map_err(Error::io(folder))?;
        atomic::write(&folder.join(format!("{name}.npy")), &array)?;
        let row = |i| {
            let class = table::prefixed("'", &self.classes()[self.label(i)]);
            [table::prefixed("./", self.name(i)), class, self.label(i).to_string()]
        };
        let head = ["path", "class", "label"].map(String::from);
        let table = table::csv(std::iter::once(head).chain((0..self.len()).map(row)))?;
        Ok(atomic::write(&folder.join(format!("{name}.csv")), &table)?)
    }

    /// The features of the images `indices`, as a batch.
    pub fn batch(&self, indices: &[usize]) -> Batch {
        let each = self.shape.iter().product::<usize>();
        Batch {
            pixels: indices
                .iter()
                .flat_map(|&i| &self.values[i * each..(i + 1) * each])
                .copied()
                .collect(),
            targets: Targets::Classes(indices.iter().map(|&i| self.label(i)).collect()),
            indices: indices.to_vec(),
            first: 0,
            whole: indices.len(),
        }
    }
}

fn compute(
    dataset: &Arc<dyn Dataset>,
    extractor: &Extractor,
    device: &Device,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<file::Content> {
    let cache = Cache::new(CacheMode::Off);
    let images = Arc::new(DecodedImages::open(
        dataset.clone(),
        extractor.preprocessing,
        &cache,
        progress,
    )?);
    let total = images.len();
    let (mut values, mut shape, mut done) = (Vec::new(), [0; 3], 0);
    let pass = Pass {
        batch_size: BATCH,
        ..Pass::default()
    };
    for batch in loader::batches(images.clone(), pass) {
        let batch = batch?;
        let maps = extractor.forward(input::images(batch.pixels, extractor.preprocessing, device));
        let [_, h, w, c] = maps.dims();
        if done == 0 {
            values.reserve_exact(total * h * w * c);
        }
        shape = [h, w, c];
        values.extend(to_vec(maps));
        done += batch.targets.len();
        progress(Progress {
            done,
            total,
            what: PHASE,
        });
    }
    // By index: names need not be an image's alone.
    let mut readable = (0..images.len()).map(|i| images.index(i)).peekable();
    let mut unreadable = images.unreadable().iter();
    let reasons = (0..dataset.len()).map(|index| match readable.next_if_eq(&index) {
        Some(_) => None,
        None => unreadable.next().map(|skipped| skipped.reason.clone()),
    });
    Ok(file::Content {
        shape,
        values,
        reasons: reasons.collect(),
        looks: images.looks()?,
    })
}
