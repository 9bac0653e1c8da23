//! The learning-rate range test (Smith 2017, section 3.3): a throw-away network is trained for some steps while the
//! rate rises from far too small to far too large; where its loss falls, a rate is good.

use burn::tensor::Device;

use super::recipe::Recipe;
use super::samples::Data;
use super::start::{Start, copy};
use super::step::Learner;
use crate::{Error, Result};

/// The first rate, and the last.
const RATES: [f64; 2] = [1e-6, 10.0];
/// Share of the smoothed loss that is kept at each step.
const SMOOTHING: f64 = 0.95;
/// It ends where the loss is so many times the lowest.
const DIVERGED: f64 = 4.0;
/// Steps at the beginning, whose loss is that of the first weights, and at the end, where it explodes, which suggest
/// nothing: one in so many.
const MARGIN: usize = 10;

/// One step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// The learning rate.
    pub rate: f64,
    /// The loss of the training images so far, smoothed, before the step.
    pub loss: f64,
}

/// What rates suggest themselves, each by a rule of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Suggestions {
    /// In the middle of the longest fall of the loss: the most robust, and the one to take.
    pub valley: f64,
    /// Where the loss falls most steeply.
    pub steepest: f64,
    /// A tenth of where it is lowest.
    pub minimum_over_ten: f64,
}

/// Trains a copy of the network of `start` for at most `steps` steps by `recipe`, but for the learning rate, which
/// rises geometrically. `observe` is told the number of each step, and stops the test by `false`.
///
/// # Errors
/// Images that can no longer be read.
pub fn range_test(
    recipe: &Recipe,
    start: &Start,
    data: &Data,
    device: &Device,
    steps: usize,
    observe: &mut dyn FnMut(usize) -> bool,
) -> Result<Vec<Point>> {
    // What is averaged is not what is trained.
    let recipe = Recipe {
        ema_momentum: 0.0,
        average_last: 0.0,
        ..recipe.clone()
    };
    let mut learner = Learner::new(&recipe, copy(&start.network)?, data, device);
    let side = recipe.side(0);
    let shape = data.train.shape_at(side);
    let mut source = (0..).flat_map(|epoch| data.train.batches(recipe.training_pass(epoch, side)));
    let (mut points, mut smoothed, mut lowest) = (Vec::with_capacity(steps), 0.0, f64::INFINITY);
    for step in 0..steps {
        let rate = RATES[0] * (RATES[1] / RATES[0]).powf(step as f64 / (steps.max(2) - 1) as f64);
        let batches = source.by_ref().take(recipe.accumulate);
        let learnt = match learner.step(batches, shape, step as u64, rate) {
            Ok((next, learnt)) => {
                learner = next;
                learnt
            }
            // As it must, sooner or later.
            Err(Error::Diverged { .. }) => break,
            Err(failure) => return Err(failure),
        };
        smoothed = SMOOTHING * smoothed + (1.0 - SMOOTHING) * learnt.loss;
        // The mean of fewer steps at first.
        let loss = smoothed / (1.0 - SMOOTHING.powi(step as i32 + 1));
        points.push(Point { rate, loss });
        lowest = f64::min(lowest, loss);
        if loss > DIVERGED * lowest || !observe(step + 1) {
            break;
        }
    }
    Ok(points)
}

/// The rates that the test suggests; `None` if it has too few steps, or the loss did not fall.
pub fn suggestions(points: &[Point]) -> Option<Suggestions> {
    let margin = points.len() / MARGIN;
    let points = &points[margin..points.len() - margin];
    let slopes = points.windows(2).map(|pair| {
        let slope = (pair[1].loss - pair[0].loss) / (pair[1].rate / pair[0].rate).ln();
        (slope, pair[0].rate)
    });
    let (slope, steepest) = slopes.min_by(|a, b| a.0.total_cmp(&b.0))?;
    let lowest = points.iter().min_by(|a, b| a.loss.total_cmp(&b.loss))?;
    (slope < 0.0).then_some(Suggestions {
        valley: valley(points)?,
        steepest,
        minimum_over_ten: lowest.rate / 10.0,
    })
}

/// In the middle of the longest falling subsequence of losses, much as fastai's `valley`: what rises in between, by
/// chance, does not end it.
fn valley(points: &[Point]) -> Option<f64> {
    // Length of the longest falling subsequence that ends at each point.
    let mut lengths = vec![1; points.len()];
    for i in 1..points.len() {
        let before = (0..i).filter(|&j| points[j].loss > points[i].loss);
        lengths[i] = 1 + before.map(|j| lengths[j]).max().unwrap_or(0);
    }
    let end = (0..lengths.len()).rev().max_by_key(|&i| lengths[i])?;
    let length = lengths[end];
    let begin = end + 1 - length;
    Some(points[begin + length / 2].rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Losses over rates that double.
    fn points(losses: &[f64]) -> Vec<Point> {
        let rates = (0..).map(|i| 2f64.powi(i));
        rates.zip(losses).map(|(rate, &loss)| Point { rate, loss }).collect()
    }

    #[test]
    fn rates_are_suggested_where_the_loss_falls() {
        let found = suggestions(&points(&[9.0, 9.0, 8.0, 5.0, 4.0, 3.0, 6.0])).unwrap();
        // Falling from the second point to the sixth, whose middle is the fourth; steepest from the third on; lowest at
        // the sixth.
        assert_eq!((found.steepest, found.minimum_over_ten), (4.0, 3.2));
        assert_eq!(found.valley, 8.0);
        // A bump is no end: the falling subsequence goes over it.
        let found = suggestions(&points(&[9.0, 8.0, 7.0, 7.5, 6.0, 5.0, 4.0])).unwrap();
        assert_eq!(found.valley, 16.0);
        for nothing in [&[][..], &[1.0], &[1.0, 2.0, 3.0], &[2.0, 2.0]] {
            assert_eq!(suggestions(&points(nothing)), None, "{nothing:?}");
        }
    }

    #[test]
    fn what_explodes_at_the_end_and_stands_at_the_beginning_suggests_nothing() {
        let mut losses = vec![3.0; 2];
        losses.extend((0..16).map(|i| 3.0 - 0.1 * f64::from(i)));
        losses.extend([0.01, 50.0]);
        // One in ten of twenty, two at either side.
        let found = suggestions(&points(&losses)).unwrap();
        assert_eq!(found.minimum_over_ten, 2f64.powi(17) / 10.0);
    }
}
