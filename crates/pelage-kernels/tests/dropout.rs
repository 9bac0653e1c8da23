//! Dropout: the fraction dropped, the scale, and that draws look independent.

use pelage_kernels::dropout::{apply, apply_from, apply_in_place};
use pelage_kernels::isa::Isa;

mod support;
use support::noise;

const LEN: usize = 200_000;

/// The factors alone, from that of value `first` on.
fn mask(seed: u64, probability: f32, first: usize, values: &mut [f32]) {
    values.fill(1.0);
    apply_from(Isa::best(), seed, probability, first, values);
}

fn kept(seed: u64, probability: f32) -> Vec<bool> {
    let mut values = vec![0.0; LEN];
    mask(seed, probability, 0, &mut values);
    values.iter().map(|value| *value > 0.0).collect()
}

/// Panics if the correlation of two sequences of zeros and ones is more than five standard deviations from 0.
#[track_caller]
fn assert_independent(what: &str, a: &[bool], b: &[bool]) {
    let n = a.len().min(b.len());
    let share = |v: &[bool]| v[..n].iter().filter(|v| **v).count() as f64 / n as f64;
    let (p, q) = (share(a), share(b));
    let both = a.iter().zip(b).filter(|(a, b)| **a && **b).count() as f64 / n as f64;
    let correlation = (both - p * q) / (p * (1.0 - p) * q * (1.0 - q)).sqrt();
    assert!(
        correlation.abs() < 5.0 / (n as f64).sqrt(),
        "{what}: correlation {correlation}"
    );
}

#[test]
fn fraction_and_scale() {
    for probability in [0.0, 0.1, 0.25, 0.5, 0.9] {
        let mut values = vec![0.0; LEN];
        mask(7, probability, 0, &mut values);
        let keep = 1.0 / (1.0 - probability);
        assert!(values.iter().all(|v| *v == 0.0 || *v == keep));
        let dropped = values.iter().filter(|v| **v == 0.0).count() as f64 / LEN as f64;
        let p = f64::from(probability);
        assert!(
            (dropped - p).abs() <= 5.0 * (p * (1.0 - p) / LEN as f64).sqrt(),
            "{dropped} instead of {p}"
        );
    }
}

#[test]
fn probability_one_drops_everything() {
    let mut values = vec![2.0; 100];
    apply(Isa::best(), 1, 1.0, &[2.0; 100], &mut values);
    assert!(values.iter().all(|v| *v <= 0.0 || v.is_nan()));
}

#[test]
fn every_instruction_set_draws_the_same() {
    let input = noise(1, 50_001);
    let mut expected = vec![0.0; input.len()];
    mask(3, 0.25, 0, &mut expected);
    expected.iter_mut().zip(&input).for_each(|(mask, value)| *mask *= value);
    for isa in Isa::available() {
        let (mut output, mut in_place) = (vec![f32::NAN; input.len()], input.clone());
        apply(isa, 3, 0.25, &input, &mut output);
        apply_in_place(isa, 3, 0.25, &mut in_place);
        assert_eq!(output, expected, "{}", isa.name());
        assert_eq!(in_place, expected, "{}", isa.name());
    }
}

#[test]
fn a_prefix_does_not_depend_on_the_length() {
    let (mut short, mut long) = (vec![0.0; 777], vec![0.0; LEN]);
    mask(5, 0.5, 0, &mut short);
    mask(5, 0.5, 0, &mut long);
    assert_eq!(short, long[..777]);
}

#[test]
fn parts_draw_what_the_whole_draws() {
    let mut whole = vec![0.0; LEN];
    mask(5, 0.5, 0, &mut whole);
    for ends in [
        &[1, 777, 1 << 14, 3 << 14, LEN][..],
        &[(1 << 14) + 5, (1 << 15) - 1, LEN],
    ] {
        let mut first = 0;
        for &end in ends {
            let mut part = vec![1.0; end - first];
            apply_from(Isa::best(), 5, 0.5, first, &mut part);
            assert_eq!(part, whole[first..end], "{first}..{end}");
            first = end;
        }
    }
    // Beyond 2^32 values, where counters begin again under other keys.
    let (first, mut far) = ((1 << 32) - 20_000, vec![0.0; 40_000]);
    mask(5, 0.5, first, &mut far);
    let mut beyond = vec![0.0; 20_000];
    mask(5, 0.5, 1 << 32, &mut beyond);
    assert_eq!(far[20_000..], beyond);
    assert_ne!(beyond, whole[..20_000]);
}

#[test]
fn draws_are_independent() {
    for probability in [0.25, 0.5] {
        let a = kept(40, probability);
        for distance in [1, 2, 3, 7, 8, 16, 32, 64, 512, 1 << 14, 20_736] {
            assert_independent(&format!("neighbors {distance} apart"), &a, &a[distance..]);
        }
        // Seeds of neighboring steps and layers differ in few bits.
        for other in [41, 42, 48, 40 ^ (1 << 31), 40 ^ (1 << 32), 40 ^ (1 << 63)] {
            let b = kept(other, probability);
            assert_independent(&format!("seeds 40 and {other}"), &a, &b);
            assert_independent(&format!("seeds 40 and {other}, shifted"), &a[1..], &b);
        }
    }
}

#[test]
fn counts_in_blocks_are_binomial() {
    // Chi-squared of the number kept in blocks of 16, over 17 classes, with its 99.99 % quantile for 16 degrees.
    let counts = kept(9, 0.5).chunks_exact(16).fold([0.0f64; 17], |mut counts, block| {
        counts[block.iter().filter(|v| **v).count()] += 1.0;
        counts
    });
    let (mut chi, mut ways) = (0.0, 1.0);
    for (k, count) in counts.iter().enumerate() {
        let expected = ways / 65_536.0 * (LEN / 16) as f64;
        chi += (count - expected) * (count - expected) / expected;
        ways = ways * (16 - k) as f64 / (k + 1) as f64;
    }
    assert!(chi < 45.0, "{chi}");
}
