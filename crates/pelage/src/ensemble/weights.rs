//! The weights of a mean of probabilities with the lowest log loss, by expectation and maximization (Dempster, Laird
//! and Rubin 1977): each round lowers the loss, which is convex, and the weights stay shares of one.

/// Rounds, at most, and the change of a weight that is none.
const ROUNDS: usize = 10_000;
const CHANGE: f64 = 1e-9;

/// One weight for each model, of its probabilities `[n, classes]` for images with these labels.
pub(super) fn fit(models: &[Vec<f32>], labels: &[usize]) -> Vec<f64> {
    let classes = models[0].len() / labels.len().max(1);
    // A probability of nothing would never count again.
    let own = |model: &Vec<f32>| -> Vec<f64> {
        let rows = labels.iter().enumerate();
        rows.map(|(i, &label)| f64::from(model[i * classes + label]).max(1e-15))
            .collect()
    };
    let own: Vec<_> = models.iter().map(own).collect();
    let mut weights = vec![1.0 / models.len() as f64; models.len()];
    for _ in 0..ROUNDS {
        let mut shares = vec![0.0; models.len()];
        for i in 0..labels.len() {
            let mean: f64 = weights.iter().zip(&own).map(|(weight, all)| weight * all[i]).sum();
            for ((share, weight), all) in shares.iter_mut().zip(&weights).zip(&own) {
                *share += weight * all[i] / mean;
            }
        }
        let sum: f64 = shares.iter().sum();
        if sum == 0.0 {
            break;
        }
        shares.iter_mut().for_each(|share| *share /= sum);
        let change = shares
            .iter()
            .zip(&weights)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f64::max);
        weights = shares;
        if change < CHANGE {
            break;
        }
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_other_weights_have_a_lower_log_loss() {
        let labels: Vec<_> = (0..60).map(|i| i % 2).collect();
        let probabilities = |seed: usize, skill: f32| -> Vec<f32> {
            let row = |i: usize| {
                let noise = ((i * 7919 + seed * 104_729) % 101) as f32 / 101.0;
                let right = (skill * noise + 0.3).clamp(0.02, 0.98);
                if labels[i] == 0 {
                    [right, 1.0 - right]
                } else {
                    [1.0 - right, right]
                }
            };
            (0..60).flat_map(row).collect()
        };
        let models = [probabilities(1, 1.0), probabilities(2, 0.9), probabilities(3, 0.2)];
        let found = fit(&models, &labels);
        let loss = |weights: &[f64]| -> f64 {
            let of = |i: usize| {
                weights
                    .iter()
                    .zip(&models)
                    .map(|(w, all)| w * f64::from(all[2 * i + labels[i]]))
                    .sum()
            };
            (0..60).map(|i| -f64::ln(of(i))).sum()
        };
        assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        for a in 0..=50 {
            for b in 0..=50 - a {
                let other = [f64::from(a) / 50.0, f64::from(b) / 50.0, f64::from(50 - a - b) / 50.0];
                assert!(loss(&found) <= loss(&other) + 1e-7, "{found:?} {other:?}");
            }
        }
        // Both worth something; the third tells nothing.
        assert!(found[0] > 0.1 && found[2] < 0.1, "{found:?}");
    }
}
