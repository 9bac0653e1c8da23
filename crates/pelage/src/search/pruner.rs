//! When a trial is not worth more time, and which paused one is worth more after all.

use super::study::{Metric, State, Trial};

pelage_data::choices! {
    /// Which trials are cut short.
    Pruner {
        /// Hyperband (Li et al. 2018) over asynchronous successive halving (Li et al. 2020): trials pause after 3 or 9
        /// epochs, and the best third of those that came as far goes on for three times as long, from where it was.
        Hyperband = "hyperband",
        /// A trial that is worse than the median of the others after as many epochs ends.
        Median = "median",
        /// None.
        None = "none",
    }
}

/// The share of trials that goes on, and how much longer each does.
const ETA: usize = 3;
/// Epochs before the first look, if a trial may have so many that it is a ninth of them: after one, running averages of
/// the weights have hardly left chance, and who is ahead there says little about the end.
const FIRST_LOOK: usize = 3;
/// Trials that the median needs, and epochs before it counts.
const MEDIAN_TRIALS: usize = 5;

/// A plan for trials of at most `epochs` epochs.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How.
    pub pruner: Pruner,
    /// Of the longest trial.
    pub epochs: usize,
}

impl Plan {
    /// Epochs after which the longest bracket looks at its trials, their end not among them.
    fn looks(self) -> Vec<usize> {
        let first = match self.pruner {
            Pruner::Hyperband if self.epochs >= FIRST_LOOK * ETA => FIRST_LOOK,
            Pruner::Hyperband => 1,
            _ => return Vec::new(),
        };
        let looks = std::iter::successors(Some(first), |look| look.checked_mul(ETA));
        looks.take_while(|&look| look < self.epochs).collect()
    }

    /// The number of brackets: the first looks at its trials most often, each other a look later. None trains all of
    /// its trials to their end, which Hyperband has too: that is most of the time for few trials.
    pub fn brackets(self) -> usize {
        self.looks().len().max(1)
    }

    /// The bracket of a trial. A bracket that begins with a third of the epochs has three times as many trials, from
    /// the first trials on: the next trial goes where most is owed. The first trial of a search, its own settings, is
    /// trained to its end, behind all brackets.
    pub fn bracket(self, number: usize) -> usize {
        let brackets = self.brackets();
        if number == 0 {
            return brackets;
        }
        let share = |bracket: usize| ETA.pow((brackets - 1 - bracket) as u32);
        let total: usize = (0..brackets).map(share).sum();
        let (mut owed, mut chosen) = (vec![0isize; brackets], 0);
        for _ in 0..((number - 1) % total) + 1 {
            (0..brackets).for_each(|bracket| owed[bracket] += share(bracket) as isize);
            chosen = (0..brackets).rev().max_by_key(|&bracket| owed[bracket]).unwrap_or(0);
            owed[chosen] -= total as isize;
        }
        chosen
    }

    /// Epochs after which the trials of a bracket pause, the last one their end.
    pub fn rungs(self, bracket: usize) -> Vec<usize> {
        self.looks().into_iter().skip(bracket).chain([self.epochs]).collect()
    }

    /// The epoch at which a trial that has done `epochs` is looked at next.
    pub fn target(self, number: usize, epochs: usize) -> usize {
        let rungs = self.rungs(self.bracket(number));
        rungs.into_iter().find(|&rung| rung > epochs).unwrap_or(self.epochs)
    }

