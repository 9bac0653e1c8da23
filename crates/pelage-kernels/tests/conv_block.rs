//! The fused block against naive f64 loops, on every instruction set of this CPU.

use pelage_kernels::conv_block::{self, Activation, Shape};
use pelage_kernels::isa::Isa;
use proptest::prelude::*;

mod support;
use support::{assert_near, noise};

struct Reference {
    output: Vec<f64>,
    grad_weights: Vec<f64>,
    grad_bias: Vec<f64>,
    grad_input: Vec<f64>,
}

/// The definition, as plain loops. Backward follows `winners` after checking each: with nearly equal values, rounding
/// may choose another.
fn reference(
    s: Shape,
    activation: Activation,
    x: &[f32],
    w: &[f32],
    b: &[f32],
    dy: &[f32],
    winners: &[u8],
) -> Reference {
    let (ph, pw, ci, co) = (s.height / 2, s.width / 2, s.in_channels, s.out_channels);
    let mut r = Reference {
        output: vec![0.0; s.output_len()],
        grad_weights: vec![0.0; w.len()],
        grad_bias: vec![0.0; co],
        grad_input: vec![0.0; x.len()],
    };
    let pixel = |n: usize, y: isize, xx: isize| {
        let inside = y >= 0 && xx >= 0 && y < s.height as isize && xx < s.width as isize;
        inside.then(|| ((n * s.height + y as usize) * s.width + xx as usize) * ci)
    };
    for n in 0..s.batch {
        for py in 0..ph {
            for px in 0..pw {
                for o in 0..co {
                    let position = |q: usize| ((2 * py + q / 2) as isize, (2 * px + q % 2) as isize);
                    let sums = [0, 1, 2, 3].map(|q| {
                        let (y, xx) = position(q);
                        let mut sum = f64::from(b[o]);
                        for k in 0..9 {
                            if let Some(p) = pixel(n, y + k as isize / 3 - 1, xx + k as isize % 3 - 1) {
                                for c in 0..ci {
                                    sum += f64::from(x[p + c]) * f64::from(w[(o * ci + c) * 9 + k]);
                                }
                            }
                        }
                        sum
                    });
                    let best = sums.into_iter().fold(f64::MIN, f64::max);
                    let i = ((n * ph + py) * pw + px) * co + o;
                    let best = match activation {
                        Activation::None => best,
                        Activation::Relu => best.max(0.0),
                    };
                    r.output[i] = best;
                    let winner = usize::from(winners[i]);
                    let claim = if winner < 4 { sums[winner] } else { 0.0 };
                    assert!(
                        (claim - best).abs() < 1e-4 && (winner < 4 || activation == Activation::Relu),
                        "winner {winner} at {i}, but the sums are {sums:?}"
                    );
                    if winner < 4 {
                        let (at, g) = (position(winner), f64::from(dy[i]));
                        r.grad_bias[o] += g;
                        for k in 0..9 {
                            if let Some(p) = pixel(n, at.0 + k as isize / 3 - 1, at.1 + k as isize % 3 - 1) {
                                for c in 0..ci {
                                    r.grad_weights[(o * ci + c) * 9 + k] += g * f64::from(x[p + c]);
                                    r.grad_input[p + c] += g * f64::from(w[(o * ci + c) * 9 + k]);
                                }
                            }
                        }
                    }
                }
            }
        }
    }
    r
}

struct Ours {
    output: Vec<f32>,
    winners: Vec<u8>,
    grad_weights: Vec<f32>,
    grad_bias: Vec<f32>,
    grad_input: Vec<f32>,
}

fn ours(isa: Isa, s: Shape, activation: Activation, x: &[f32], w: &[f32], b: &[f32], dy: &[f32]) -> Ours {
    let (mut output, mut winners) = (vec![f32::NAN; s.output_len()], vec![9; s.output_len()]);
    let packed = conv_block::pack(isa, s, w, b);
    conv_block::forward(isa, s, activation, x, &packed, &mut output, &mut winners);
    let mut o = Ours {
        output,
        winners,
        grad_weights: vec![f32::NAN; w.len()],
        grad_bias: vec![f32::NAN; b.len()],
        grad_input: vec![f32::NAN; x.len()],
    };
    let input = Some(&mut o.grad_input[..]);
    conv_block::backward(
        isa,
        s,
        x,
        w,
        &o.winners,
        dy,
        &mut o.grad_weights,
        &mut o.grad_bias,
        input,
    );
    o
}

