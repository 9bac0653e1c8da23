//! Which images are kept for validation: seeded, stratified, duplicates and groups together.

use std::sync::Arc;

use rayon::prelude::*;

use super::stratified::Stratified;
use super::{Dataset, Subset, content, labels};
use crate::{Error, Result};

/// Splits a data set into train and validation: per class, `ratio` (0 to 1) of the images, rounded, goes to validation,
/// chosen by `seed` and content; byte-identical images stay on one side, whatever their class. An image that cannot be
/// read goes by its name.
///
/// # Errors
/// A ratio beyond 0 to 1; a class that cannot be split: one image, or all byte-identical.
pub fn split(dataset: Arc<dyn Dataset>, ratio: f64, seed: u64) -> Result<[Subset; 2]> {
    parted(dataset, None, ratio, seed)
}

/// As [`split`], where images of one group stay on one side as well: `groups` has a number for each image, any number,
/// the same for those of one group. Validation then has as near as can be to `ratio` of each class, and some of each.
///
/// # Errors
/// As [`split`]; another number of groups than of images; a class whose images are all of one group.
pub fn split_grouped(dataset: Arc<dyn Dataset>, groups: &[usize], ratio: f64, seed: u64) -> Result<[Subset; 2]> {
    parted(dataset, Some(groups), ratio, seed)
}

fn parted(dataset: Arc<dyn Dataset>, groups: Option<&[usize]>, ratio: f64, seed: u64) -> Result<[Subset; 2]> {
    let in_validation = validation_images(&*dataset, groups, ratio, seed)?;
    let side = |validation: bool| Subset {
        indices: (0..in_validation.len())
            .filter(|&index| in_validation[index] == validation)
            .collect(),
        dataset: dataset.clone(),
    };
    Ok([side(false), side(true)])
}

/// Refuses a share that is not between 0 and 1; `name` is the setting's.
pub(crate) fn check_share(name: &'static str, share: f64) -> Result<()> {
    match share > 0.0 && share < 1.0 {
        true => Ok(()),
        false => Err(Error::setting(name, share, "between 0 and 1")),
    }
}

/// Whether each image is for validation, see [`split`] and [`split_grouped`].
pub(crate) fn validation_images(
    dataset: &dyn Dataset,
    groups: Option<&[usize]>,
    ratio: f64,
    seed: u64,
) -> Result<Vec<bool>> {
    check_share("validation_split", ratio)?;
    let parts = stratified(dataset, groups, seed, |images| images.parts(&[ratio]))?;
    Ok(parts.into_iter().map(|part| part > 0).collect())
}

/// The fold of each image, from 0, where all of `folds`, 2 or more, have as near as can be the same number of images of
/// each class, and no two have images of the same content or group. An image that cannot be read goes by its name.
///
/// # Errors
/// Another number of groups than of images; a class that has too few images, or groups of them, for some of it to be in
/// each fold.
pub fn folds(dataset: &dyn Dataset, groups: Option<&[usize]>, folds: usize, seed: u64) -> Result<Vec<usize>> {
    stratified(dataset, groups, seed, |images| images.folds(folds.max(2)))
}

fn stratified(
    dataset: &dyn Dataset,
    groups: Option<&[usize]>,
    seed: u64,
    choose: impl FnOnce(&Stratified) -> Result<Vec<usize>>,
) -> Result<Vec<usize>> {
    if let Some(groups) = groups.filter(|groups| groups.len() != dataset.len()) {
        let (given, images) = (groups.len(), dataset.len());
        return Err(Error::Dataset(format!("{given} groups were given for {images} images")));
    }
    let hash = |index| content(dataset, index).unwrap_or_else(|_| blake3::hash(dataset.name(index).as_bytes()));
    let contents: Vec<_> = (0..dataset.len()).into_par_iter().map(hash).collect();
    choose(&Stratified {
        classes: dataset.classes(),
        labels: &labels(dataset)?,
        contents: &contents,
        groups,
        seed,
    })
}
