//! The tree-structured Parzen estimator is Optuna's, recorded by `fixtures/optuna/tpe.py`.

use std::collections::BTreeMap;

use pelage::search::distribution::Distribution;
use pelage::search::parzen::{Kernels, Parzen};
use pelage::search::study::{Metric, State, Trial};
use pelage::search::tpe;
use serde_json::Value;

fn recorded() -> Value {
    serde_json::from_str(include_str!("fixtures/optuna/tpe.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one.as_f64().unwrap())
        .collect()
}

fn rows(value: &Value) -> Vec<Vec<f64>> {
    value.as_array().unwrap().iter().map(numbers).collect()
}

fn assert_near(ours: &[f64], theirs: &[f64], tolerance: f64, what: &str) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (a, b) in ours.iter().zip(theirs) {
        assert!((a - b).abs() <= tolerance * b.abs().max(1.0), "{what}: {a} {b}");
    }
}

fn distribution(case: &Value) -> Distribution {
    serde_json::from_str(case["distribution"].as_str().unwrap()).unwrap()
}

#[test]
fn kernels_weights_and_densities_are_those_of_optuna() {
    let recorded = recorded();
    let cases = recorded["estimators"].as_array().unwrap();
    for case in cases {
        let distribution = distribution(case);
        let trials = numbers(&case["trials"]);
        let what = format!("{distribution:?}, {} trials", trials.len());
        let (parzen, theirs) = (Parzen::new(&distribution, &trials), &case["kernels"]);
        assert_near(&parzen.weights, &numbers(&case["weights"]), 1e-10, &what);
        match &parzen.kernels {
            Kernels::Normal { means, deviations, .. } => {
                assert_near(means, &numbers(&theirs["means"]), 1e-10, &what);
                assert_near(deviations, &numbers(&theirs["deviations"]), 1e-10, &what);
            }
            Kernels::Shares(shares) => {
                for (ours, theirs) in shares.iter().zip(rows(&theirs["shares"])) {
                    assert_near(ours, &theirs, 1e-10, &what);
                }
            }
        }
        let points = numbers(&case["points"]);
        let ours: Vec<f64> = points.iter().map(|&point| parzen.log_density(point)).collect();
        assert_near(&ours, &numbers(&case["log_densities"]), 1e-8, &what);
    }
    assert_eq!(cases.len(), 42);
}

#[test]
fn of_the_same_candidates_the_one_that_optuna_takes_has_most_to_gain() {
    let recorded = recorded();
    let cases = recorded["choices"].as_array().unwrap();
    for case in cases {
        let distribution = distribution(case);
        let [best, others] = ["best", "others"].map(|name| Parzen::new(&distribution, &numbers(&case[name])));
        let gain = |candidate: f64| best.log_density(candidate) - others.log_density(candidate);
        let most = numbers(&case["candidates"])
            .into_iter()
            .map(gain)
            .fold(f64::MIN, f64::max);
        let taken = gain(numbers(&case["chosen"])[0]);
        assert!((most - taken).abs() < 1e-9, "{distribution:?}: {most} {taken}");
    }
    assert_eq!(cases.len(), 21);
}

#[test]
fn the_best_trials_are_those_of_optuna() {
    for case in recorded()["splits"].as_array().unwrap() {
        let trial = |(number, one): (usize, &Value)| Trial {
            number,
            state: State::try_from(one["state"].as_u64().unwrap() as u8).unwrap(),
            parameters: BTreeMap::new(),
            distributions: BTreeMap::new(),
            values: one["values"]
                .as_object()
                .unwrap()
                .iter()
                .map(|(epoch, value)| (epoch.parse().unwrap(), value.as_f64().unwrap()))
                .collect(),
            notes: BTreeMap::new(),
            started: None,
            ended: None,
        };
        let trials: Vec<Trial> = case["trials"]
            .as_array()
            .unwrap()
            .iter()
            .enumerate()
            .map(trial)
            .collect();
        let count = case["count"].as_u64().unwrap() as usize;
        let (best, others) = tpe::split(&trials, Metric::ValidationLoss, count);
        let named = |trials: Vec<&Trial>| trials.iter().map(|trial| trial.number as f64).collect::<Vec<_>>();
        assert_eq!(named(best), numbers(&case["best"]));
        assert_eq!(named(others), numbers(&case["others"]));
    }
}
