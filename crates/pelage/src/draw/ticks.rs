//! Labels of an axis that differ from tick to tick.

/// The decimals that tell the ticks of an axis apart, if at most `most` are drawn: they are 1, 2 or 5 times a power of
/// ten apart.
pub(crate) fn decimals(from: f64, to: f64, most: usize) -> usize {
    // One more than are drawn would be nearer to each other than this.
    let least = (to - from) / (most + 1) as f64;
    if !least.is_finite() || least <= 0.0 {
        return 0;
    }
    let power = least.log10().floor();
    let fits = [1.0, 2.0, 5.0].iter().any(|step| step * 10f64.powf(power) >= least);
    let power = if fits { power } else { power + 1.0 };
    // Further than a f64 tells apart is no axis.
    (-power).clamp(0.0, 12.0) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbors_never_have_the_same_label() {
        for (from, to) in [
            (0.0, 1.0),
            (0.0, 0.3),
            (0.0, 0.108),
            (0.6812, 0.6937),
            (0.0, 100.0),
            (97.5, 100.0),
            (3.0, 4.5),
        ] {
            for most in [4, 6, 7] {
                let decimals = decimals(from, to, most);
                // Every step that the axis may choose.
                for step in (-8..3).flat_map(|power| [1.0, 2.0, 5.0].map(|step| step * 10f64.powi(power))) {
                    let count = ((to - from) / step).floor() as usize;
                    if !(1..=most).contains(&count) {
                        continue;
                    }
                    let first = (from / step).ceil();
                    let labels: Vec<_> = (0..=count)
                        .map(|i| format!("{:.decimals$}", (first + i as f64) * step))
                        .collect();
                    assert!(
                        labels.windows(2).all(|pair| pair[0] != pair[1]),
                        "{from} to {to}: {labels:?}"
                    );
                }
            }
        }
        assert_eq!(
            [decimals(0.0, 1.0, 6), decimals(0.0, 100.0, 7), decimals(1.0, 1.0, 7)],
            [1, 0, 0]
        );
    }
}
