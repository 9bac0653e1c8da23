//! Whether a probability of 80 % is right 80 times in 100, and one value that makes it so.

use pelage_model::probability::argmax;
use pelage_model::probability::softmax;
use serde::Serialize;

use super::scores::Scores;

/// Images whose confidence (the probability of the predicted class) lies in one bin.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bin {
    /// Confidences above this, up to `to`.
    pub from: f64,
    /// See `from`.
    pub to: f64,
    /// Number of images.
    pub count: usize,
    /// Their mean confidence.
    pub confidence: f64,
    /// Their accuracy.
    pub accuracy: f64,
}

/// The usual number of bins (Guo et al. 2017).
pub const BINS: usize = 15;

/// The reliability diagram: `bins` bins of equal width, without the empty ones.
pub fn reliability(labels: &[usize], probabilities: &[f32], classes: usize, bins: usize) -> Vec<Bin> {
    let mut sums = vec![(0usize, 0.0, 0usize); bins];
    for (row, &label) in probabilities.chunks(classes).zip(labels) {
        let predicted = argmax(row);
        let confidence = f64::from(row[predicted]);
        // Bins are open below and closed above, as in the paper.
        let bin = ((confidence * bins as f64).ceil() as usize).clamp(1, bins) - 1;
        sums[bin].0 += 1;
        sums[bin].1 += confidence;
        sums[bin].2 += usize::from(predicted == label);
    }
    let width = 1.0 / bins as f64;
    let bin = |(i, (count, confidence, right)): (usize, (usize, f64, usize))| Bin {
        from: i as f64 * width,
        to: (i + 1) as f64 * width,
        count,
        confidence: confidence / count as f64,
        accuracy: right as f64 / count as f64,
    };
    sums.into_iter()
        .enumerate()
        .filter(|(_, sum)| sum.0 > 0)
        .map(bin)
        .collect()
}

/// Expected calibration error: the mean gap between confidence and accuracy over the bins, weighted by their numbers of
/// images (Guo et al. 2017, equation 3).
pub fn expected_calibration_error(bins: &[Bin]) -> f64 {
    let total: usize = bins.iter().map(|bin| bin.count).sum();
    let gaps = bins
        .iter()
        .map(|bin| bin.count as f64 * (bin.confidence - bin.accuracy).abs());
    gaps.sum::<f64>() / total.max(1) as f64
}

/// Mean squared distance of the probabilities from the truth: over the second class for two classes, else the sum over
/// all classes, as in scikit-learn's `brier_score_loss`.
pub fn brier_score(labels: &[usize], probabilities: &[f32], classes: usize) -> f64 {
    let rows = probabilities.chunks(classes).zip(labels);
    let squared = rows.flat_map(|(row, &label)| {
        let counted = if classes == 2 { 1..2 } else { 0..classes };
        counted.map(move |class| (f64::from(row[class]) - f64::from(u8::from(class == label))).powi(2))
    });
    squared.sum::<f64>() / labels.len().max(1) as f64
}

/// The temperature with the smallest log loss on `scores` (Guo et al. 2017, section 4.2), between 0.01 and 100; 1 if
/// there are no images.
pub fn fit_temperature(scores: &Scores) -> f64 {
    fit(scores, &(0..scores.len()).collect::<Vec<_>>())
}

/// Each image's probabilities at a temperature fitted without it: on the other half of the images. So the figures after
/// scaling are not flattered by fitting and evaluating on the same images.
pub fn cross_fitted(scores: &Scores) -> Vec<f32> {
    let classes = scores.classes.len();
    let halves = [0, 1].map(|half| (0..scores.len()).filter(|i| i % 2 == half).collect::<Vec<_>>());
    let temperatures = [fit(scores, &halves[1]), fit(scores, &halves[0])];
    let rows = scores.logits.chunks(classes).enumerate();
    rows.flat_map(|(i, row)| softmax(row, temperatures[i % 2]))
        .map(|p| p as f32)
        .collect()
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
    let (mut low, mut high) = (0.01f64.ln(), 100f64.ln());
    let (mut a, mut b) = (high - ratio * (high - low), low + ratio * (high - low));
    let (mut at_a, mut at_b) = (loss(a), loss(b));
    // Each round keeps 0.618 of the interval: after 40 it is 4e-8 of 9.2 wide.
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
