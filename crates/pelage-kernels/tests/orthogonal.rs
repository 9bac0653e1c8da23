//! The Newton-Schulz iteration against f64 loops, on every instruction set of this CPU.

use pelage_kernels::isa::Isa;
use pelage_kernels::orthogonal::orthogonalize;

mod support;
use support::noise;

/// The definition, as plain loops.
fn reference([rows, columns]: [usize; 2], steps: usize, matrix: &[f32]) -> Vec<f64> {
    let norm = matrix
        .iter()
        .map(|&x| f64::from(x).powi(2))
        .sum::<f64>()
        .sqrt()
        .max(1e-7);
    let mut x: Vec<f64> = matrix.iter().map(|&x| f64::from(x) / norm).collect();
    let product = |a: &dyn Fn(usize, usize) -> f64, b: &dyn Fn(usize, usize) -> f64, [n, m, k]: [usize; 3]| {
        let at = |i: usize| (0..k).map(|l| a(i / m, l) * b(l, i % m)).sum::<f64>();
        (0..n * m).map(at).collect::<Vec<_>>()
    };
    for _ in 0..steps {
        // In the larger square, where ours computes in the smaller: X X' X is the same either way.
        let square = product(
            &|i, k| x[i * columns + k],
            &|k, j| x[j * columns + k],
            [rows, rows, columns],
        );
        let fourth = product(
            &|i, k| square[i * rows + k],
            &|k, j| square[k * rows + j],
            [rows, rows, rows],
        );
        let sum: Vec<_> = square
            .iter()
            .zip(&fourth)
            .map(|(a, b)| -4.7750 * a + 2.0315 * b)
            .collect();
        let change = product(
            &|i, k| sum[i * rows + k],
            &|k, j| x[k * columns + j],
            [rows, columns, rows],
        );
        x.iter_mut()
            .zip(change)
            .for_each(|(x, change)| *x = 3.4445 * *x + change);
    }
    x
}

#[test]
fn equals_the_definition_on_any_number_of_threads() {
    for (seed, shape) in [
        (1, [1, 1]),
        (2, [5, 3]),
        (3, [32, 27]),
        (4, [48, 200]),
        (5, [130, 65]),
        (6, [3, 1]),
    ] {
        let matrix = noise(seed, shape[0] * shape[1]);
        for steps in [0, 3, 5] {
            let truth = reference(shape, steps, &matrix);
            for isa in Isa::available() {
                let ours = |threads: usize| {
                    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                    let mut ours = matrix.clone();
                    pool.install(|| orthogonalize(isa, shape, steps, &mut ours));
                    ours
                };
                let one = ours(1);
                for (a, b) in one.iter().zip(&truth) {
                    let error = (f64::from(*a) - b).abs();
                    assert!(error < 2e-5, "{} {shape:?} {steps}: {a} {b}", isa.name());
                }
                assert_eq!(one, ours(3));
            }
        }
    }
}

#[test]
fn singular_values_end_near_one_and_nothing_comes_of_nothing() {
    let shape = [24, 60];
    let mut x = noise(7, shape[0] * shape[1]);
    orthogonalize(Isa::best(), shape, 5, &mut x);
    // Of rows that are nearly orthonormal, each has a length near 1.
    for row in x.chunks(shape[1]) {
        let length = row.iter().map(|x| x * x).sum::<f32>().sqrt();
        assert!((0.6..1.3).contains(&length), "{length}");
    }
    let mut zeros = vec![0.0; 12];
    orthogonalize(Isa::best(), [3, 4], 5, &mut zeros);
    assert_eq!(zeros, [0.0; 12]);
}