    /// The paused trial that is to go on: one that was stopped between two looks, else of the furthest one of the best
    /// third of those that came as far.
    pub fn promoted(self, trials: &[Trial], metric: Metric) -> Option<usize> {
        let unfinished = |trial: &&Trial| {
            let rungs = self.rungs(self.bracket(trial.number));
            trial.state == State::Waiting && trial.is_ours() && !rungs.contains(&trial.epochs())
        };
        if let Some(trial) = trials.iter().find(unfinished) {
            return Some(trial.number);
        }
        let mut looks: Vec<(usize, usize)> = (0..self.brackets())
            .flat_map(|bracket| self.rungs(bracket).into_iter().map(move |rung| (rung, bracket)))
            .filter(|&(rung, _)| rung < self.epochs)
            .collect();
        looks.sort_by_key(|&(rung, bracket)| (std::cmp::Reverse(rung), bracket));
        looks.into_iter().find_map(|(rung, bracket)| {
            let there = self.at(trials, metric, bracket, rung);
            let best = there.len() / ETA;
            let paused = |trial: &&&Trial| trial.state == State::Waiting && trial.epochs() == rung;
            there[..best].iter().find(paused).map(|trial| trial.number)
        })
    }

    /// Where nothing can go on by the rule and nothing has come to its end but the first trial: the best of those that
    /// came furthest, so that a search of few trials has an answer.
    pub fn last_resort(self, trials: &[Trial], metric: Metric) -> Option<usize> {
        let complete = |trial: &Trial| trial.state == State::Complete && trial.number > 0;
        if trials.iter().any(complete) {
            return None;
        }
        let paused = trials
            .iter()
            .filter(|trial| trial.state == State::Waiting && trial.is_ours());
        let best = paused.max_by(|a, b| {
            let score = |trial: &Trial| trial.value().map_or(f64::NEG_INFINITY, |value| -metric.score(value));
            a.epochs().cmp(&b.epochs()).then(score(a).total_cmp(&score(b)))
        });
        best.map(|trial| trial.number)
    }

