//! Five steps of each optimizer against the formulas in f64, on every instruction set of this CPU.

use pelage_kernels::isa::Isa;
use pelage_kernels::optimizer::{Adam, Rate, RmsProp, Sgd, adam, rms_prop, sgd};
use proptest::prelude::*;

mod support;
use support::{assert_near, noise};

const STEPS: u64 = 5;

/// Runs `ours(t, parameters, gradients, state)` and `truth(t, parameter, gradient, state)` side by side.
fn check(
    len: usize,
    seed: u64,
    what: &str,
    mut ours: impl FnMut(u64, &mut [f32], &[f32], &mut [Vec<f32>; 2]),
    truth: impl Fn(i32, &mut f64, f64, &mut [f64; 2]),
) {
    let mut parameters = noise(seed, len);
    let mut exact: Vec<(f64, [f64; 2])> = parameters.iter().map(|p| (f64::from(*p), [0.0; 2])).collect();
    let mut state = [vec![0.0; len], vec![0.0; len]];
    for t in 1..=STEPS {
        let gradients = noise(seed + t, len);
        ours(t, &mut parameters, &gradients, &mut state);
        for ((parameter, state), gradient) in exact.iter_mut().zip(&gradients) {
            truth(t as i32, parameter, f64::from(*gradient), state);
        }
    }
    let exact: Vec<f64> = exact.iter().map(|(parameter, _)| *parameter).collect();
    assert_near(what, &parameters, &exact, 0, 1e-5);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]
    #[test]
    fn equal_the_formulas(
        len in prop_oneof![1usize..100, 16_000usize..40_000], decay in prop_oneof![Just(0.0), Just(0.01)],
        nesterov: bool, decoupled: bool, seed in 0u64..1000,
    ) {
        let rate = Rate { learning_rate: 0.02, weight_decay: decay };
        let lr = rate.learning_rate;
        for isa in Isa::available() {
            let rule = Sgd { momentum: 0.9, nesterov };
            let ours = |_, w: &mut [f32], g: &[f32], [v, _]: &mut [Vec<f32>; 2]| sgd(isa, rule, rate, w, g, v);
            check(len, seed, &format!("{rule:?} on {}", isa.name()), ours, |_, w, g, [v, _]| {
                let descent = lr * (g + decay * *w);
                *v = 0.9 * *v - descent;
                *w += if nesterov { 0.9 * *v - descent } else { *v };
            });
            let rule = RmsProp { rho: 0.9, epsilon: 1e-7 };
            let ours = |_, w: &mut [f32], g: &[f32], [s, _]: &mut [Vec<f32>; 2]| rms_prop(isa, rule, rate, w, g, s);
            check(len, seed, &format!("{rule:?} on {}", isa.name()), ours, |_, w, g, [s, _]| {
                let g = g + decay * *w;
                *s = 0.9 * *s + 0.1 * g * g;
                *w -= lr * g / (*s + 1e-7).sqrt();
            });
            let rule = Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-7, decoupled };
            let ours = |t, w: &mut [f32], g: &[f32], [m, s]: &mut [Vec<f32>; 2]| adam(isa, rule, rate, t, w, g, m, s);
            check(len, seed, &format!("{rule:?} on {}", isa.name()), ours, |t, w, g, [m, s]| {
                let g = if decoupled { g } else { g + decay * *w };
                if decoupled {
                    *w -= lr * decay * *w;
                }
                *m = 0.9 * *m + 0.1 * g;
                *s = 0.999 * *s + 0.001 * g * g;
                *w -= lr * (1.0 - 0.999f64.powi(t)).sqrt() / (1.0 - 0.9f64.powi(t)) * *m / (s.sqrt() + 1e-7);
            });
        }
    }
}
