//! Batch normalization against naive f64 loops, on every instruction set of this CPU.

use pelage_kernels::batch_norm::{Affine, Statistics, Together, backward, forward, statistics};
use pelage_kernels::convolution::Activation;
use pelage_kernels::isa::Isa;
use proptest::prelude::*;

fn noise(seed: u64, len: usize) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        ((state >> 40) as f32 / (1 << 24) as f32) * 2.0 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

struct Truth {
    mean: Vec<f64>,
    variance: Vec<f64>,
    output: Vec<f64>,
    before: Vec<f64>,
    input: Vec<f64>,
    scale: Vec<f64>,
    shift: Vec<f64>,
    sum: Vec<f64>,
}

/// By the formulas of the paper (section 3, page 4), value by value.
fn truth(x: &[f32], gradient: &[f32], affine: &Affine, residual: Option<&[f32]>, cut: [f64; 2]) -> Truth {
    let c = affine.scale.len();
    let m = (x.len() / c) as f64;
    let channel = |j: usize| (j..x.len()).step_by(c);
    let mean: Vec<f64> = (0..c)
        .map(|j| channel(j).map(|i| f64::from(x[i])).sum::<f64>() / m)
        .collect();
    let deviation = |i: usize| f64::from(x[i]) - mean[i % c];
    let variance: Vec<f64> = (0..c)
        .map(|j| channel(j).map(|i| deviation(i).powi(2)).sum::<f64>() / m)
        .collect();
    let root = |j: usize| (variance[j] + f64::from(affine.epsilon)).sqrt();
    let normal = |i: usize| deviation(i) / root(i % c);
    let before = |i: usize| {
        let sum = normal(i) * f64::from(affine.scale[i % c]) + f64::from(affine.shift[i % c]);
        sum + residual.map_or(0.0, |residual| f64::from(residual[i]))
    };
    let g = |i: usize| match before(i) > cut[0] && before(i) < cut[1] {
        true => f64::from(gradient[i]),
        false => 0.0,
    };
    let shift: Vec<f64> = (0..c).map(|j| channel(j).map(g).sum()).collect();
    let scale: Vec<f64> = (0..c).map(|j| channel(j).map(|i| g(i) * normal(i)).sum()).collect();
    let at_input = |i: usize| {
        let j = i % c;
        f64::from(affine.scale[j]) / root(j) * (g(i) - shift[j] / m - normal(i) * scale[j] / m)
    };
    Truth {
        output: (0..x.len()).map(|i| before(i).clamp(cut[0], cut[1])).collect(),
        before: (0..x.len()).map(before).collect(),
        input: (0..x.len()).map(at_input).collect(),
        sum: (0..x.len()).map(g).collect(),
        mean,
        variance,
        scale,
        shift,
    }
}

fn close(what: &str, ours: &[f32], truth: &[f64], tolerance: f64) {
    assert_eq!(ours.len(), truth.len(), "{what}");
    // At least 1, since a sum may almost cancel.
    let largest = truth.iter().fold(1.0f64, |largest, x| largest.max(x.abs()));
    for (i, (a, b)) in ours.iter().zip(truth).enumerate() {
        assert!(
            (f64::from(*a) - b).abs() < tolerance * largest,
            "{what}[{i}]: {a} instead of {b}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn agrees_with_f64(
        channels in 1usize..80, pixels in 2usize..300, offset in -50f32..50.0, seed: u64, which in 0usize..3,
        with_residual: bool,
    ) {
        let len = channels * pixels;
        let x: Vec<f32> = noise(seed, len).iter().map(|x| x * 2.0 + offset).collect();
        let (gradient, residual) = (noise(seed ^ 1, len), noise(seed ^ 2, len));
        let (scale, shift) = (noise(seed ^ 3, channels), noise(seed ^ 4, channels));
        let (activation, cut) = [
            (Activation::None, [f64::NEG_INFINITY, f64::INFINITY]),
            (Activation::Relu, [0.0, f64::INFINITY]),
            (Activation::Relu6, [0.0, 6.0]),
        ][which];
        let affine = Affine { scale: &scale, shift: &shift, epsilon: 1e-3, activation };
        let residual = with_residual.then_some(&residual[..]);
        let truth = truth(&x, &gradient, &affine, residual, cut);
        // If the sum before the activation is too close to a cut, rounding decides on which side it is.
        prop_assume!(cut.iter().all(|cut| !cut.is_finite()
            || truth.before.iter().all(|sum| (sum - cut).abs() > 1e-4)));
        // A mean in f32 is off by half an ulp, which matters relative to the standard deviation; and for few pixels
        // the input gradient is the small remainder of values that cancel.
        let pairs = truth.mean.iter().zip(&truth.variance);
        let distance = pairs.map(|(mean, variance)| mean.abs() / (variance + 1e-3).sqrt());
        let tolerance = 1e-4 + 16.0 * f64::from(f32::EPSILON) * distance.fold(0.0, f64::max);
        let close = |what, ours: &[f32], truth: &[f64]| close(what, ours, truth, tolerance);
        for isa in Isa::available() {
            let found = statistics(isa, channels, &x);
            close("mean", &found.mean, &truth.mean);
            close("variance", &found.variance, &truth.variance);
            let output = forward(isa, &x, &found, &affine, residual);
            close("output", &output, &truth.output);
            let gradients = backward(isa, &x, &found, &affine, &output, &gradient, None);
            close("gradient of the sum", &gradients.sum, &truth.sum);
            close("gradient of the shift", &gradients.shift, &truth.shift);
            close("gradient of the scale", &gradients.scale, &truth.scale);
            close("gradient of the input", &gradients.input, &truth.input);
        }
    }
}

#[test]
fn bit_identical_on_any_number_of_threads() {
    let (channels, pixels) = (24, 5000);
    let x = noise(5, channels * pixels);
    let gradient = noise(6, channels * pixels);
    let (scale, shift) = (noise(7, channels), noise(8, channels));
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let affine = Affine {
                scale: &scale,
                shift: &shift,
                epsilon: 1e-5,
                activation: Activation::Relu,
            };
            let isa = Isa::best();
            let found = statistics(isa, channels, &x);
            let output = forward(isa, &x, &found, &affine, None);
            let gradients = backward(isa, &x, &found, &affine, &output, &gradient, None);
            (found, output, gradients.input, gradients.scale, gradients.shift)
        })
    };
    let one = run(1);
    assert_eq!(one, run(2));
    assert_eq!(one, run(5));
}

