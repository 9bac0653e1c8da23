//! Our operations against compositions of Burn's own, forward and backward; optimizers against their formulas.

use burn::Tensor;
use burn::tensor::{Device, TensorData};
use pelage::data::targets::Targets;
use pelage::model::ops;
use pelage::model::ops::optimizer::{Adam, Rate, RmsProp, Sgd, adam, rms_prop, sgd};
use pelage::model::values::to_vec;
use proptest::prelude::*;

fn noise(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(1);
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn tensor<const D: usize>(seed: u64, shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(noise(seed, shape.iter().product()), shape), device)
}

/// Largest difference relative to the largest value.
fn error(ours: &[f32], truth: &[f32]) -> f32 {
    assert_eq!(ours.len(), truth.len());
    let scale = truth.iter().fold(1e-3f32, |most, v| most.max(v.abs()));
    ours.iter()
        .zip(truth)
        .fold(0.0f32, |most, (a, b)| most.max((a - b).abs()))
        / scale
}

type Layer = fn(Tensor<4>, Tensor<4>, Tensor<1>) -> Tensor<4>;

/// Output and gradients of input, weights and bias, for a non-uniform output gradient.
fn run_block(layer: Layer, input: [usize; 4], weights: [usize; 4]) -> [Vec<f32>; 4] {
    let device = Device::flex().autodiff();
    let x = tensor(1, input, &device).require_grad();
    let w = tensor(2, weights, &device).require_grad();
    let b = tensor(3, [weights[0]], &device).require_grad();
    let y = layer(x.clone(), w.clone(), b.clone());
    let pull = tensor(4, y.dims(), &device);
    let mut gradients = (y.clone() * pull).sum().backward();
    [
        to_vec(y.inner()),
        to_vec(x.grad_remove(&mut gradients).unwrap()),
        to_vec(w.grad_remove(&mut gradients).unwrap()),
        to_vec(b.grad_remove(&mut gradients).unwrap()),
    ]
}

#[test]
fn the_fused_block_equals_its_composition() {
    for (input, weights) in [
        ([2, 9, 8, 3], [5, 3, 3, 3]),
        ([1, 12, 13, 32], [32, 32, 3, 3]),
        ([3, 7, 7, 17], [40, 17, 3, 3]),
    ] {
        let with = [
            run_block(
                |x, w, b| ops::conv_block(x, w, b, true, Default::default()),
                input,
                weights,
            ),
            run_block(|x, w, b| ops::conv_block_composed(x, w, b, true), input, weights),
        ];
        let without = [
            run_block(
                |x, w, b| ops::conv_block(x, w, b, false, Default::default()),
                input,
                weights,
            ),
            run_block(|x, w, b| ops::conv_block_composed(x, w, b, false), input, weights),
        ];
        for (relu, [ours, truth]) in [(true, with), (false, without)] {
            for ((what, ours), truth) in ["output", "input", "weights", "bias"].iter().zip(&ours).zip(&truth) {
                let error = error(ours, truth);
                assert!(error < 1e-4, "{what} of {input:?}, ReLU {relu}: {error:e}");
            }
        }
    }
}

#[test]
fn the_loss_and_its_gradient_equal_their_composition() {
    let device = Device::flex().autodiff();
    for (smoothing, class_weights) in [(0.0, None), (0.1, None), (0.2, Some(vec![0.5, 2.0, 1.0, 0.0]))] {
        // One image of each class and two mixed ones, as distributions; then classes alone.
        let mixed = [
            [0.0, 0.0, 0.0, 1.0],
            [1.0, 0.0, 0.0, 0.0],
            [0.25, 0.75, 0.0, 0.0],
            [0.0, 0.1, 0.3, 0.6],
            [0.0, 0.0, 1.0, 0.0],
        ];
        let distributions = Targets::Distributions {
            classes: 4,
            values: mixed.concat(),
        };
        for truth in [Targets::Classes(vec![3, 0, 1, 1, 2]), distributions] {
            let targets = ops::Wanted {
                truth,
                smoothing,
                class_weights: class_weights.clone(),
            };
            let run = |loss: fn(Tensor<2>, ops::Wanted) -> Tensor<1>| {
                let logits = (tensor(1, [5, 4], &device) * 8.0).detach().require_grad();
                let loss = loss(logits.clone(), targets.clone());
                // Also with a gradient of the output other than 1.
                let mut gradients = (loss.clone() * 3.0).backward();
                [
                    to_vec(loss.inner()),
                    to_vec(logits.grad_remove(&mut gradients).unwrap()),
                ]
            };
            let (ours, truth) = (run(ops::cross_entropy), run(ops::cross_entropy_composed));
            for (what, (ours, truth)) in ["loss", "gradient"].iter().zip(ours.iter().zip(&truth)) {
                let error = error(ours, truth);
                assert!(error < 1e-6, "{what} at {smoothing}: {error:e}");
            }
        }
    }
}

