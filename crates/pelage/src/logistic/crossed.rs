//! Cross-validation: the strength of regularization that predicts rows best which it was not fitted on, and what is
//! predicted of these.

use std::collections::HashMap;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::problem::{Problem, Samples, log_sum};

/// The strengths to choose from, the strongest first: half powers of ten. Between two of them the loss hardly differs.
pub const STRENGTHS: [f64; 13] = [
    1e-1, 3.16e-2, 1e-2, 3.16e-3, 1e-3, 3.16e-4, 1e-4, 3.16e-5, 1e-5, 3.16e-6, 1e-6, 3.16e-7, 1e-7,
];
/// The strength where there is too little to choose by.
const UNCHOSEN: f64 = 1e-3;
/// Strengths without a gain before the weaker ones are given up: the loss has one valley, give or take its noise.
const PATIENCE: usize = 2;
/// The gradient at which a fit is good enough to be compared with others.
const TOLERANCE: f64 = 1e-5;
/// Steps of such a fit, at most, from the solution for a strength that is near.
const STEPS: usize = 200;
/// Parts that the rows are cut into.
const FOLDS: usize = 5;

/// A strength, and what it predicts of rows that the fit has not seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// See [`super::problem::fit`].
    pub strength: f64,
    /// Mean loss over all rows, each predicted by a fit without it; none if there was too little to cut into parts.
    pub loss: Option<f64>,
    /// The logits `[n, classes]` of these predictions; empty then.
    pub logits: Vec<f32>,
}

/// Chooses by cross-validation over `folds`, the part of each row.
pub fn choose(samples: &Samples, folds: &[usize]) -> Choice {
    let parts = folds.iter().max().map_or(0, |last| last + 1);
    let mut best = Choice {
        strength: UNCHOSEN,
        loss: None,
        logits: Vec::new(),
    };
    if parts < 2 {
        return best;
    }
    let rows: Vec<Vec<usize>> = (0..parts).map(|part| of(folds, |fold| fold != part)).collect();
    let problems: Vec<_> = rows.par_iter().map(|rows| Problem::new(samples, rows)).collect();
    let mut solutions: Vec<_> = problems.iter().map(Problem::start).collect();
    let mut waited = 0;
    for strength in STRENGTHS {
        // Each from the solution of the strength before, which is near.
        let work = problems.par_iter().zip(solutions);
        solutions = work
            .map(|(problem, start)| problem.solve(start, strength, TOLERANCE, STEPS))
            .collect();
        let (loss, logits) = predicted(samples, folds, &problems, &solutions);
        if best.loss.is_some_and(|best| loss >= best) {
            waited += 1;
            if waited == PATIENCE {
                break;
            }
            continue;
        }
        waited = 0;
        let loss = Some(loss);
        best = Choice { strength, loss, logits };
    }
    best
}

/// The mean loss of all rows, each predicted by the solution of its part, and the logits.
fn predicted(samples: &Samples, folds: &[usize], problems: &[Problem], solutions: &[Vec<f64>]) -> (f64, Vec<f32>) {
    let functions: Vec<_> = problems
        .iter()
        .zip(solutions)
        .map(|(problem, solution)| problem.coefficients(solution))
        .collect();
    let rows = (0..folds.len()).into_par_iter();
    let logits: Vec<Vec<f64>> = rows.map(|row| functions[folds[row]].logits(samples.row(row))).collect();
    let (mut sum, mut total) = (0.0, 0.0);
    for (logits, &label) in logits.iter().zip(samples.labels) {
        let weight = samples.weight(label);
        sum += weight * (log_sum(logits) - logits[label]);
        total += weight;
    }
    (
        sum / total,
        logits.into_iter().flatten().map(|logit| logit as f32).collect(),
    )
}

/// The part of each row, by `seed`: rows of one group are in one part, and each part has its share of every class. All
/// are 0 if some class has only one group, so that nothing can be told of it by the others.
pub fn folds(labels: &[usize], groups: &[usize], classes: usize, seed: u64) -> Vec<usize> {
    let mut members: HashMap<usize, Vec<usize>> = HashMap::new();
    for (row, &group) in groups.iter().enumerate() {
        members.entry(group).or_default().push(row);
    }
    let mut members: Vec<Vec<usize>> = members.into_values().collect();
    members.sort();
    let mut of_class = vec![0; classes];
    members.iter().for_each(|rows| of_class[labels[rows[0]]] += 1);
    let fewest = of_class.iter().copied().filter(|&groups| groups > 0).min();
    let parts = fewest.unwrap_or(0).min(FOLDS);
    let mut folds = vec![0; labels.len()];
    if parts < 2 {
        return folds;
    }
    members.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    // The largest first, while there is room to make up for them.
    members.sort_by_key(|rows| std::cmp::Reverse(rows.len()));
    let mut counts = vec![vec![0; parts]; classes];
    for rows in members {
        let own = labels[rows[0]];
        let total = |part: usize| counts.iter().map(|parts| parts[part]).sum::<usize>();
        let part = (0..parts)
            .min_by_key(|&part| (counts[own][part], total(part)))
            .unwrap_or(0);
        for row in rows {
            folds[row] = part;
            counts[labels[row]][part] += 1;
        }
    }
    folds
}

fn of(folds: &[usize], choose: impl Fn(usize) -> bool) -> Vec<usize> {
    (0..folds.len()).filter(|&row| choose(folds[row])).collect()
}
