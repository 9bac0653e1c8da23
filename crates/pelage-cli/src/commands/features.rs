//! `pelage features`.

use std::path::{Path, PathBuf};

use clap::Args;
use pelage::data::cache::default_dir;
use pelage::data::catalog::{self, Catalog};
use pelage::features::Features;
use pelage::model::networks::{BACKBONES, Head};
use pelage::train::backbone::backbone;
use pelage::{Architecture, Error, Recipe};

use super::compute::Computing;
use super::train::Choosing;
use crate::failure::{Failure, Outcome};
use crate::options::one_of;
use crate::progress::Task;
use crate::table::{count, some};

/// What a pretrained network sees in pictures, as arrays for numpy
///
/// Writes NAME.npy (float32, one row a picture, in the order of NAME.csv: path, class, label) for each part of an organised
/// folder, else `features.npy`. Features are kept in the cache, so the next time they are there at once.
#[derive(Args)]
pub(super) struct Arguments {
    /// An organised folder, or any folder or zip of labelled pictures
    data: PathBuf,
    /// The network
    #[arg(long, value_name = "NAME", value_parser = one_of::<Architecture>(BACKBONES.map(Architecture::name)))]
    backbone: Architecture,
    /// The folder to write to
    #[arg(long, value_name = "FOLDER", default_value = "features")]
    out: PathBuf,
    #[command(flatten)]
    choosing: Choosing,
    /// Side of the square that pictures are brought to, in pixels [default: the backbone's]
    #[arg(long, value_name = "PX")]
    image_size: Option<u32>,
    #[command(flatten)]
    computing: Computing,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let transfer = arguments.choosing.transfer(arguments.backbone, Head::linear())?;
    let mut recipe = Recipe::transfer(arguments.backbone, transfer.clone());
    recipe.image_size = arguments.image_size.unwrap_or(recipe.image_size);
    recipe.validate()?;
    let device = arguments.computing.compute().open()?;
    let backbone = backbone(&transfer, &recipe, 2, &device)?;
    let network = backbone.network.folded(|_| true);
    let extractor = backbone.extractor(&transfer, &network);
    let mut text = String::new();
    for (name, catalog) in sets(&arguments.data)? {
        let task = Task::new();
        let features = Features::open(&catalog, &extractor, &default_dir(), &device, &|progress| {
            task.show(progress)
        });
        task.finish();
        let features = features?;
        features.write(&arguments.out, name)?;
        let [h, w, c] = features.shape();
        let at = arguments.out.join(name);
        text += &format!(
            "{0}.npy, {0}.csv: {1}, {h} x {w} x {c} each\n",
            at.display(),
            count(features.len(), "picture")
        );
        let skipped = features
            .unreadable()
            .iter()
            .map(|one| format!("{}: {}", one.path, one.reason));
        if !features.unreadable().is_empty() {
            text += &format!(
                "{} skipped:\n{}",
                count(features.unreadable().len(), "file"),
                some(skipped, 10)
            );
        }
    }
    Ok(text)
}

/// The parts of an organised folder by name, or all labelled pictures.
fn sets(path: &Path) -> Result<Vec<(&'static str, Catalog)>, Failure> {
    match catalog::open_dataset(path, None, 0) {
        Ok(split) => Ok(vec![("train", split.train), ("validation", split.validation)]),
        Err(failure) if path.join("train").is_dir() => Err(Error::from(failure).into()),
        Err(_) => Ok(vec![(
            "features",
            Catalog::from_source(path, None).map_err(Error::from)?,
        )]),
    }
}
