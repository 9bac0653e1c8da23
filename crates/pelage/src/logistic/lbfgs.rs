//! Minimizes a smooth convex function by limited-memory BFGS (Nocedal and Wright 2006, algorithm 7.5).
//!
//! Written here because argmin, the one crate that has it, brings traits and a matrix library of its own for these
//! lines, and its vectors are summed in an order that it does not promise.

use std::collections::VecDeque;

/// Pairs of steps and changes of the gradient that stand for the curvature.
const MEMORY: usize = 10;
/// A step must gain this share of what the slope promises, and leave at most that share of the slope: the weak Wolfe
/// conditions.
const GAIN: f64 = 1e-4;
const SLOPE: f64 = 0.9;
/// Trials of a length before the minimum is taken to be as near as rounding lets it be.
const TRIALS: usize = 40;

/// A point where the largest value of the gradient is at most `tolerance`, or the last of `most` steps from `at`;
/// `function` writes the gradient and returns the value.
pub(super) fn minimize(
    mut at: Vec<f64>,
    tolerance: f64,
    most: usize,
    mut function: impl FnMut(&[f64], &mut [f64]) -> f64,
) -> Vec<f64> {
    let mut gradient = vec![0.0; at.len()];
    let mut value = function(&at, &mut gradient);
    let mut pairs: VecDeque<Pair> = VecDeque::with_capacity(MEMORY);
    for _ in 0..most {
        if gradient.iter().all(|slope| slope.abs() <= tolerance) {
            break;
        }
        let direction = descent(&gradient, &pairs);
        let slope = dot(&direction, &gradient);
        // Without curvature the length of the gradient says nothing of that of the step.
        let first = match pairs.is_empty() {
            true => 1.0 / dot(&gradient, &gradient).sqrt().max(1.0),
            false => 1.0,
        };
        let (mut next, mut next_gradient) = (at.clone(), gradient.clone());
        let (mut low, mut high, mut length, mut found) = (0.0, f64::INFINITY, first, None);
        for _ in 0..TRIALS {
            for ((next, at), along) in next.iter_mut().zip(&at).zip(&direction) {
                *next = at + length * along;
            }
            let there = function(&next, &mut next_gradient);
            // Not a number is too far as well.
            let gains = there <= value + GAIN * length * slope;
            if !gains {
                high = length;
            } else if dot(&direction, &next_gradient) < SLOPE * slope {
                low = length;
            } else {
                found = Some(there);
                break;
            }
            length = if high.is_finite() {
                (low + high) / 2.0
            } else {
                2.0 * low
            };
        }
        let Some(there) = found else { break };
        let step = difference(&next, &at);
        let change = difference(&next_gradient, &gradient);
        if pairs.len() == MEMORY {
            pairs.pop_front();
        }
        pairs.push_back(Pair {
            inverse: 1.0 / dot(&step, &change),
            step,
            change,
        });
        (at, gradient, value) = (next, next_gradient, there);
    }
    at
}

/// A step and the change of the gradient over it, with one by their product, which is positive.
struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
    inverse: f64,
}

/// The direction of quasi-Newton descent: two loops over the pairs.
fn descent(gradient: &[f64], pairs: &VecDeque<Pair>) -> Vec<f64> {
    let mut direction: Vec<f64> = gradient.iter().map(|slope| -slope).collect();
    let mut shares = Vec::with_capacity(pairs.len());
    for pair in pairs.iter().rev() {
        let share = pair.inverse * dot(&pair.step, &direction);
        add(&mut direction, -share, &pair.change);
        shares.push(share);
    }
    if let Some(last) = pairs.back() {
        let scale = 1.0 / (last.inverse * dot(&last.change, &last.change));
        direction.iter_mut().for_each(|value| *value *= scale);
    }
    for (pair, share) in pairs.iter().zip(shares.into_iter().rev()) {
        let other = pair.inverse * dot(&pair.change, &direction);
        add(&mut direction, share - other, &pair.step);
    }
    direction
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(to: &mut [f64], factor: f64, other: &[f64]) {
    to.iter_mut().zip(other).for_each(|(to, other)| *to += factor * other);
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_minimum_of_a_narrow_valley() {
        // Curvatures from 1 to 10,000, along axes that are not those of the variables.
        let count = 20;
        let residual = |x: &[f64], i: usize| x[i] - 0.5 * x[(i + 1) % count] - i as f64;
        let weight = |i: usize| 10f64.powf(4.0 * i as f64 / (count - 1) as f64);
        let found = minimize(vec![0.0; count], 1e-8, 1000, |x, gradient| {
            gradient.fill(0.0);
            let mut value = 0.0;
            for i in 0..count {
                let rest = residual(x, i);
                value += 0.5 * weight(i) * rest * rest;
                gradient[i] += weight(i) * rest;
                gradient[(i + 1) % count] -= 0.5 * weight(i) * rest;
            }
            value
        });
        for i in 0..count {
            assert!(residual(&found, i).abs() < 1e-7, "{i}: {}", residual(&found, i));
        }
    }
}