#[test]
#[should_panic(expected = "length of residual")]
fn lengths_are_checked() {
    let affine = Affine {
        scale: &[1.0; 4],
        shift: &[0.0; 4],
        epsilon: 1e-5,
        activation: Activation::None,
    };
    let found = Statistics {
        mean: vec![0.0; 4],
        variance: vec![1.0; 4],
    };
    forward(Isa::best(), &[1.0; 8], &found, &affine, Some(&[0.0; 4]));
}

#[test]
fn parts_that_normalize_together_are_one_batch() {
    let (channels, ends) = (5, [0, 7, 100, 240]);
    let pixels = ends[3];
    let (x, gradient) = (noise(1, channels * pixels), noise(2, channels * pixels));
    let (scale, shift) = (noise(3, channels), noise(4, channels));
    let affine = Affine {
        scale: &scale,
        shift: &shift,
        epsilon: 1e-3,
        activation: Activation::Relu,
    };
    let isa = Isa::best();
    let whole = statistics(isa, channels, &x);
    let output = forward(isa, &x, &whole, &affine, None);
    let expected = backward(isa, &x, &whole, &affine, &output, &gradient, None);
    let part = |i: usize| ends[i] * channels..ends[i + 1] * channels;
    // What the parts sum, one sum after the other: each part begins again until it has met the others at all of them.
    let (mut met, mut found): (Vec<Vec<f64>>, Vec<_>) = (Vec::new(), Vec::new());
    for round in 0.. {
        let given = std::cell::RefCell::new(Vec::new());
        found = (0..3)
            .map(|i| {
                let number = std::cell::Cell::new(0);
                let sum = |values: &mut [f64]| {
                    match met.get(number.get()) {
                        Some(sums) => values.copy_from_slice(sums),
                        None if number.get() == met.len() => given.borrow_mut().push(values.to_vec()),
                        None => {}
                    }
                    number.set(number.get() + 1);
                };
                let together = Together { pixels, sum: &sum };
                let x = &x[part(i)];
                let own = statistics(isa, channels, x);
                let all = together.statistics(&own, x.len() / channels);
                let output = forward(isa, x, &all, &affine, None);
                let gradients = backward(isa, x, &all, &affine, &output, &gradient[part(i)], Some(together));
                (all, output, gradients)
            })
            .collect();
        let given = given.into_inner();
        if given.is_empty() {
            assert_eq!(round, 3, "means, variances, gradients");
            break;
        }
        met.push(
            (0..given[0].len())
                .map(|i| given.iter().map(|one| one[i]).sum())
                .collect(),
        );
    }
    let wide = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect::<Vec<_>>();
    let mut sums = [vec![0.0; channels], vec![0.0; channels]];
    for (i, (all, own, gradients)) in found.iter().enumerate() {
        close("mean", &all.mean, &wide(&whole.mean), 1e-6);
        close("variance", &all.variance, &wide(&whole.variance), 1e-6);
        close("output", own, &wide(&output[part(i)]), 1e-5);
        close("input", &gradients.input, &wide(&expected.input[part(i)]), 1e-5);
        for (sum, own) in sums.iter_mut().zip([&gradients.scale, &gradients.shift]) {
            sum.iter_mut().zip(own).for_each(|(sum, own)| *sum += own);
        }
    }
    close("scale", &sums[0], &wide(&expected.scale), 1e-5);
    close("shift", &sums[1], &wide(&expected.shift), 1e-5);
}
