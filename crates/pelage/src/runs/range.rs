//! The learning-rate range test of a run that is not begun: the same images, network and settings, and no folder.

use pelage_data::Progress;

use super::config::Config;
use crate::train::advice::loss_of_chance;
use crate::train::range_test::{self, Point};
use crate::train::start;
use crate::{Error, Result};

/// Steps of a test, unless others are asked for.
pub const STEPS: usize = 100;

/// What a test has found.
pub struct Tested {
    /// Its steps.
    pub points: Vec<Point>,
    /// The loss of always answering the shares of the classes, see [`loss_of_chance`].
    pub chance: Option<f64>,
}

impl Tested {
    /// The lowest loss.
    pub fn lowest(&self) -> f64 {
        self.points.iter().map(|point| point.loss).fold(f64::INFINITY, f64::min)
    }

    /// Whether the loss came below that of chance, where that is known.
    pub fn is_learnt(&self) -> Option<bool> {
        // Of few pictures, a batch may have less by luck.
        self.chance.map(|chance| self.lowest() < 0.98 * chance)
    }
}

/// Tests learning rates for the run that `config` describes, in at most so many steps. `progress` reports decoding;
/// `observe` is told the number of each step, and stops the test by `false`.
///
/// # Errors
/// As [`super::Run::create`]; a head that is solved, which takes no steps.
pub fn test_rates(
    config: &Config,
    steps: usize,
    progress: &(dyn Fn(Progress) + Sync),
    observe: &mut dyn FnMut(usize) -> bool,
) -> Result<Tested> {
    config.validate()?;
    config.recipe.check_augmentation()?;
    config.damaged.set();
    if config.recipe.is_solved() {
        return Err(Error::Settings(
            "a head that is solved to its optimum has no learning rate".into(),
        ));
    }
    let device = config.compute.open()?;
    let (split, _) = config.without_suspects(progress)?;
    let sets = config.sets(split, progress)?;
    let (start, data) = start::open(&config.recipe, &sets, config.compute.cache, &device, progress)?;
    Ok(Tested {
        points: range_test::range_test(&config.recipe, &start, &data, &device, steps, observe)?,
        chance: loss_of_chance(&config.recipe, &data.train),
    })
}
