//! The one value that makes probabilities honest (Guo et al. 2017, section 4.2), kept only where it is known to.

use std::fmt::{Display, Formatter};
use std::ops::RangeInclusive;

use pelage_model::probability::{argmax, softmax};

use super::calibration::log_loss;
use super::scores::Scores;

/// The temperatures to choose from. A training that needs one further out has gone wrong; where few images are wrong,
/// the smallest log loss lies at one end.
pub const TEMPERATURES: RangeInclusive<f64> = 0.1..=10.0;

/// The fewest wrong answers that a temperature is fitted on. The right ones ask for ever surer answers; how sure they
/// may be is known from the wrong ones alone.
pub const ERRORS: usize = 10;

/// Parts of the images; each is scaled by a temperature that is fitted on the others.
const FOLDS: usize = 5;

/// A temperature, and what is known about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Scaling {
    /// What logits are to be divided by: 1, unless the verdict is that another is better.
    pub temperature: f64,
    /// Whether another than 1 is better.
    pub verdict: Verdict,
    /// Probabilities `[n, classes]`, each scaled by a temperature that was fitted without its image, so that figures
    /// of them are not flattered; those as trained where none was fitted.
    pub cross_fitted: Vec<f32>,
}

/// Whether a temperature makes the probabilities better.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    /// It does.
    Better,
    /// It does not, on images that it was not fitted on.
    NoBetter {
        /// The best one on all images.
        fitted: f64,
        /// Log loss as trained.
        before: f64,
        /// Log loss, cross-fitted.
        after: f64,
    },
    /// It is not known: too few answers are wrong.
    FewErrors {
        /// Number of images classified wrongly.
        errors: usize,
    },
}

impl Display for Verdict {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Verdict::Better => write!(f, "it lowers the log loss on pictures that it was not fitted on"),
            Verdict::NoBetter { fitted, before, after } => write!(
                f,
                "the best one, {fitted:.3}, does not lower the log loss on pictures that it was not fitted on \
                 ({before:.4} before, {after:.4} after)"
            ),
            Verdict::FewErrors { errors } => write!(
                f,
                "{errors} validation pictures are called wrongly, and a temperature needs {ERRORS} such or more"
            ),
        }
    }
}

impl Scaling {
    /// From the scores of validation images.
    pub fn of(scores: &Scores) -> Self {
        let classes = scores.classes.len();
        let wrong: Vec<bool> = wrong(scores).collect();
        let errors = wrong.iter().filter(|wrong| **wrong).count();
        let plain = scores.probabilities(1.0);
        let kept = |verdict, cross_fitted| Scaling {
            temperature: 1.0,
            verdict,
            cross_fitted,
        };
        if errors < ERRORS {
            return kept(Verdict::FewErrors { errors }, plain);
        }
        let folds = folds(scores, &wrong);
        let temperatures: [f64; FOLDS] = std::array::from_fn(|fold| {
            let others: Vec<_> = (0..scores.len()).filter(|&i| folds[i] != fold).collect();
            fit(scores, &others)
        });
        let rows = scores.logits.chunks(classes).zip(&folds);
        let scaled = rows.flat_map(|(row, &fold)| softmax(row, temperatures[fold]));
        let cross_fitted: Vec<f32> = scaled.map(|p| p as f32).collect();
        let [before, after] = [&plain, &cross_fitted].map(|all| log_loss(&scores.labels, all, classes));
        let fitted = fit_temperature(scores);
        match after < before {
            true => Scaling {
                temperature: fitted,
                verdict: Verdict::Better,
                cross_fitted,
            },
            false => kept(Verdict::NoBetter { fitted, before, after }, cross_fitted),
        }
    }
}

fn wrong(scores: &Scores) -> impl Iterator<Item = bool> {
    let rows = scores.logits.chunks(scores.classes.len()).zip(&scores.labels);
    rows.map(|(row, &label)| argmax(row) != label)
}

/// The part of each image: each part has its share of the right and of the wrong ones of every class.
fn folds(scores: &Scores, wrong: &[bool]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by_key(|&i| (wrong[i], scores.labels[i]));
    let mut folds = vec![0; order.len()];
    for (place, image) in order.into_iter().enumerate() {
        folds[image] = place % FOLDS;
    }
    folds
}

/// The one of [`TEMPERATURES`] with the smallest log loss on `scores`; 1 if there are no images.
pub fn fit_temperature(scores: &Scores) -> f64 {
    fit(scores, &(0..scores.len()).collect::<Vec<_>>())
}

