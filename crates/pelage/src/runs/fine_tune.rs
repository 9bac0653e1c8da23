//! Two-stage fine-tuning: first the head on frozen features, then all unfrozen layers from there at a lower rate, as in
//! fastai (Howard and Gugger 2020).

use std::path::Path;

use pelage_data::Progress;

use super::config::Config;
use super::extension::Extension;
use super::run::{HEAD, Run};
use crate::Result;
use crate::train::Recipe;
use crate::train::transfer::{Transfer, Unfreeze};

/// The first stage of fine-tuning by `config` in `folder`: a run of the head alone in `folder/head`, new, or resumed if
/// it was interrupted. Also returns the settings of the second stage, for [`Run::create`] in `folder` once the first is
/// trained; without a backbone there is no first stage and the settings are returned as they are.
///
/// # Errors
/// Settings that the second stage cannot use; as [`Run::create`] and [`Run::resume`].
pub fn head_first(
    mut config: Config,
    folder: &Path,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<(Option<Run>, Config)> {
    let at = folder.join(HEAD);
    let Some(transfer) = &mut config.recipe.transfer else {
        return Ok((None, config));
    };
    let still = Transfer {
        unfreeze: Unfreeze::None,
        head_from: None,
        ..transfer.clone()
    };
    transfer.head_from = Some(at.clone());
    // Before the first stage has been trained for nothing.
    config.validate()?;
    let Recipe {
        model,
        image_size,
        resize_filter,
        batch_size,
        seed,
        ..
    } = config.recipe;
    let head = Config {
        recipe: Recipe {
            image_size,
            resize_filter,
            batch_size,
            seed,
            ..Recipe::transfer(model, still)
        },
        tensorboard: false,
        ..config.clone()
    };
    let again = Extension {
        device: Some(config.compute.device.clone()),
        threads: Some(config.compute.threads),
        cache: Some(config.compute.cache),
        ..Extension::default()
    };
    let run = match at.join("config.toml").exists() {
        true => Run::resume(&at, again, progress),
        false => Run::create(head, &at, progress),
    };
    Ok((Some(run?), config))
}
