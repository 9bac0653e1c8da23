//! Which images a model was trained and validated on, and which part of a data set to evaluate on.

use std::path::{Path, PathBuf};

use pelage_data::catalog::{self, Catalog, Split};
use pelage_model::saved::Facts;

use super::config::Config;
use crate::train::facts::Training;
use crate::{Error, Result};

/// The images in `path` to evaluate on, see [`catalog::Parts::to_evaluate`].
///
/// # Errors
/// As there, and as [`catalog::open_parts`].
pub fn validation_part(path: &Path) -> Result<Catalog> {
    Ok(catalog::open_parts(path)?.to_evaluate()?.images)
}

/// The settings that the model of `facts` was trained with.
///
/// # Errors
/// A model file without them, or with those of an incompatible version of pelage.
pub fn settings(facts: &Facts) -> Result<Config> {
    Config::from_json(&Training::of(facts).settings).ok_or_else(unknown)
}

fn unknown() -> Error {
    Error::Images("the model file does not say which images it was trained on".into())
}

/// The images that the model of `facts` was trained and validated on.
///
/// # Errors
/// Images that are not where the settings say, relative to the working directory.
pub fn trained_on(facts: &Facts) -> Result<(PathBuf, Split)> {
    let config = settings(facts)?;
    // Images in memory.
    if config.data.as_os_str().is_empty() {
        return Err(unknown());
    }
    if !config.data.exists() {
        return Err(Error::Images(format!(
            "the images that the model was trained on are not at {} (relative to the working directory)",
            config.data.display()
        )));
    }
    let split = config.split()?;
    Ok((config.data, split))
}

/// The validation images that the models of all `facts` were validated on.
///
/// # Errors
/// Models of different images, or missing images.
pub fn common_validation(facts: &[&Facts]) -> Result<Catalog> {
    let all = facts.iter().map(|facts| settings(facts)).collect::<Result<Vec<_>>>()?;
    let Some(first) = all.first() else {
        return Err(Error::Settings("there is no run to compare".into()));
    };
    // The seed decides who is in a validation part that pelage split off.
    let same = all.iter().all(|config| {
        let seed = first.validation_split.is_none() || config.recipe.seed == first.recipe.seed;
        (&config.data, config.validation_split) == (&first.data, first.validation_split) && seed
    });
    if !same {
        return Err(Error::Images("the runs were validated on different images".into()));
    }
    Ok(trained_on(facts[0])?.1.validation)
}
