//! Comparisons of two models and the accuracy-coverage curve, against SciPy and numpy, recorded by
//! `fixtures/sklearn/mcnemar.py`.

use pelage::compare::difference::{Difference, bootstrap, mcnemar};
use pelage::evaluate::coverage::Coverage;
use serde::Deserialize;

#[derive(Deserialize)]
struct Record {
    mcnemar: Vec<PValue>,
    bootstrap: Vec<Interval>,
    coverage: Vec<Curve>,
}

#[derive(Deserialize)]
struct PValue {
    only_first: usize,
    only_second: usize,
    log10_p: f64,
}

#[derive(Deserialize)]
struct Interval {
    #[serde(rename = "pictures")]
    images: usize,
    a: usize,
    b: usize,
    mean: f64,
    deviation: f64,
    low: f64,
    high: f64,
}

#[derive(Deserialize)]
struct Curve {
    #[serde(rename = "pictures")]
    images: usize,
    at: Vec<(f64, f64, usize, usize)>,
    area: f64,
    area_error: f64,
}

fn record() -> Record {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sklearn/mcnemar.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn p_values_agree_with_scipy_and_exact_integers() {
    for case in record().mcnemar {
        let ours = mcnemar(case.only_first, case.only_second);
        let off = (ours - case.log10_p).abs();
        let (b, c) = (case.only_first, case.only_second);
        assert!(off < 1e-9, "{b} and {c}: {ours}, SciPy {}", case.log10_p);
    }
}

#[test]
fn the_interval_agrees_with_scipy() {
    for case in record().bootstrap {
        // The formula of the script.
        let first: Vec<_> = (0..case.images).map(|i| (i * 7919) % 97 < case.a).collect();
        let second: Vec<_> = (0..case.images).map(|i| (i * 104_729 + 31) % 97 < case.b).collect();
        let difference = Difference::new(&first, &second, 0);
        assert!((difference.accuracy - case.mean).abs() < 1e-12);
        let discordant = first.iter().zip(&second).filter(|(a, b)| a != b).count();
        assert_eq!(difference.only_first + difference.only_this, discordant);
        // SciPy drew 40,000 samples, pelage 2,000: such an extreme percentile is uncertain by 0.06 standard deviations.
        for (ours, theirs) in [(difference.interval.0, case.low), (difference.interval.1, case.high)] {
            let off = (ours - theirs).abs() / case.deviation;
            assert!(off < 0.2, "{ours}, SciPy {theirs}: {off} standard deviations");
        }
        assert_eq!(
            difference,
            Difference::new(&first, &second, 0),
            "the same seed, the same interval"
        );
    }
    assert_eq!(bootstrap(&[], 0), (0.0, 0.0));
    assert_eq!(bootstrap(&[1; 50], 0), (1.0, 1.0));
}

#[test]
fn accuracy_over_coverage_agrees_with_counting() {
    for case in record().coverage {
        // The formula of the script.
        let answer = |i: usize| {
            let confidence = 0.5 + (i * 7919 % 17) as f32 / 32.0;
            (
                confidence,
                (i * 104_729 % 101) as f32 <= (100.0 * confidence).ceil() - 1.0,
            )
        };
        let curve = Coverage::new(&(0..case.images).map(answer).collect::<Vec<_>>());
        for (share, threshold, answered, correct) in case.at {
            let point = curve.at(share).unwrap();
            assert_eq!(
                (point.threshold, point.answered, point.correct),
                (threshold, answered, correct),
                "at {share} of {}",
                case.images
            );
        }
        let off = (curve.area() - case.area).abs();
        assert!(off < 5.0 * case.area_error, "{}, numpy {}", curve.area(), case.area);
    }
    assert_eq!(Coverage::new(&[]).at(0.5), None);
    assert_eq!(Coverage::new(&[]).area(), 0.0);
}