#[test]
fn a_chain_equals_its_composed_convolutions_one_by_one() {
    let device = Device::flex();
    let options = |stride: usize, groups: usize, activation| ops::Options {
        stride,
        padding: if groups > 1 { [1; 4] } else { [0; 4] },
        groups,
        activation,
    };
    // MobileNet's inverted residual, once with a shortcut and once with stride 2.
    for (stride, has_residual) in [(1, true), (2, false)] {
        let x = tensor(1, [2, 9, 7, 12], &device);
        let layers = [
            (
                tensor(2, [30, 12, 1, 1], &device),
                options(1, 1, ops::Activation::Relu6),
            ),
            (
                tensor(3, [30, 1, 3, 3], &device),
                options(stride, 30, ops::Activation::Relu6),
            ),
            (tensor(4, [12, 30, 1, 1], &device), options(1, 1, ops::Activation::None)),
        ];
        let residual = |last: bool| (last && has_residual).then(|| x.clone());
        let mut links = Vec::new();
        let mut truth = x.clone();
        for (i, (weight, options)) in layers.into_iter().enumerate() {
            let bias: Tensor<1> = tensor(5, [weight.dims()[0]], &device);
            truth = ops::convolution_composed(truth, weight.clone(), Some(bias.clone()), &options, residual(i == 2));
            links.push(ops::Link {
                weight,
                bias: Some(bias),
                options,
                packed: ops::Packed::default(),
            });
        }
        let ours = ops::convolution_chain(x.clone(), links, residual(true));
        assert_eq!(ours.dims(), truth.dims());
        let error = error(&to_vec(ours), &to_vec(truth));
        assert!(error < 1e-5, "stride {stride}: {error:e}");
    }
}

#[test]
fn the_dense_layer_equals_its_composition() {
    let device = Device::flex().autodiff();
    for (n, inputs, outputs) in [(1, 5, 2), (7, 1500, 33), (32, 100, 64)] {
        for relu in [false, true] {
            let run = |layer: fn(Tensor<2>, Tensor<2>, Tensor<1>, bool) -> Tensor<2>| {
                let x = tensor(1, [n, inputs], &device).require_grad();
                let w = tensor(2, [outputs, inputs], &device).require_grad();
                let b = tensor(3, [outputs], &device).require_grad();
                let y = layer(x.clone(), w.clone(), b.clone(), relu);
                let mut gradients = (y.clone() * tensor(4, [n, outputs], &device)).sum().backward();
                [
                    to_vec(y.inner()),
                    to_vec(x.grad_remove(&mut gradients).unwrap()),
                    to_vec(w.grad_remove(&mut gradients).unwrap()),
                    to_vec(b.grad_remove(&mut gradients).unwrap()),
                ]
            };
            for (ours, truth) in run(ops::dense).iter().zip(&run(ops::dense_composed)) {
                let error = error(ours, truth);
                assert!(error < 1e-4, "{n} {inputs} {outputs} {relu}: {error:e}");
            }
        }
    }
}