fn tensors(s: Shape, seed: u64) -> (Vec<f32>, Vec<f32>, Vec<f32>, Vec<f32>) {
    (
        noise(seed, s.input_len()),
        noise(seed + 1, s.weight_len()),
        noise(seed + 2, s.out_channels),
        noise(seed + 3, s.output_len()),
    )
}

fn check(s: Shape, seed: u64) {
    let (x, w, b, dy) = tensors(s, seed);
    let activation = [Activation::None, Activation::Relu][seed as usize % 2];
    for isa in Isa::available() {
        let o = ours(isa, s, activation, &x, &w, &b, &dy);
        let truth = reference(s, activation, &x, &w, &b, &dy, &o.winners);
        let what = |what: &str| format!("{what} on {} for {s:?} with {activation:?}", isa.name());
        // The number of terms of an output, and of a gradient's sum over winners.
        let (terms, winners) = (9 * s.in_channels, s.output_len() / s.out_channels);
        assert_near(&what("output"), &o.output, &truth.output, terms, 2e-5);
        assert_near(
            &what("grad_weights"),
            &o.grad_weights,
            &truth.grad_weights,
            winners,
            2e-5,
        );
        assert_near(&what("grad_bias"), &o.grad_bias, &truth.grad_bias, winners, 2e-5);
        assert_near(
            &what("grad_input"),
            &o.grad_input,
            &truth.grad_input,
            s.out_channels,
            2e-5,
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn equals_the_definition(
        batch in 1usize..6, height in 1usize..24, width in 1usize..24, in_channels in 1usize..40,
        out_channels in 1usize..40, seed in 0u64..1000,
    ) {
        check(Shape { batch, height, width, in_channels, out_channels }, seed);
    }
}

#[test]
fn sizes_of_the_reference_network() {
    check(
        Shape {
            batch: 1,
            height: 38,
            width: 37,
            in_channels: 3,
            out_channels: 32,
        },
        5,
    );
    check(
        Shape {
            batch: 2,
            height: 21,
            width: 19,
            in_channels: 32,
            out_channels: 64,
        },
        6,
    );
    check(
        Shape {
            batch: 1,
            height: 9,
            width: 8,
            in_channels: 65,
            out_channels: 33,
        },
        7,
    );
}

#[test]
fn bit_identical_on_any_number_of_threads() {
    // Each takes a different path.
    for in_channels in [3, 17, 32] {
        let s = Shape {
            batch: 11,
            height: 20,
            width: 22,
            in_channels,
            out_channels: 19,
        };
        let (x, w, b, dy) = tensors(s, 1);
        for isa in Isa::available() {
            let runs = [1, 2, 5].map(|threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| ours(isa, s, Activation::None, &x, &w, &b, &dy))
            });
            for other in &runs[1..] {
                assert_eq!(runs[0].output, other.output);
                assert_eq!(runs[0].winners, other.winners);
                assert_eq!(runs[0].grad_weights, other.grad_weights);
                assert_eq!(runs[0].grad_bias, other.grad_bias);
                assert_eq!(runs[0].grad_input, other.grad_input);
            }
        }
    }
}

/// Windows of whole cache lines are read in place; others are copied.
#[test]
fn bit_identical_for_any_alignment_of_the_input() {
    let s = Shape {
        batch: 2,
        height: 37,
        width: 40,
        in_channels: 32,
        out_channels: 9,
    };
    check(s, 3);
    let (x, w, b, dy) = tensors(s, 3);
    for isa in Isa::available() {
        let somewhere = ours(isa, s, Activation::Relu, &x, &w, &b, &dy);
        for shift in 0..16 {
            let shifted = [&vec![0.0; shift][..], &x].concat();
            let o = ours(isa, s, Activation::Relu, &shifted[shift..], &w, &b, &dy);
            assert_eq!(somewhere.output, o.output);
            assert_eq!(somewhere.grad_weights, o.grad_weights, "{} {shift}", isa.name());
        }
    }
}

#[test]
fn nan_propagates() {
    let s = Shape {
        batch: 1,
        height: 4,
        width: 4,
        in_channels: 1,
        out_channels: 1,
    };
    for isa in Isa::available() {
        let (mut output, mut winners) = (vec![0.0; 4], vec![0; 4]);
        let packed = conv_block::pack(isa, s, &[1.0; 9], &[0.0]);
        for activation in [Activation::None, Activation::Relu] {
            conv_block::forward(isa, s, activation, &[f32::NAN; 16], &packed, &mut output, &mut winners);
            assert!(output.iter().all(|v| v.is_nan()), "{}", isa.name());
        }
    }
}