/// The log loss is convex in the inverse temperature, so it has one minimum over the logarithm too: golden-section
/// search.
fn fit(scores: &Scores, images: &[usize]) -> f64 {
    if images.is_empty() {
        return 1.0;
    }
    let classes = scores.classes.len();
    let loss = |log_temperature: f64| {
        let temperature = log_temperature.exp();
        let one = |&i: &usize| {
            let row = &scores.logits[i * classes..(i + 1) * classes];
            let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let powers = row.iter().map(|&z| (f64::from(z - top) / temperature).exp());
            powers.sum::<f64>().ln() - f64::from(row[scores.labels[i]] - top) / temperature
        };
        images.iter().map(one).sum::<f64>()
    };
    let ratio = (5f64.sqrt() - 1.0) / 2.0;
    let (mut low, mut high) = (TEMPERATURES.start().ln(), TEMPERATURES.end().ln());
    let (mut a, mut b) = (high - ratio * (high - low), low + ratio * (high - low));
    let (mut at_a, mut at_b) = (loss(a), loss(b));
    // Each round keeps 0.618 of the interval: after 40 it is 4e-9 of its width.
    for _ in 0..40 {
        if at_a < at_b {
            (high, b, at_b) = (b, a, at_a);
            a = high - ratio * (high - low);
            at_a = loss(a);
        } else {
            (low, a, at_a) = (a, b, at_b);
            b = low + ratio * (high - low);
            at_b = loss(b);
        }
    }
    ((low + high) / 2.0).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two classes; the logits of image `i` are apart by `margin(i)`, for the right class unless `wrong(i)`.
    fn scores(images: usize, margin: impl Fn(usize) -> f32, wrong: impl Fn(usize) -> bool) -> Scores {
        let label = |i: usize| i % 2;
        Scores {
            classes: ["a", "b"].map(String::from).to_vec(),
            names: (0..images).map(|i| i.to_string()).collect(),
            labels: (0..images).map(label).collect(),
            logits: (0..images)
                .flat_map(|i| match (label(i) == 0) != wrong(i) {
                    true => [margin(i), 0.0],
                    false => [0.0, margin(i)],
                })
                .collect(),
            ..Scores::default()
        }
    }

    #[test]
    fn few_errors_change_nothing() {
        // Twelve images, all right, though hardly sure: the smallest temperature would have the smallest log loss.
        let right = scores(12, |i| 0.2 + i as f32 / 20.0, |_| false);
        let scaling = Scaling::of(&right);
        assert_eq!(scaling.temperature, 1.0);
        assert_eq!(scaling.verdict, Verdict::FewErrors { errors: 0 });
        assert_eq!(scaling.cross_fitted, right.probabilities(1.0));
        assert!(scaling.verdict.to_string().starts_with("0 validation pictures"));
        assert!(fit_temperature(&right) < 0.1001, "{}", fit_temperature(&right));
        for (wrong, few) in [(9, true), (10, false)] {
            let scores = scores(1000, |_| 8.0, |i| i % 100 == 0 && i < 100 * wrong);
            let verdict = Scaling::of(&scores).verdict;
            assert_eq!(
                matches!(verdict, Verdict::FewErrors { .. }),
                few,
                "{wrong}: {verdict:?}"
            );
        }
    }

    #[test]
    fn what_is_too_sure_is_scaled_and_what_is_calibrated_is_not_made_worse() {
        // Right in four of five, and as sure as 99.97 %: the temperature makes it 80 %.
        let sure = scores(200, |_| 8.0, |i| i / 2 % 5 == 0);
        let scaling = Scaling::of(&sure);
        assert_eq!(scaling.verdict, Verdict::Better);
        assert!(
            (scaling.temperature - 8.0 / 4f64.ln()).abs() < 1e-3,
            "{}",
            scaling.temperature
        );
        // Whatever the scores, what is kept has no larger log loss on images that it was not fitted on.
        let mut kept = 0;
        for case in 0..200usize {
            let noise = |i: usize, by: usize| ((i * 7919 + case * 104_729 + by) % 1009) as f32 / 1009.0;
            let drawn = scores(40, |i| 4.0 * noise(i, 1), |i| noise(i, 5) < 0.35);
            let scaling = Scaling::of(&drawn);
            let loss = |all: &[f32]| log_loss(&drawn.labels, all, 2);
            if scaling.temperature == 1.0 {
                continue;
            }
            kept += 1;
            assert!(loss(&scaling.cross_fitted) < loss(&drawn.probabilities(1.0)), "{case}");
            assert!(TEMPERATURES.contains(&scaling.temperature));
        }
        assert!((1..200).contains(&kept), "{kept}");
    }

    #[test]
    fn no_image_is_scaled_by_a_temperature_that_was_fitted_on_it() {
        let mut scores = scores(60, |i| 1.0 + (i % 7) as f32, |i| i % 5 == 0);
        let row = |scaling: &Scaling| scaling.cross_fitted[2 * 31..2 * 32].to_vec();
        let before = Scaling::of(&scores);
        // The label of an image can change its own loss, not its own probabilities; a wrong one becomes right, so that
        // the parts stay what they are only for itself.
        let folds = folds(&scores, &wrong(&scores).collect::<Vec<_>>());
        let others: Vec<_> = (0..60).filter(|&i| folds[i] != folds[31]).collect();
        let expected = softmax(&scores.logits[62..64], fit(&scores, &others));
        assert_eq!(row(&before), expected.into_iter().map(|p| p as f32).collect::<Vec<_>>());
        assert!(
            folds
                .iter()
                .all(|fold| folds.iter().filter(|other| *other == fold).count() == 12)
        );
        // Each part has errors.
        for fold in 0..FOLDS {
            assert!((0..60).any(|i| folds[i] == fold && i % 5 == 0));
        }
        scores.labels.clear();
        scores.logits.clear();
        assert_eq!(Scaling::of(&scores).temperature, 1.0);
    }
}
