//! From logits to probabilities and the predicted class.

/// The softmax of `logits / temperature`, in f64.
pub fn softmax(logits: &[f32], temperature: f64) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers = logits.iter().map(|&z| (f64::from(z - largest) / temperature).exp());
    let powers: Vec<_> = powers.collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

/// Index of the largest value, the first one on ties.
pub fn argmax(row: &[f32]) -> usize {
    (1..row.len()).fold(0, |best, i| if row[i] > row[best] { i } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_follow_the_formula_and_do_not_overflow() {
        let expected = [1f64, 2.0, 3.0].map(|z| (z / 2.0).exp());
        let sum: f64 = expected.iter().sum();
        for shift in [0.0, 1000.0, -1000.0] {
            let ours = softmax(&[1.0 + shift, 2.0 + shift, 3.0 + shift], 2.0);
            for (ours, expected) in ours.iter().zip(expected) {
                assert!((ours - expected / sum).abs() < 1e-12);
            }
        }
        assert_eq!((argmax(&[0.0, 2.0, 2.0]), argmax(&[1.0])), (1, 0));
    }
}
