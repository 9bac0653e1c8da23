//! Whether a probability of 80 % is right 80 times in 100.

use pelage_model::probability::argmax;
use serde::Serialize;

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

/// Mean negative log probability of the true class (natural logarithm), probabilities clipped at 1e-15.
pub fn log_loss(labels: &[usize], probabilities: &[f32], classes: usize) -> f64 {
    let rows = probabilities.chunks(classes).zip(labels);
    let losses = rows.map(|(row, &label)| -f64::from(row[label]).clamp(1e-15, 1.0).ln());
    losses.sum::<f64>() / labels.len().max(1) as f64
}
