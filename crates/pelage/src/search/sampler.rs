//! Which settings are tried next.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::choosing::Choosing;
use super::distribution::Distribution;
use super::space::{Parameters, Setting, Space};
use super::study::Trial;
use super::tpe;
use crate::train::Recipe;
use crate::{Error, Result};

pelage_data::choices! {
    /// How settings are chosen.
    Sampler {
        /// By what good trials have in common, see [`super::tpe`].
        Tpe = "tpe",
        /// Evenly, by chance.
        Random = "random",
        /// All combinations of a few values each, in an order by chance.
        Grid = "grid",
    }
}

/// Values of a number in a grid, and the most combinations.
const GRID_VALUES: usize = 4;
const MOST_COMBINATIONS: usize = 20_000;

impl Sampler {
    /// The settings of trial `number`, a function of the seed, this number and `trials`; none where a grid has no more.
    ///
    /// # Errors
    /// A grid with too many combinations.
    pub fn next(self, choosing: &Choosing, trials: &[Trial], number: usize) -> Result<Option<Parameters>> {
        let &Choosing { space, base, seed, .. } = choosing;
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(number as u64);
        Ok(match self {
            Sampler::Random => Some(space.choose(base, |setting| uniform(setting, &mut random))),
            Sampler::Tpe => Some(tpe::suggest(choosing, trials, &mut random, uniform)),
            Sampler::Grid => {
                let mut all = grid(space, base)?;
                let untried = |one: &Parameters| trials.iter().all(|trial| trial.parameters != *one);
                all.retain(untried);
                match all.len() {
                    0 => None,
                    left => Some(all.swap_remove(random.random_range(0..left))),
                }
            }
        })
    }
}

fn uniform(setting: &Setting, random: &mut ChaCha8Rng) -> f64 {
    let distribution = &setting.distribution;
    let (low, high) = distribution.bounds();
    match distribution {
        Distribution::Categorical { choices } => random.random_range(0..choices.len()) as f64,
        // Half a step further at both ends, so that the first and the last value are as likely as the others.
        Distribution::Int { log: false, step, .. } => {
            let half = *step as f64 / 2.0;
            distribution.nearest(random.random_range(low - half..high + half))
        }
        Distribution::Int { .. } => {
            let ends = [low.exp() - 0.5, high.exp() + 0.5].map(f64::ln);
            distribution.nearest(random.random_range(ends[0]..ends[1]).exp())
        }
        Distribution::Float { log, .. } => {
            let drawn: f64 = random.random_range(low..=high);
            distribution.nearest(if *log { drawn.exp() } else { drawn })
        }
    }
}

/// Every combination, in the order of the settings; a setting that does not apply makes no difference.
fn grid(space: &Space, base: &Recipe) -> Result<Vec<Parameters>> {
    let mut all: Vec<Parameters> = vec![Parameters::new()];
    for setting in &space.settings {
        let mut longer = Vec::new();
        for chosen in &all {
            match space.applies(setting, base, chosen) {
                false => longer.push(chosen.clone()),
                true => longer.extend(setting.distribution.spread(GRID_VALUES).into_iter().map(|value| {
                    let mut more = chosen.clone();
                    more.insert(setting.name.clone(), value);
                    more
                })),
            }
            if longer.len() > MOST_COMBINATIONS {
                return Err(Error::Settings(format!(
                    "a grid of these {} settings has more than {MOST_COMBINATIONS} combinations; name fewer, or \
                     choose them at random",
                    space.settings.len()
                )));
            }
        }
        all = longer;
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::study::{Metric, State};
    use super::*;

    const TEXT: &str = "[optimizer]\nchoices = ['sgd', 'adam']\n[momentum]\nlow = 0.5\nhigh = 0.9\n\
                        when = { optimizer = 'sgd' }\n[learning_rate]\nlow = 0.0001\nhigh = 1.0\nlog = true\n";

    fn trial(space: &Space, number: usize, parameters: Parameters, value: f64) -> Trial {
        let of = |one: &Setting| (one.name.clone(), one.distribution.clone());
        Trial {
            number,
            state: State::Complete,
            parameters,
            distributions: space.settings.iter().map(of).collect(),
            values: BTreeMap::from([(1, value)]),
            notes: BTreeMap::new(),
            started: None,
            ended: None,
        }
    }

    /// Trials of a search whose loss is the distance of the learning rate from 0.01, and a penalty for adam.
    fn searched(sampler: Sampler, seed: u64, count: usize) -> Vec<Trial> {
        let base = Recipe::default();
        let space = Space::read(TEXT, &base).unwrap();
        let metric = Metric::ValidationLoss;
        let choosing = Choosing {
            space: &space,
            base: &base,
            metric,
            seed,
            by_time: false,
        };
        let mut trials = Vec::new();
        while let Some(chosen) = sampler.next(&choosing, &trials, trials.len()).unwrap() {
            let value = (chosen["learning_rate"].log10() + 2.0).abs() + chosen["optimizer"];
            trials.push(trial(&space, trials.len(), chosen, value));
            if trials.len() == count {
                break;
            }
        }
        trials
    }

    #[test]
    fn every_sampler_is_a_function_of_its_seed_and_what_it_knows() {
        for sampler in [Sampler::Tpe, Sampler::Random, Sampler::Grid] {
            assert_eq!(searched(sampler, 3, 20), searched(sampler, 3, 20));
            assert_ne!(searched(sampler, 3, 15), searched(sampler, 4, 15));
            for trial in searched(sampler, 3, 20) {
                assert_eq!(
                    trial.parameters.contains_key("momentum"),
                    trial.parameters["optimizer"] == 0.0
                );
                assert!((0.0001..=1.0).contains(&trial.parameters["learning_rate"]));
            }
        }
    }

    #[test]
    fn whatever_the_built_in_space_gives_can_be_trained() {
        let mut base = Recipe::default();
        base.set("model", "cnn").unwrap();
        let space = Space::built_in(&base).unwrap();
        let metric = Metric::ValidationLoss;
        let choosing = Choosing {
            space: &space,
            base: &base,
            metric,
            seed: 5,
            by_time: true,
        };
        for number in 0..300 {
            let chosen = Sampler::Random.next(&choosing, &[], number).unwrap().unwrap();
            space.recipe(&base, &chosen).unwrap();
        }
    }

    #[test]
    fn what_is_learnt_finds_better_settings_than_chance() {
        let mean_best = |sampler| {
            let best = |seed| {
                searched(sampler, seed, 40)
                    .iter()
                    .map(|one| one.value().unwrap())
                    .fold(9.0, f64::min)
            };
            (0..10).map(best).sum::<f64>() / 10.0
        };
        let (learnt, chance) = (mean_best(Sampler::Tpe), mean_best(Sampler::Random));
        assert!(learnt < 0.6 * chance, "{learnt} {chance}");
    }

    #[test]
    fn a_grid_has_each_combination_once() {
        let trials = searched(Sampler::Grid, 1, 1000);
        // With sgd four momenta and four rates, with adam four rates.
        assert_eq!(trials.len(), 20);
        for trial in &trials {
            let same = trials.iter().filter(|other| other.parameters == trial.parameters);
            assert_eq!(same.count(), 1);
        }
    }
}
