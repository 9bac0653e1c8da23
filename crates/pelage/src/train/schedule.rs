//! Learning-rate schedules: pure functions of the step.

use std::f64::consts::PI;

use super::progress::Progress;
use super::recipe::{Recipe, Schedule};

/// What a schedule needs to know about a run.
pub struct Scheduler {
    kind: Schedule,
    base: f64,
    epochs: usize,
    total: f64,
    warm_up: f64,
}

impl Scheduler {
    /// The schedule of `recipe` with `batches` steps per epoch.
    pub fn new(recipe: &Recipe, batches: usize) -> Self {
        Scheduler {
            kind: recipe.schedule,
            base: recipe.learning_rate,
            epochs: recipe.epochs,
            total: (recipe.epochs * batches).max(1) as f64,
            warm_up: recipe.warm_up * batches as f64,
        }
    }

    /// The learning rate of step `step`, counted from 0 over the whole run.
    pub fn rate(&self, step: u64, progress: &Progress) -> f64 {
        let done = step as f64 / self.total;
        let cosine = |from: f64, to: f64, t: f64| to + (from - to) * 0.5 * (1.0 + (PI * t).cos());
        // The first step already has a rate above 0, the last warm-up step the full rate.
        let warmth = ((step + 1) as f64 / self.warm_up.max(1.0)).min(1.0);
        warmth
            * match self.kind {
                Schedule::Constant => self.base,
                Schedule::TimeDecay => self.base / (1.0 + self.base / self.epochs as f64 * step as f64),
                Schedule::Cosine => cosine(self.base, 0.0, done),
                // From the end of the warm-up on.
                Schedule::Linear => {
                    let left = (self.total - step as f64) / (self.total - self.warm_up).max(1.0);
                    self.base * left.clamp(0.0, 1.0)
                }
                // Divided by 10 after each third of the run.
                Schedule::Step => self.base * 0.1f64.powi((done * 3.0) as i32),
                // Smith 2018 as in fastai: up from 1/25 in the first 30 %, down to 1/100,000.
                Schedule::OneCycle if done < 0.3 => cosine(self.base / 25.0, self.base, done / 0.3),
                Schedule::OneCycle => cosine(self.base, self.base / 1e5, (done - 0.3) / 0.7),
                // Halved after each consecutive epoch without improvement of the validation loss.
                Schedule::Plateau => self.base * 0.5f64.powi(progress.plateaus as i32),
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(schedule: Schedule, step: u64) -> f64 {
        let recipe = Recipe {
            schedule,
            epochs: 10,
            ..Recipe::default()
        };
        Scheduler::new(&recipe, 100).rate(step, &Progress::default())
    }

    #[test]
    fn schedules_have_their_shapes() {
        assert_eq!(rate(Schedule::Constant, 999), 0.01);
        // Keras's legacy SGD: lr / (1 + decay * t), decay = lr / epochs.
        assert!((rate(Schedule::TimeDecay, 1000) - 0.01 / 2.0).abs() < 1e-12);
        assert!((rate(Schedule::Cosine, 500) - 0.005).abs() < 1e-12);
        assert!((rate(Schedule::Linear, 250) - 0.0075).abs() < 1e-12 && rate(Schedule::Linear, 1000) == 0.0);
        assert!((rate(Schedule::Step, 700) - 0.0001).abs() < 1e-12);
        assert!((rate(Schedule::OneCycle, 0) - 0.0004).abs() < 1e-12);
        assert!((rate(Schedule::OneCycle, 300) - 0.01).abs() < 1e-12);
        assert!(rate(Schedule::OneCycle, 999) < 1e-6);
    }

    #[test]
    fn a_line_falls_from_the_end_of_the_warm_up() {
        let recipe = Recipe {
            schedule: Schedule::Linear,
            epochs: 10,
            warm_up: 2.0,
            ..Recipe::default()
        };
        let scheduler = Scheduler::new(&recipe, 100);
        let rate = |step| scheduler.rate(step, &Progress::default());
        assert!((rate(99) - 0.005).abs() < 1e-12 && (rate(200) - 0.01).abs() < 1e-12);
        assert!((rate(600) - 0.005).abs() < 1e-12 && rate(999) > 0.0);
    }

    #[test]
    fn warm_up_rises_in_a_line_and_then_changes_nothing() {
        let recipe = Recipe {
            schedule: Schedule::Constant,
            warm_up: 2.0,
            ..Recipe::default()
        };
        let scheduler = Scheduler::new(&recipe, 100);
        let rate = |step| scheduler.rate(step, &Progress::default());
        assert!((rate(99) - 0.005).abs() < 1e-12 && rate(0) > 0.0);
        assert_eq!((rate(199), rate(5000)), (0.01, 0.01));
    }
}
