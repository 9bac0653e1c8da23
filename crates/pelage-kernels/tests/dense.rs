//! The fully connected layer against naive f64 loops, on every instruction set of this CPU.

use pelage_kernels::dense::{self, Activation, Shape};
use pelage_kernels::isa::Isa;
use proptest::prelude::*;

mod support;
use support::{assert_near, noise};

struct Ours {
    output: Vec<f32>,
    grad_weights: Vec<f32>,
    grad_bias: Vec<f32>,
    grad_input: Vec<f32>,
}

fn ours(isa: Isa, s: Shape, activation: Activation, seed: u64) -> (Ours, [Vec<f32>; 4]) {
    let (x, w) = (noise(seed, s.batch * s.inputs), noise(seed + 1, s.outputs * s.inputs));
    let (b, dy) = (noise(seed + 2, s.outputs), noise(seed + 3, s.batch * s.outputs));
    let mut o = Ours {
        output: vec![f32::NAN; dy.len()],
        grad_weights: vec![f32::NAN; w.len()],
        grad_bias: vec![f32::NAN; b.len()],
        grad_input: vec![f32::NAN; x.len()],
    };
    dense::forward(isa, s, activation, &x, &w, &b, &mut o.output);
    let (dw, db, dx) = (&mut o.grad_weights, &mut o.grad_bias, Some(&mut o.grad_input[..]));
    dense::backward(isa, s, activation, &x, &w, &o.output, &dy, dw, db, dx);
    (o, [x, w, b, dy])
}

fn check(s: Shape, activation: Activation, seed: u64) {
    for isa in Isa::available() {
        let (o, [x, w, b, dy]) = ours(isa, s, activation, seed);
        let mut output = vec![0.0; o.output.len()];
        let (mut dw, mut db, mut dx) = (vec![0.0; w.len()], vec![0.0; b.len()], vec![0.0; x.len()]);
        for n in 0..s.batch {
            for j in 0..s.outputs {
                let at = n * s.outputs + j;
                let (x, w) = (&x[n * s.inputs..][..s.inputs], &w[j * s.inputs..][..s.inputs]);
                output[at] = f64::from(b[j]) + x.iter().zip(w).map(|(x, w)| f64::from(*x) * f64::from(*w)).sum::<f64>();
                let cut = activation == Activation::Relu && o.output[at] <= 0.0;
                if activation == Activation::Relu {
                    output[at] = output[at].max(0.0);
                }
                let g = if cut { 0.0 } else { f64::from(dy[at]) };
                db[j] += g;
                for i in 0..s.inputs {
                    dw[j * s.inputs + i] += g * f64::from(x[i]);
                    dx[n * s.inputs + i] += g * f64::from(w[i]);
                }
            }
        }
        let what = |what: &str| format!("{what} on {} for {s:?}", isa.name());
        assert_near(&what("output"), &o.output, &output, s.inputs, 1e-5);
        assert_near(&what("grad_weights"), &o.grad_weights, &dw, s.batch, 1e-5);
        assert_near(&what("grad_bias"), &o.grad_bias, &db, s.batch, 1e-5);
        assert_near(&what("grad_input"), &o.grad_input, &dx, s.outputs, 1e-5);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn equals_the_definition(
        batch in 1usize..40, inputs in prop_oneof![1usize..40, 1000usize..1100], outputs in 1usize..40, relu: bool,
        seed in 0u64..1000,
    ) {
        let activation = if relu { Activation::Relu } else { Activation::None };
        check(Shape { batch, inputs, outputs }, activation, seed);
    }
}

#[test]
fn several_pieces_and_none() {
    check(
        Shape {
            batch: 5,
            inputs: 3001,
            outputs: 9,
        },
        Activation::Relu,
        1,
    );
    check(
        Shape {
            batch: 0,
            inputs: 3,
            outputs: 2,
        },
        Activation::None,
        1,
    );
}

#[test]
fn bit_identical_on_any_number_of_threads() {
    let s = Shape {
        batch: 7,
        inputs: 5000,
        outputs: 11,
    };
    let runs: Vec<Ours> = [1, 2, 5]
        .into_iter()
        .map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| ours(Isa::best(), s, Activation::Relu, 3).0)
        })
        .collect();
    for other in &runs[1..] {
        assert_eq!(runs[0].output, other.output);
        assert_eq!(runs[0].grad_weights, other.grad_weights);
        assert_eq!(runs[0].grad_input, other.grad_input);
    }
}

#[test]
fn nan_propagates() {
    let s = Shape {
        batch: 1,
        inputs: 3,
        outputs: 1,
    };
    let mut output = [0.0];
    dense::forward(
        Isa::best(),
        s,
        Activation::Relu,
        &[f32::NAN, 1.0, 1.0],
        &[1.0; 3],
        &[0.0],
        &mut output,
    );
    assert!(output[0].is_nan());
}
