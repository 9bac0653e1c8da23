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

/// Neighboring `bins` put together until each has at least `least` images, as far as there are that many: the accuracy
/// of fewer says little. They leave no gap between them.
pub fn merged(bins: &[Bin], least: usize) -> Vec<Bin> {
    let mut merged: Vec<Bin> = Vec::new();
    for bin in bins {
        match merged.last_mut() {
            Some(last) if last.count < least => *last = together(last, bin),
            Some(last) => {
                let from = last.to;
                merged.push(Bin { from, ..bin.clone() });
            }
            None => merged.push(bin.clone()),
        }
    }
    // What remains joins its neighbor.
    if let [.., before, last] = &merged[..]
        && last.count < least
    {
        let joined = together(before, last);
        merged.truncate(merged.len() - 2);
        merged.push(joined);
    }
    merged
}

fn together(a: &Bin, b: &Bin) -> Bin {
    let count = a.count + b.count;
    let mean = |of: fn(&Bin) -> f64| (of(a) * a.count as f64 + of(b) * b.count as f64) / count as f64;
    Bin {
        from: a.from,
        to: b.to,
        count,
        confidence: mean(|bin| bin.confidence),
        accuracy: mean(|bin| bin.accuracy),
    }
}

/// Expected calibration error: the mean gap between confidence and accuracy over the bins, weighted by their numbers of
/// images (Guo et al. 2017, equation 3).
pub fn expected_calibration_error(bins: &[Bin]) -> f64 {
    let total: usize = bins.iter().map(|bin| bin.count).sum();
    let gaps = bins
        .iter()
        .map(|bin| bin.count as f64 * (bin.confidence - bin.accuracy).abs());
    // The sum of no numbers is -0.
    (0.0 + gaps.sum::<f64>()) / total.max(1) as f64
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
    let losses = rows.map(|(row, &label)| 0.0 - f64::from(row[label]).clamp(1e-15, 1.0).ln());
    losses.sum::<f64>() / labels.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_bins_hold_enough_and_lose_nothing() {
        let bin = |from: f64, count: usize, accuracy: f64| Bin {
            from,
            to: from + 0.1,
            count,
            confidence: from + 0.05,
            accuracy,
        };
        let bins = [
            bin(0.2, 3, 1.0),
            bin(0.4, 9, 0.0),
            bin(0.5, 20, 0.5),
            bin(0.7, 11, 1.0),
            bin(0.9, 4, 0.5),
        ];
        let merged = merged(&bins, 10);
        let counts: Vec<_> = merged.iter().map(|bin| bin.count).collect();
        assert_eq!(counts, [12, 20, 15]);
        assert!((merged[0].accuracy - 0.25).abs() < 1e-12 && (merged[2].accuracy - 13.0 / 15.0).abs() < 1e-12);
        assert!((merged[0].confidence - (3.0 * 0.25 + 9.0 * 0.45) / 12.0).abs() < 1e-12);
        assert!(merged.windows(2).all(|pair| pair[0].to == pair[1].from), "{merged:?}");
        assert_eq!((merged[0].from, merged[2].to), (0.2, 1.0));
        // Few pictures are one bin; none are none.
        assert_eq!(super::merged(&bins[..1], 10).len(), 1);
        assert!(super::merged(&[], 10).is_empty());
    }

    #[test]
    fn nothing_lost_is_no_loss_with_a_sign() {
        assert!(log_loss(&[0], &[1.0, 0.0], 2).is_sign_positive());
        assert!(expected_calibration_error(&[]).is_sign_positive());
    }
}