#[test]
fn dropout_uses_the_same_mask_forward_and_backward() {
    let device = Device::flex().autodiff();
    let x = Tensor::<2>::ones([40, 500], &device).require_grad();
    let y = ops::dropout(x.clone(), 7, 0.25, 0);
    let mut gradients = y.clone().sum().backward();
    let (y, gradient) = (to_vec(y.inner()), to_vec(x.grad_remove(&mut gradients).unwrap()));
    assert_eq!(y, gradient);
    let dropped = y.iter().filter(|value| **value == 0.0).count() as f64 / y.len() as f64;
    assert!((dropped - 0.25).abs() < 0.02, "{dropped}");
    assert!(y.iter().all(|value| *value == 0.0 || (*value - 4.0 / 3.0).abs() < 1e-6));
    let other = to_vec(ops::dropout(x.inner(), 8, 0.25, 0));
    assert!(other != y);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]
    /// Three steps of every optimizer against Keras's formulas in f64.
    #[test]
    fn optimizers_follow_their_formulas(
        seed in 0u64..1000, count in 1usize..70, decay in prop_oneof![Just(0.0), Just(0.01)],
    ) {
        let device = Device::flex();
        let rate = Rate { learning_rate: 0.05, weight_decay: decay };
        let start = noise(seed, count);
        let gradients: Vec<Vec<f32>> = (1..4).map(|step| noise(seed + step, count)).collect();
        let flat = |values: &[f32]| Tensor::<1>::from_data(TensorData::new(values.to_vec(), [count]), &device);
        let zeros = || Tensor::<1>::zeros([count], &device);
        let reference = |update: &dyn Fn(u64, f64, f64, &mut [f64; 2]) -> f64| -> Vec<f32> {
            let one = |i: usize| {
                let (mut value, mut state) = (f64::from(start[i]), [0.0; 2]);
                for (step, gradient) in gradients.iter().enumerate() {
                    value = update(step as u64 + 1, value, f64::from(gradient[i]), &mut state);
                }
                value as f32
            };
            (0..count).map(one).collect()
        };
        let lr = rate.learning_rate;

        for nesterov in [false, true] {
            let (mut value, mut velocity) = (flat(&start), zeros());
            for gradient in &gradients {
                value = sgd(Sgd { momentum: 0.9, nesterov }, rate, value, flat(gradient), &mut velocity);
            }
            let truth = reference(&|_, value, gradient, state| {
                let descent = lr * (gradient + decay * value);
                state[0] = 0.9 * state[0] - descent;
                value + if nesterov { 0.9 * state[0] - descent } else { state[0] }
            });
            prop_assert!(error(&to_vec(value), &truth) < 1e-5);
        }

        let (mut value, mut square) = (flat(&start), zeros());
        for gradient in &gradients {
            value = rms_prop(RmsProp { rho: 0.9, epsilon: 1e-7 }, rate, value, flat(gradient), &mut square);
        }
        let truth = reference(&|_, value, gradient, state| {
            let gradient = gradient + decay * value;
            state[0] = 0.9 * state[0] + 0.1 * gradient * gradient;
            value - lr * gradient / (state[0] + 1e-7).sqrt()
        });
        prop_assert!(error(&to_vec(value), &truth) < 1e-4);

        for decoupled in [false, true] {
            let rule = Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-7, decoupled };
            let (mut value, mut mean, mut square) = (flat(&start), zeros(), zeros());
            for (step, gradient) in gradients.iter().enumerate() {
                value = adam(rule, rate, step as u64 + 1, value, flat(gradient), &mut mean, &mut square);
            }
            let truth = reference(&|t, value, gradient, state| {
                let gradient = if decoupled { gradient } else { gradient + decay * value };
                let value = if decoupled { value * (1.0 - lr * decay) } else { value };
                state[0] = 0.9 * state[0] + 0.1 * gradient;
                state[1] = 0.999 * state[1] + 0.001 * gradient * gradient;
                let step = lr * (1.0 - 0.999f64.powi(t as i32)).sqrt() / (1.0 - 0.9f64.powi(t as i32));
                value - step * state[0] / (state[1].sqrt() + 1e-7)
            });
            prop_assert!(error(&to_vec(value), &truth) < 1e-4);
        }
    }
}
