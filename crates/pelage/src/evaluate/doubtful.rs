//! Images worth a look: the largest losses, the least and most confident, likely label errors.

use pelage_model::probability::argmax;

use super::scores::Scores;

/// One image of [`Scores`], by its index, and its prediction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    /// Index into the scores.
    pub image: usize,
    /// Its class.
    pub label: usize,
    /// The class that the model predicts.
    pub predicted: usize,
    /// Probability of the predicted class.
    pub confidence: f64,
    /// Negative log probability of its class.
    pub loss: f64,
}

/// All images of `scores`, with the probabilities from [`Scores::probabilities`].
pub fn all(scores: &Scores, probabilities: &[f32]) -> Vec<Seen> {
    let rows = probabilities.chunks(scores.classes.len()).zip(&scores.labels);
    let seen = |(image, (row, &label)): (usize, (&[f32], &usize))| {
        let predicted = argmax(row);
        Seen {
            image,
            label,
            predicted,
            confidence: f64::from(row[predicted]),
            loss: 0.0 - f64::from(row[label]).clamp(1e-15, 1.0).ln(),
        }
    };
    rows.enumerate().map(seen).collect()
}

/// The `most` images with the largest losses, largest first.
pub fn top_losses(seen: &[Seen], most: usize) -> Vec<Seen> {
    first(seen.to_vec(), most, |one| -one.loss)
}

/// The `most` images predicted as `class` with the largest confidence, largest first.
pub fn most_certain(seen: &[Seen], class: usize, most: usize) -> Vec<Seen> {
    first(called(seen, class), most, |one| -one.confidence)
}

/// The `most` images predicted as `class` with the smallest confidence, smallest first.
pub fn least_certain(seen: &[Seen], class: usize, most: usize) -> Vec<Seen> {
    first(called(seen, class), most, |one| one.confidence)
}

/// Likely label errors by confident learning (Northcutt et al. 2021, equations 1 and 2): images that are called another
/// class, and get one with at least the mean probability that this gets on its own images. The least likely labels
/// first.
pub fn label_errors(scores: &Scores, probabilities: &[f32]) -> Vec<Seen> {
    let classes = scores.classes.len();
    let rows = || probabilities.chunks(classes).zip(&scores.labels);
    let mut sums = vec![(0.0, 0usize); classes];
    for (row, &label) in rows() {
        sums[label].0 += f64::from(row[label]);
        sums[label].1 += 1;
    }
    // A class without images can claim none.
    let threshold = |class: usize| match sums[class] {
        (_, 0) => f64::INFINITY,
        (sum, count) => sum / count as f64,
    };
    let claimed = |row: &[f32]| {
        let over = (0..classes).filter(|&class| f64::from(row[class]) >= threshold(class));
        over.max_by(|&a, &b| row[a].total_cmp(&row[b]))
    };
    let suspects = all(scores, probabilities).into_iter().zip(rows());
    let suspects = suspects
        .filter(|(one, (row, _))| one.predicted != one.label && claimed(row).is_some_and(|class| class != one.label));
    first(suspects.map(|(one, _)| one).collect(), usize::MAX, |one| -one.loss)
}

fn called(seen: &[Seen], class: usize) -> Vec<Seen> {
    seen.iter().filter(|one| one.predicted == class).copied().collect()
}

fn first(mut seen: Vec<Seen>, most: usize, key: impl Fn(&Seen) -> f64) -> Vec<Seen> {
    seen.sort_by(|a, b| key(a).total_cmp(&key(b)));
    seen.truncate(most);
    seen
}
