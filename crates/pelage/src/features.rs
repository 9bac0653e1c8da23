//! What a frozen backbone sees in pictures: computed once, kept in the user's cache folder by content, and learnt from in
//! its place.

pub mod export;
mod file;
pub mod npy;

use std::path::Path;
use std::sync::Arc;

use burn::tensor::{Device, Tensor};
use pelage_data::cache::{self, CacheMode, DecodedImages, Unreadable};
use pelage_data::catalog::Catalog;
use pelage_data::loader::{self, Batch, Order};
use pelage_data::preprocess::Preprocessing;
use pelage_data::Progress;

use pelage_model::input;
use pelage_model::networks::pooled::{self, BATCH};
use pelage_model::networks::{Network, Pooling};
use pelage_model::values::to_vec;

use crate::{Error, Result, atomic};

/// Feature maps of labelled pictures, in the order of their catalog.
pub struct Features {
    names: Vec<String>,
    labels: Vec<usize>,
    classes: Vec<String>,
    unreadable: Vec<Unreadable>,
    preprocessing: Preprocessing,
    /// Rows, columns and channels of one map.
    shape: [usize; 3],
    values: Vec<f32>,
}

/// What makes features of pictures.
pub struct Extractor<'a> {
    /// The network up to whose last feature map pictures go.
    pub network: &'a Network,
    /// How pictures become its input.
    pub preprocessing: &'a Preprocessing,
    /// Tells its weights from others.
    pub fingerprint: &'a str,
    /// Whether each channel's mean is kept, or all of the map.
    pub pooling: Pooling,
    /// Whether they are the mean of those of a picture and its mirror image.
    pub flip: bool,
}

impl Extractor<'_> {
    /// The last feature map of pixels `[n, h, w, 3]`, pooled where that is asked for.
    pub fn forward(&self, pixels: Tensor<4>) -> Tensor<4> {
        pooled::features(self.network, pixels, self.pooling, self.flip)
    }

    /// What the cache knows these features of these pictures by.
    fn key(&self, catalog: &Catalog) -> String {
        let Preprocessing { mean, std, .. } = self.preprocessing;
        let pictures = cache::fingerprint(catalog, self.preprocessing);
        let nodes: Vec<_> = self.network.graph().nodes()[..=self.network.graph().features()]
            .iter()
            .collect();
        let made = format!(
            "{nodes:?} {} {mean:?} {std:?} {:?} {}",
            self.fingerprint, self.pooling, self.flip
        );
        let mut hash = blake3::Hasher::new();
        hash.update(file::MARK)
            .update(pictures.as_bytes())
            .update(made.as_bytes());
        hash.finalize().to_hex()[..32].to_string()
    }
}