    /// The trials of a bracket that have come to a rung, best first.
    fn at(self, trials: &[Trial], metric: Metric, bracket: usize, rung: usize) -> Vec<&Trial> {
        let of_bracket = trials.iter().filter(|trial| self.bracket(trial.number) == bracket);
        let mut there: Vec<(f64, &Trial)> = of_bracket
            .filter(|trial| trial.state != State::Failed)
            .filter_map(|trial| Some((metric.score(trial.value_at(rung)?), trial)))
            .collect();
        there.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.number.cmp(&b.1.number)));
        there.into_iter().map(|(_, trial)| trial).collect()
    }

    /// Whether a trial ends here for good, after `epoch` epochs with this value.
    pub fn is_hopeless(self, trials: &[Trial], metric: Metric, number: usize, epoch: usize, value: f64) -> bool {
        if self.pruner != Pruner::Median {
            return false;
        }
        let others = trials
            .iter()
            .filter(|trial| trial.number != number && trial.state != State::Failed);
        let mut scores: Vec<f64> = others
            .filter_map(|trial| Some(metric.score(trial.value_at(epoch)?)))
            .collect();
        scores.sort_by(f64::total_cmp);
        let middle = match scores.len() {
            count if count < MEDIAN_TRIALS => return false,
            count if count.is_multiple_of(2) => 0.5 * (scores[count / 2 - 1] + scores[count / 2]),
            count => scores[count / 2],
        };
        metric.score(value) > middle
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const LOSS: Metric = Metric::ValidationLoss;

    fn plan(epochs: usize) -> Plan {
        Plan {
            pruner: Pruner::Hyperband,
            epochs,
        }
    }

    fn trial(number: usize, state: State, values: &[f64]) -> Trial {
        Trial {
            notes: BTreeMap::from([("epochs_planned".into(), 27.into())]),
            ..Trial::of(number, state, values)
        }
    }

    #[test]
    fn brackets_have_their_shares_and_looks() {
        let plan = plan(27);
        assert_eq!(plan.brackets(), 2);
        let count = |bracket| (1..=40).filter(|&number| plan.bracket(number) == bracket).count();
        assert_eq!([0, 1].map(count), [30, 10]);
        let rungs: Vec<_> = (0..3).map(|bracket| plan.rungs(bracket)).collect();
        assert_eq!(rungs, [vec![3, 9, 27], vec![9, 27], vec![27]]);
        assert_eq!((plan.bracket(0), plan.target(0, 0)), (2, 27));
        let all = |epochs| {
            (0..self::plan(epochs).brackets())
                .map(|one| self::plan(epochs).rungs(one))
                .collect::<Vec<_>>()
        };
        assert_eq!(all(81)[0], [3, 9, 27, 81]);
        assert_eq!(all(20), [vec![3, 9, 20], vec![9, 20]]);
        assert_eq!(all(9), [[3, 9]]);
        assert_eq!(all(5), [vec![1, 3, 5], vec![3, 5]]);
        assert_eq!((all(2), all(1)), (vec![vec![1, 2]], vec![vec![1]]));
        let none = Plan {
            pruner: Pruner::None,
            epochs: 9,
        };
        assert_eq!((none.bracket(7), none.target(7, 0)), (0, 9));
    }

    #[test]
    fn the_best_third_goes_on_and_the_furthest_first() {
        let plan = plan(27);
        let mut first: Vec<usize> = (1..60).filter(|&number| plan.bracket(number) == 0).collect();
        first.truncate(9);
        let waiting = |number: usize, values: &[f64]| trial(number, State::Waiting, values);
        let mut trials: Vec<Trial> = (0..60).map(|number| trial(number, State::Failed, &[])).collect();
        for (i, &number) in first.iter().enumerate() {
            trials[number] = waiting(number, &[1.0 - 0.1 * i as f64; 3]);
        }
        assert_eq!(plan.promoted(&trials, LOSS), Some(first[8]));
        // Those that went on leave room for no more than three.
        for &number in &first[6..] {
            let value = trials[number].value_at(1).unwrap();
            trials[number] = waiting(number, &[value; 9]);
        }
        assert_eq!(plan.promoted(&trials, LOSS), Some(first[8]));
        trials[first[8]] = trial(first[8], State::Running, &[0.2; 9]);
        assert_eq!(plan.promoted(&trials, LOSS), None);
        // Higher is better.
        trials[first[8]].state = State::Waiting;
        assert_eq!(plan.promoted(&trials, Metric::ValidationAccuracy), Some(first[6]));
        // One that was stopped between two looks comes before all.
        trials[first[1]] = waiting(first[1], &[0.9; 4]);
        assert_eq!(plan.promoted(&trials, LOSS), Some(first[1]));
        assert_eq!((plan.target(first[1], 4), plan.target(first[1], 9)), (9, 27));
    }

    #[test]
    fn a_small_search_has_an_answer() {
        let plan = plan(27);
        let number = (1..60).find(|&number| plan.bracket(number) == 0).unwrap();
        let mut trials: Vec<Trial> = (0..=number).map(|number| trial(number, State::Failed, &[])).collect();
        trials[0] = trial(0, State::Complete, &[0.1; 27]);
        trials[number] = trial(number, State::Waiting, &[0.5; 3]);
        assert_eq!(
            (plan.promoted(&trials, LOSS), plan.last_resort(&trials, LOSS)),
            (None, Some(number))
        );
        trials[number].state = State::Complete;
        assert_eq!(plan.last_resort(&trials, LOSS), None);
    }

    #[test]
    fn the_median_ends_what_is_worse() {
        let plan = Plan {
            pruner: Pruner::Median,
            epochs: 9,
        };
        let mut trials: Vec<Trial> = [0.5, 0.6, 0.7, 0.8]
            .iter()
            .enumerate()
            .map(|(i, &value)| trial(i, State::Complete, &[value]))
            .collect();
        trials.push(trial(4, State::Running, &[]));
        assert!(!plan.is_hopeless(&trials, LOSS, 4, 1, 9.0), "too few");
        trials.push(trial(5, State::Waiting, &[0.9]));
        assert!(!plan.is_hopeless(&trials, LOSS, 4, 1, 0.7) && plan.is_hopeless(&trials, LOSS, 4, 1, 0.71));
        assert!(plan.is_hopeless(&trials, Metric::ValidationAccuracy, 4, 1, 0.69));
        assert!(!plan.is_hopeless(&trials, LOSS, 4, 2, 9.0), "nobody came as far");
    }
}
