//! Training without a folder: images in, a model out.

use burn::tensor::Device;
use pelage_data::cache::CacheMode;
use pelage_model::networks::Network;

use super::checkpoint::Snapshot;
use super::events::{Control, Event};
use super::facts::facts;
use super::keep::Keep;
use super::outcome::Outcome;
use super::progress::Progress;
use super::ranks::Ranks;
use super::recipe::Recipe;
use super::samples::{Data, Sets};
use super::{fit, start};
use crate::{Model, Result};

/// Keeps only the best network.
struct Best<'a> {
    recipe: &'a Recipe,
    data: &'a Data,
    model: Option<Model>,
}

impl Keep for Best<'_> {
    fn checkpoint(&mut self, _take: &dyn Fn() -> Snapshot) -> Result<()> {
        Ok(())
    }

    fn best(&mut self, networks: Vec<Network>, progress: &Progress) -> Result<()> {
        let settings = serde_json::to_value(self.recipe).unwrap_or_default();
        let folded = networks.iter().map(|network| network.folded(|_| true)).collect();
        self.model = Some(Model::new(folded, facts(self.recipe, progress, self.data, settings)));
        Ok(())
    }
}

/// Trains by `recipe` on the images of `sets`, wherever they come from, and returns the model of the best epoch.
/// Nothing is written, except decoded images or features by `cache`.
///
/// # Errors
/// Settings or images that training cannot use, a loss that became NaN, or a stop by `observe` before the end of the
/// first epoch.
pub fn train(
    recipe: &Recipe,
    sets: &Sets,
    cache: CacheMode,
    device: &Device,
    observe: &mut dyn FnMut(&Event) -> Control,
) -> Result<(Model, Outcome)> {
    recipe.validate()?;
    recipe.check_augmentation()?;
    let (start, data) = start::open(recipe, sets, cache, device, &|_| {})?;
    let mut best = Best {
        recipe,
        data: &data,
        model: None,
    };
    let outcome = fit(recipe, &start, &data, device, None, &mut best, observe, &Ranks::alone())?;
    match best.model {
        Some(model) => Ok((model, outcome)),
        None => Err(pelage_data::Error::Stopped.into()),
    }
}
