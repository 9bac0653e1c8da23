//! Softmax cross-entropy and its gradient in one pass over the logits.

/// The target of each image.
#[derive(Clone, Copy, Debug)]
pub enum Targets<'a> {
    /// The class of each image, `[n]`.
    Classes(&'a [usize]),
    /// The probabilities of the classes, `[n, classes]`, each row summing to 1.
    Distributions(&'a [f32]),
}

/// Tolerance for the sum of a distribution, which should be 1.
const ROUNDING: f32 = 1e-3;

/// The mean over the images of the cross-entropy between `targets` and the softmax of `logits` `[n, classes]`; writes
/// its gradient to `grad_logits`.
///
/// Label smoothing replaces a target `t` by `(1 - smoothing) t + smoothing / classes` (Szegedy et al. 2016, section
/// 7). `class_weights` `[classes]` scale the loss of an image by the weight of its class, or by the mean weight under
/// its distribution before smoothing; the mean is not renormalized by them.
///
/// # Panics
/// If a slice has the wrong length, a class is not below `classes`, or a distribution does not sum to 1.
pub fn cross_entropy(
    classes: usize,
    logits: &[f32],
    targets: Targets,
    smoothing: f32,
    class_weights: Option<&[f32]>,
    grad_logits: &mut [f32],
) -> f32 {
    let n = match targets {
        Targets::Classes(labels) => labels.len(),
        Targets::Distributions(rows) => {
            assert!(rows.len().is_multiple_of(classes), "length of targets");
            rows.len() / classes
        }
    };
    assert_eq!(logits.len(), n * classes, "length of logits");
    assert_eq!(grad_logits.len(), logits.len(), "length of grad_logits");
    assert!(
        class_weights.is_none_or(|weights| weights.len() == classes),
        "length of class_weights"
    );
    let everywhere = smoothing / classes as f32;
    let mut loss = 0.0f64;
    let rows = logits.chunks_exact(classes).zip(grad_logits.chunks_exact_mut(classes));
    for (i, (logits, grads)) in rows.enumerate() {
        // The largest logit becomes 0, so that no exponential overflows; NaN propagates.
        let largest = logits.iter().fold(f32::MIN, |largest, logit| largest.max(*logit));
        // The means of the class weights and of the logits under the target.
        let (weight, at_target) = match targets {
            Targets::Classes(labels) => (
                class_weights.map_or(1.0, |weights| weights[labels[i]]),
                logits[labels[i]] - largest,
            ),
            Targets::Distributions(rows) => {
                let row = &rows[i * classes..][..classes];
                let sum: f32 = row.iter().sum();
                assert!(
                    (sum - 1.0).abs() <= ROUNDING,
                    "distribution {i} sums to {sum}, not to 1"
                );
                (
                    class_weights.map_or(1.0, |weights| mean_under(row, weights.iter().copied())),
                    mean_under(row, logits.iter().map(|logit| logit - largest)),
                )
            }
        };
        let scale = weight / n as f32;
        // In f64: when the prediction is correct, the total is 1 plus a small amount, and that amount is the loss.
        let (mut total, mut mean) = (0.0f64, 0.0f32);
        for (grad, logit) in grads.iter_mut().zip(logits) {
            *grad = (logit - largest).exp();
            total += f64::from(*grad);
            mean += logit - largest;
        }
        // Minus the sum of t (logit - log total), where the target t sums to 1.
        loss += f64::from(scale) * (total.ln() - f64::from((1.0 - smoothing) * at_target + everywhere * mean));
        for grad in grads.iter_mut() {
            *grad = scale * (*grad / total as f32 - everywhere);
        }
        match targets {
            Targets::Classes(labels) => grads[labels[i]] -= scale * (1.0 - smoothing),
            Targets::Distributions(rows) => {
                for (grad, target) in grads.iter_mut().zip(&rows[i * classes..]) {
                    *grad -= scale * (1.0 - smoothing) * target;
                }
            }
        }
    }
    loss as f32
}

/// The mean of `values` under a distribution.
fn mean_under(distribution: &[f32], values: impl Iterator<Item = f32>) -> f32 {
    distribution
        .iter()
        .zip(values)
        .map(|(share, value)| share * value)
        .sum()
}
