//! The tree-structured Parzen estimator (Bergstra et al. 2011), with the defaults of Optuna's `TPESampler`: what the
//! best trials have in common, and the others have not.

use rand_chacha::ChaCha8Rng;

use super::distribution::Distribution;
use super::parzen::Parzen;
use super::space::{Parameters, Setting, Space};
use super::study::{Metric, State, Trial, ranked};
use crate::train::Recipe;

/// Trials before there is anything to learn from: these are random.
pub const FIRST: usize = 10;
/// Candidates of which the likeliest to be good is taken.
const CANDIDATES: usize = 24;

/// How many of `count` trials are the best ones.
pub fn best_of(count: usize) -> usize {
    count.div_ceil(10).min(25)
}

/// The best trials and the others, each in the order of their numbers. Those that are still trained count among the
/// others, so that several processes do not try the same ("constant liar").
pub fn split(trials: &[Trial], metric: Metric) -> (Vec<&Trial>, Vec<&Trial>) {
    let mut order = ranked(trials, metric);
    order.retain(|trial| trial.state != State::Running);
    let mut others = order.split_off(best_of(order.len()).min(order.len()));
    let mut best = order;
    others.extend(trials.iter().filter(|trial| trial.state == State::Running));
    best.sort_by_key(|trial| trial.number);
    others.sort_by_key(|trial| trial.number);
    (best, others)
}

/// Settings for a new trial: those that all trials have had are drawn together, the others one by one. `random` draws
/// what there is nothing to learn from.
pub fn suggest(
    space: &Space,
    base: &Recipe,
    trials: &[Trial],
    metric: Metric,
    random: &mut ChaCha8Rng,
    uniform: impl Fn(&Setting, &mut ChaCha8Rng) -> f64,
) -> Parameters {
    let (best, others) = split(trials, metric);
    let learnt = ranked(trials, metric);
    if learnt.iter().filter(|trial| trial.state != State::Running).count() < FIRST {
        return space.choose(base, |setting| uniform(setting, random));
    }
    let shared: Vec<&Setting> = space
        .settings
        .iter()
        .filter(|setting| learnt.iter().all(|trial| number(trial, setting).is_some()))
        .collect();
    let together = draw(&shared, &best, &others, random);
    space.choose(base, |setting| {
        match shared.iter().position(|one| one.name == setting.name) {
            Some(place) => together[place],
            None => draw(&[setting], &best, &others, random)[0],
        }
    })
}

/// What a trial has of a setting; nothing where it was chosen from other values.
fn number(trial: &Trial, setting: &Setting) -> Option<f64> {
    let same = trial.distributions.get(&setting.name) == Some(&setting.distribution);
    trial.parameters.get(&setting.name).copied().filter(|_| same)
}

/// One number inside for each of `settings`: of some that the best trials make likely, the one that the others make
/// least likely.
fn draw(settings: &[&Setting], best: &[&Trial], others: &[&Trial], random: &mut ChaCha8Rng) -> Vec<f64> {
    let distributions: Vec<Distribution> = settings.iter().map(|one| one.distribution.clone()).collect();
    let observed = |trials: &[&Trial]| -> Vec<Vec<f64>> {
        let of = |trial: &&Trial| {
            let numbers = settings.iter().map(|one| number(trial, one));
            numbers.collect::<Option<Vec<_>>>()
        };
        trials.iter().filter_map(of).collect()
    };
    let [good, rest] = [best, others].map(|trials| Parzen::new(&distributions, &observed(trials)));
    let mut found = (f64::NEG_INFINITY, good.sample(random));
    for _ in 0..CANDIDATES {
        let candidate = good.sample(random);
        let gain = good.log_density(&candidate) - rest.log_density(&candidate);
        if gain > found.0 {
            found = (gain, candidate);
        }
    }
    found.1
}
