//! Attention against the definition in f64, on every instruction set.

use pelage_kernels::attention::{Shape, forward};
use pelage_kernels::isa::Isa;
use support::{assert_near, noise};

mod support;

/// `[batch, tokens, heads, depth]`, from `[batch, tokens, 3, heads, depth]`.
fn naive(shape: Shape, input: &[f32]) -> Vec<f64> {
    let Shape {
        batch,
        tokens,
        heads,
        depth,
    } = shape;
    let at = |image: usize, token: usize, part: usize, head: usize, channel: usize| {
        f64::from(input[((((image * tokens + token) * 3 + part) * heads) + head) * depth + channel])
    };
    let mut output = Vec::new();
    for image in 0..batch {
        for token in 0..tokens {
            for head in 0..heads {
                let score = |other: usize| {
                    let products = (0..depth).map(|c| at(image, token, 0, head, c) * at(image, other, 1, head, c));
                    (products.sum::<f64>() / (depth as f64).sqrt()).exp()
                };
                let scores: Vec<f64> = (0..tokens).map(score).collect();
                let sum: f64 = scores.iter().sum();
                output.extend((0..depth).map(|c| {
                    let products = (0..tokens).map(|other| scores[other] * at(image, other, 2, head, c));
                    products.sum::<f64>() / sum
                }));
            }
        }
    }
    output
}

#[test]
fn forward_equals_the_definition() {
    for (batch, tokens, heads, depth) in [
        (1, 1, 1, 1),
        (2, 5, 3, 4),
        (1, 6, 1, 16),
        (2, 33, 2, 20),
        (1, 50, 6, 64),
    ] {
        let shape = Shape {
            batch,
            tokens,
            heads,
            depth,
        };
        // Wide enough that some tokens attend to few others.
        let input: Vec<f32> = noise(7, 3 * batch * tokens * heads * depth)
            .iter()
            .map(|x| 8.0 * x)
            .collect();
        let truth = naive(shape, &input);
        for isa in Isa::available() {
            let ours = forward(isa, shape, &input);
            assert_near(&format!("{shape:?} on {}", isa.name()), &ours, &truth, depth, 5e-6);
        }
    }
}

#[test]
fn scores_of_any_size_give_shares() {
    let shape = Shape {
        batch: 1,
        tokens: 3,
        heads: 1,
        depth: 2,
    };
    let input = [
        1e4, 0.0, 1e4, 0.0, 1.0, 2.0, -1e4, 0.0, -1e4, 0.0, 3.0, 4.0, 0.0, 0.0, 0.0, 0.0, 5.0, 6.0,
    ];
    for isa in Isa::available() {
        let found = forward(isa, shape, &input);
        assert_eq!(found[..4], [1.0, 2.0, 3.0, 4.0], "{}", isa.name());
        assert!(
            (found[4] - 3.0).abs() < 1e-6 && (found[5] - 4.0).abs() < 1e-6,
            "{found:?}"
        );
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let shape = Shape {
        batch: 3,
        tokens: 20,
        heads: 4,
        depth: 8,
    };
    let input = noise(1, 3 * 3 * 20 * 32);
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| forward(Isa::best(), shape, &input))
    };
    assert!(on(1) == on(3));
}
