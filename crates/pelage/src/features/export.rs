//! Features of whole data sets, as arrays for other tools.

use std::fs::DirEntry;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pelage_data::Progress;
use pelage_data::Unreadable;
use pelage_data::cache::Cache;
use pelage_data::catalog::{self, Catalog, Parts};
use pelage_data::dataset::Dataset;
use pelage_data::lock::create_folder;
use pelage_data::source;
use serde::Serialize;

use super::Features;
use crate::compute::Compute;
use crate::train::backbone::backbone;
use crate::train::recipe::Recipe;
use crate::{Error, Result};

/// By which name files are noted as written here.
const VERB: &str = "features";

/// What files are called: by the part, or of a data set without parts.
pub(super) const NAMES: [&str; 4] = ["train", "validation", "test", "features"];

/// What was written for one part of a data set.
#[derive(Clone, Debug, Serialize)]
pub struct Exported {
    /// The path of `.npy` and `.csv`, without the extension.
    pub path: PathBuf,
    /// Number of images in it.
    #[serde(rename = "pictures")]
    pub images: usize,
    /// Rows, columns and channels of each image's features.
    pub shape: [usize; 3],
    /// The images that were skipped, and why.
    pub unreadable: Vec<Unreadable>,
}

/// Writes the features of the images of `data` by the frozen backbone of `recipe` into the folder `out`, see
/// [`Features::write`]: `train`, `validation` and `test` of an organized folder, else `features`. The folders at
/// `label_level` are the classes, if one is given.
///
/// # Errors
/// A recipe without a backbone; weights that cannot be read; unusable images; a folder that cannot be written.
pub fn export(
    data: &Path,
    label_level: Option<usize>,
    recipe: &Recipe,
    out: &Path,
    compute: &Compute,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Vec<Exported>> {
    recipe.validate()?;
    // Before minutes of computing.
    into_folder(out, || into(data, label_level, recipe, out, compute, progress))
}

fn into(
    data: &Path,
    label_level: Option<usize>,
    recipe: &Recipe,
    out: &Path,
    compute: &Compute,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Vec<Exported>> {
    let Some(transfer) = &recipe.transfer else {
        return Err(Error::Settings("features come from a backbone; choose one".into()));
    };
    let device = compute.open()?;
    let backbone = backbone(transfer, recipe, 2, &device)?;
    let network = backbone.network.folded(|_| true);
    let extractor = backbone.extractor(transfer, &network);
    let sets = sets(data, label_level)?;
    let written = Written::begin(out, sets.iter().map(|(name, _)| *name))?;
    let mut exported = Vec::new();
    for (name, catalog) in sets {
        let dataset: Arc<dyn Dataset> = Arc::new(catalog);
        let features = Features::open(&dataset, &extractor, &Cache::new(compute.cache), &device, progress)?;
        features.write(out, name)?;
        exported.push(Exported {
            path: out.join(name),
            images: features.len(),
            shape: features.shape(),
            unreadable: features.unreadable().to_vec(),
        });
    }
    written.end()?;
    Ok(exported)
}

/// Makes a folder for features, or finds one with nothing but what we have written, and has `write` write into it.
/// Where that fails before it has written anything, the folder is as it was.
pub(super) fn into_folder<T>(out: &Path, write: impl FnOnce() -> Result<T>) -> Result<T> {
    let (was_there, was_marked) = (out.exists(), out.join(source::MARK).exists());
    create_folder(out)?;
    if !source::is_ours(out)? {
        return Err(Error::folder(out, "holds other files already; give a new folder"));
    }
    source::mark(out)?;
    let written = write();
    let is_mark = |child: std::io::Result<DirEntry>| child.is_ok_and(|child| child.file_name() == source::MARK);
    let is_bare = || std::fs::read_dir(out).is_ok_and(|mut children| children.all(is_mark));
    if written.is_err() && !was_marked && is_bare() {
        // That it stays matters less than why.
        let _ = std::fs::remove_file(out.join(source::MARK));
        if !was_there {
            let _ = std::fs::remove_dir(out);
        }
    }
    written
}

/// The files of the sets of features in a folder.
pub(super) struct Written<'a> {
    out: &'a Path,
    files: Vec<String>,
    /// Those of an earlier call.
    earlier: Vec<String>,
}

impl<'a> Written<'a> {
    /// Before the files of these sets are written into `out`.
    pub(super) fn begin(out: &'a Path, names: impl Iterator<Item = &'static str>) -> Result<Self> {
        let files: Vec<_> = names
            .flat_map(|name| [format!("{name}.npy"), format!("{name}.csv")])
            .collect();
        let mut earlier = source::written(out, VERB);
        earlier.retain(|name| !files.contains(name));
        source::note_written(out, VERB, &[&files[..], &earlier].concat())?;
        Ok(Written { out, files, earlier })
    }

    /// When they are: what is there of another data set would be taken for parts of this one.
    pub(super) fn end(self) -> Result<()> {
        source::remove_written(self.out, &self.earlier)?;
        Ok(source::note_written(self.out, VERB, &self.files)?)
    }
}

/// The parts of a data set that have labels, by name, or all labelled images.
pub(super) fn sets(path: &Path, label_level: Option<usize>) -> Result<Vec<(&'static str, Catalog)>> {
    let Parts {
        train,
        validation,
        test,
        whole,
        ..
    } = catalog::open_parts_at(path, label_level)?;
    let named = NAMES.into_iter().zip([train, validation, test, whole]);
    let sets = named.filter_map(|(name, catalog)| Some((name, catalog?)));
    let sets: Vec<_> = sets.filter(|(_, catalog)| !catalog.items.is_empty()).collect();
    match sets.is_empty() {
        true => Err(pelage_data::Error::NoLabels {
            path: path.into(),
            nested: None,
        }
        .into()),
        false => Ok(sets),
    }
}
