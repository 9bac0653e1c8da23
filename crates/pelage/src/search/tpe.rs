//! The tree-structured Parzen estimator (Bergstra et al. 2011), one setting after the other: what the best trials have
//! in common, and the others have not. Densities are those of Optuna's `TPESampler(multivariate=False)`.
//!
//! Compared with its defaults over many simulated searches of a built-in space: a quarter of the trials are the best
//! ones, since a tenth is one or two trials for long, which are then imitated; and settings are drawn one by one, so
//! that a trial can have some of one good trial and some of another.

use pelage_model::networks::summary::layers;
use rand_chacha::ChaCha8Rng;

use super::choosing::Choosing;
use super::parzen::Parzen;
use super::space::{Parameters, Setting};
use super::study::{Metric, State, Trial, best_first};
use crate::train::Recipe;

/// Trials before there is anything to learn from: these are random.
pub const FIRST: usize = 10;
/// Candidates of which the most promising is taken.
const CANDIDATES: usize = 24;
/// The share of trials that are the best ones, and the most of them.
const BEST: f64 = 0.25;
const MOST: usize = 25;

/// The `count` best trials by their values so far and the others, each in the order of their numbers. Those that are
/// still trained count among the others, so that several processes do not try the same ("constant liar").
///
/// Optuna puts trials that came to their end before all that did not. But the end may be an early one, of a trial that
/// learnt nothing, while a paused one is only the fourth best of eleven.
pub fn split(trials: &[Trial], metric: Metric, count: usize) -> (Vec<&Trial>, Vec<&Trial>) {
    let mut best = best_first(trials, metric);
    best.retain(|trial| trial.state != State::Running);
    let mut others = best.split_off(count.min(best.len()));
    others.extend(trials.iter().filter(|trial| trial.state == State::Running));
    best.sort_by_key(|trial| trial.number);
    others.sort_by_key(|trial| trial.number);
    (best, others)
}

/// Settings for a new trial; `uniform` draws while there is nothing to learn from.
pub fn suggest(
    choosing: &Choosing,
    trials: &[Trial],
    random: &mut ChaCha8Rng,
    uniform: impl Fn(&Setting, &mut ChaCha8Rng) -> f64,
) -> Parameters {
    let &Choosing {
        space,
        base,
        metric,
        by_time,
        ..
    } = choosing;
    let learnt = best_first(trials, metric);
    let learnt = learnt.iter().filter(|trial| trial.state != State::Running).count();
    if learnt < FIRST {
        return space.choose(base, |setting| uniform(setting, random));
    }
    let count = ((BEST * learnt as f64).ceil() as usize).min(MOST);
    let (best, others) = split(trials, metric, count);
    let share = count as f64 / learnt as f64;
    let mut recipe = base.clone();
    space.choose(base, |setting| {
        let [good, rest] = [&best, &others].map(|trials| {
            let observed: Vec<f64> = trials.iter().filter_map(|trial| number(trial, setting)).collect();
            Parzen::new(&setting.distribution, &observed)
        });
        let mut found = (f64::NEG_INFINITY, good.sample(random));
        for _ in 0..CANDIDATES {
            let candidate = good.sample(random);
            let gain = improvement(good.log_density(candidate) - rest.log_density(candidate), share);
            let worth = gain
                - if by_time {
                    effort(&with(&recipe, setting, candidate)).ln()
                } else {
                    0.0
                };
            if worth > found.0 {
                found = (worth, candidate);
            }
        }
        recipe = with(&recipe, setting, found.1);
        found.1
    })
}

/// What a trial has of a setting; nothing where it was chosen from other values.
fn number(trial: &Trial, setting: &Setting) -> Option<f64> {
    let same = trial.distributions.get(&setting.name) == Some(&setting.distribution);
    trial.parameters.get(&setting.name).copied().filter(|_| same)
}

/// The logarithm of the expected improvement, but for what is the same for all candidates: `gain` is the logarithm of
/// how much likelier a value is among the best trials, which are `share` of all (Bergstra et al. 2011, section 4.1).
fn improvement(gain: f64, share: f64) -> f64 {
    -(share + (1.0 - share) * (-gain).exp()).ln()
}

/// `recipe` with one more setting, as far as that fits to those that are not chosen yet.
fn with(recipe: &Recipe, setting: &Setting, value: f64) -> Recipe {
    let mut changed = recipe.clone();
    match changed.assign(&setting.name, &setting.distribution.text(value)) {
        Ok(()) => changed,
        Err(_) => recipe.clone(),
    }
}

/// How long an image takes, as far as the network tells: multiply-adds. Times would differ from machine to machine, and
/// with what else a machine does. The same for all heads on features; infinite for what cannot be trained.
fn effort(recipe: &Recipe) -> f64 {
    if recipe.validate().is_err() {
        return f64::INFINITY;
    }
    if recipe.learns_from_features() {
        return 1.0;
    }
    let side = recipe.image_size as usize;
    let layers = layers(recipe.model, [side, side], 2);
    layers
        .iter()
        .map(|layer| layer.multiply_adds as f64)
        .sum::<f64>()
        .max(1.0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rand::SeedableRng;

    use super::super::space::Space;
    use super::*;

    #[test]
    fn an_early_end_is_no_merit() {
        let trials = [
            Trial::of(0, State::Complete, &[0.69; 6]),
            Trial::of(1, State::Waiting, &[0.68, 0.6, 0.55]),
            Trial::of(2, State::Complete, &[0.5; 27]),
            Trial::of(3, State::Waiting, &[0.692]),
            Trial::of(4, State::Running, &[]),
            Trial::of(5, State::Failed, &[0.1]),
        ];
        let (best, others) = split(&trials, Metric::ValidationLoss, 2);
        let numbers = |trials: Vec<&Trial>| trials.iter().map(|trial| trial.number).collect::<Vec<_>>();
        assert_eq!((numbers(best), numbers(others)), (vec![1, 2], vec![0, 3, 4]));
    }

    #[test]
    fn of_networks_that_are_as_good_the_cheaper_one_is_tried_where_time_counts() {
        let mut base = Recipe::default();
        base.set("model", "cnn").unwrap();
        let space = Space::read("[kernel]\nchoices = [3, 5]\n", &base).unwrap();
        let setting = &space.settings[0];
        let trials: Vec<Trial> = (0..20)
            .map(|number| Trial {
                parameters: BTreeMap::from([("kernel".into(), ((number + 1) % 2) as f64)]),
                distributions: BTreeMap::from([("kernel".into(), setting.distribution.clone())]),
                ..Trial::of(number, State::Complete, &[0.01 * number as f64])
            })
            .collect();
        let large = |by_time| {
            let choosing = Choosing {
                space: &space,
                base: &base,
                metric: Metric::ValidationLoss,
                seed: 0,
                by_time,
            };
            let chosen = |seed| {
                let mut random = ChaCha8Rng::seed_from_u64(seed);
                suggest(&choosing, &trials, &mut random, |_, _| unreachable!())["kernel"]
            };
            (0..20).map(chosen).sum::<f64>()
        };
        // Three of the five best are of the large kernel.
        assert_eq!((large(false), large(true)), (20.0, 0.0));
    }

    #[test]
    fn no_value_promises_more_than_what_only_the_best_have() {
        let gains = [-3.0, 0.0, 2.0, 700.0, f64::INFINITY].map(|gain| improvement(gain, 0.25));
        assert!(gains.is_sorted() && gains[1] == 0.0);
        assert!((gains[4] - 4f64.ln()).abs() < 1e-12 && gains[3].is_finite());
    }
}
