//! Softmax cross-entropy and its gradient in one pass over the logits.

/// The mean over the pictures of the cross-entropy between the softmax of `logits` `[n, classes]` and the labels, and
/// its gradient in `grad_logits`.
///
/// The target of a picture is `1 - smoothing` at its label plus `smoothing / classes` everywhere (Szegedy et al. 2016,
/// section 7); `class_weights` scale the loss of each picture of a class, and are not divided out again.
///
/// # Panics
/// Where a slice's length does not fit, or a label is not below `classes`.
pub fn cross_entropy(
    classes: usize,
    logits: &[f32],
    labels: &[usize],
    smoothing: f32,
    class_weights: Option<&[f32]>,
    grad_logits: &mut [f32],
) -> f32 {
    assert_eq!(logits.len(), labels.len() * classes, "length of logits");
    assert_eq!(grad_logits.len(), logits.len(), "length of grad_logits");
    assert!(
        class_weights.is_none_or(|weights| weights.len() == classes),
        "length of class_weights"
    );
    let everywhere = smoothing / classes as f32;
    let mut loss = 0.0f64;
    let rows = logits.chunks_exact(classes).zip(grad_logits.chunks_exact_mut(classes));
    for ((logits, grads), &label) in rows.zip(labels) {
        let scale = class_weights.map_or(1.0, |weights| weights[label]) / labels.len() as f32;
        // The largest logit becomes 0, so that no exponential overflows; a NaN goes through.
        let largest = logits.iter().fold(f32::MIN, |largest, logit| largest.max(*logit));
        // In f64: where the picture is told right, the total is 1 and a little, and that little is the loss.
        let (mut total, mut mean) = (0.0f64, 0.0f32);
        for (grad, logit) in grads.iter_mut().zip(logits) {
            *grad = (logit - largest).exp();
            total += f64::from(*grad);
            mean += logit - largest;
        }
        // With t the target, minus the sum of t (logit - log total); t adds up to 1.
        let at_label = logits[label] - largest;
        loss += f64::from(scale) * (total.ln() - f64::from((1.0 - smoothing) * at_label + everywhere * mean));
        for grad in grads.iter_mut() {
            *grad = scale * (*grad / total as f32 - everywhere);
        }
        grads[label] -= scale * (1.0 - smoothing);
    }
    loss as f32
}