impl Features {
    /// The features of the pictures of `catalog`, from the cache in `folder` where they are there, and kept there
    /// otherwise. DecodedImages are decoded as they are needed, and not kept.
    ///
    /// # Errors
    /// More than a tenth of the pictures unreadable, a class with none left, a cache folder that cannot be written.
    pub fn open(
        catalog: &Catalog,
        extractor: &Extractor,
        folder: &Path,
        device: &Device,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Features> {
        let path = folder.join(format!("{}.features", extractor.key(catalog)));
        if let Some(found) = file::read(&path, catalog.items.len()) {
            return Ok(Self::of(catalog, extractor, found));
        }
        let pictures = DecodedImages::open(catalog, extractor.preprocessing, CacheMode::Off, folder, progress)?;
        let computed = compute(Arc::new(pictures), catalog, extractor, device, progress)?;
        file::write(&path, &computed).map_err(|failure| {
            let reason = format!("{failure}; the features of the pictures are kept there, free some space");
            Error::io(&path)(std::io::Error::new(failure.kind(), reason))
        })?;
        Ok(Self::of(catalog, extractor, computed))
    }

    fn of(catalog: &Catalog, extractor: &Extractor, found: file::Content) -> Features {
        let readable = || {
            catalog
                .items
                .iter()
                .zip(&found.reasons)
                .filter(|(_, reason)| reason.is_none())
        };
        let unreadable = catalog.items.iter().zip(&found.reasons).filter_map(|(item, reason)| {
            let (path, reason) = (item.location.to_string(), reason.clone()?);
            Some(Unreadable { path, reason })
        });
        Features {
            names: readable().map(|(item, _)| item.name.clone()).collect(),
            labels: readable().map(|(item, _)| item.label).collect(),
            classes: catalog.classes.clone(),
            unreadable: unreadable.collect(),
            preprocessing: extractor.preprocessing.clone(),
            shape: found.shape,
            values: found.values,
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The class of picture `i`.
    pub fn label(&self, i: usize) -> usize {
        self.labels[i]
    }

    /// The name of picture `i`, relative to its source.
    pub fn name(&self, i: usize) -> &str {
        &self.names[i]
    }

    /// Class names; a label is an index into them.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The pictures that were skipped, with reasons.
    pub fn unreadable(&self) -> &[Unreadable] {
        &self.unreadable
    }

    /// How the pictures became input.
    pub fn preprocessing(&self) -> &Preprocessing {
        &self.preprocessing
    }

    /// Rows, columns and channels of each map.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// All numbers, picture after picture, channels last.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Writes them into `folder` as `NAME.npy`, float32, one row a picture, and `NAME.csv` beside it: path, class, label.
    ///
    /// # Errors
    /// A full disk or a folder that cannot be written.
    pub fn write(&self, folder: &Path, name: &str) -> Result<()> {
        std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
        // One number a channel makes a matrix, as scikit-learn wants it.
        let shape = match self.shape {
            [1, 1, c] => vec![self.len(), c],
            [h, w, c] => vec![self.len(), h, w, c],
        };
        let mut array = Vec::new();
        npy::write(&mut array, &shape, &self.values).map_err(Error::io(folder))?;
        atomic::write(&folder.join(format!("{name}.npy")), &array)?;
        let failed = |failure: csv::Error| Error::io(folder)(failure.into());
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["path", "class", "label"]).map_err(failed)?;
        for (name, &label) in self.names.iter().zip(&self.labels) {
            writer
                .write_record([name, &self.classes[label], &label.to_string()])
                .map_err(failed)?;
        }
        let table = writer
            .into_inner()
            .map_err(|failure| failed(failure.into_error().into()))?;
        atomic::write(&folder.join(format!("{name}.csv")), &table)
    }

    /// The features of the pictures `indices`, as a batch.
    pub fn batch(&self, indices: &[usize]) -> Batch {
        let each = self.shape.iter().product::<usize>();
        Batch {
            pixels: indices
                .iter()
                .flat_map(|&i| &self.values[i * each..(i + 1) * each])
                .copied()
                .collect(),
            labels: indices.iter().map(|&i| self.labels[i]).collect(),
            indices: indices.to_vec(),
        }
    }
}

fn compute(
    pictures: Arc<DecodedImages>,
    catalog: &Catalog,
    extractor: &Extractor,
    device: &Device,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<file::Content> {
    let total = pictures.len();
    let (mut values, mut shape, mut done) = (Vec::new(), [0; 3], 0);
    for batch in loader::batches(pictures.clone(), BATCH, Order::Sequential, None, 0) {
        let batch = batch?;
        let maps = extractor.forward(input::images(batch.pixels, extractor.preprocessing, device));
        let [_, h, w, c] = maps.dims();
        if done == 0 {
            values.reserve_exact(total * h * w * c);
        }
        shape = [h, w, c];
        values.extend(to_vec(maps));
        done += batch.labels.len();
        progress(Progress {
            done,
            total,
            what: "features",
        });
    }
    let mut unreadable = pictures.unreadable().iter().peekable();
    let reasons = catalog.items.iter().map(|item| {
        let path = item.location.to_string();
        unreadable
            .next_if(|skipped| skipped.path == path)
            .map(|skipped| skipped.reason.clone())
    });
    Ok(file::Content {
        shape,
        values,
        reasons: reasons.collect(),
    })
}
