//! What a resumed run may change.

use std::path::PathBuf;

use pelage_data::cache::CacheMode;

use super::config::Config;
use crate::{Error, Result};

/// What a resumed run may change; any other change would make it another run.
#[derive(Clone, Debug, Default)]
pub struct Extension {
    /// More (or fewer) epochs.
    pub epochs: Option<usize>,
    /// Another patience.
    pub patience: Option<usize>,
    /// Another device; the weights then agree within rounding.
    pub device: Option<String>,
    /// Another number of CPU threads, which does not affect the weights.
    pub threads: Option<usize>,
    /// Another place for decoded images, which does not affect the weights.
    pub cache: Option<CacheMode>,
    /// Where the run's images lie now.
    pub data: Option<PathBuf>,
}

impl Extension {
    /// Refuses other epochs for a run that has planned by them: which sizes come when, and which weights are averaged.
    pub(super) fn check(&self, config: &Config) -> Result<()> {
        let recipe = &config.recipe;
        let planned = !recipe.image_sizes.is_empty() || recipe.average_last > 0.0;
        match self.epochs {
            Some(epochs) if planned && epochs != recipe.epochs => {
                let allowed = format!(
                    "{} as in its plan of sizes and averages; or begin a new run",
                    recipe.epochs
                );
                Err(Error::setting("epochs", epochs, allowed))
            }
            _ => Ok(()),
        }
    }

    /// The settings with these changes.
    pub(super) fn of(self, mut config: Config) -> Config {
        let (recipe, compute) = (&mut config.recipe, &mut config.compute);
        recipe.epochs = self.epochs.unwrap_or(recipe.epochs);
        recipe.patience = self.patience.unwrap_or(recipe.patience);
        compute.device = self.device.unwrap_or_else(|| compute.device.clone());
        compute.threads = self.threads.unwrap_or(compute.threads);
        compute.cache = self.cache.unwrap_or(compute.cache);
        if let Some(data) = self.data {
            config.data = std::path::absolute(&data).unwrap_or(data);
        }
        config
    }
}
