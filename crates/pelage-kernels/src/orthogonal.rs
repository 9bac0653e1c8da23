//! The matrix with the same singular vectors as another and singular values near 1, by the quintic Newton-Schulz
//! iteration with the coefficients of Muon (Jordan 2024): a few matrix products, as 1x1 convolutions.
//!
//! The coefficients do not converge: singular values end somewhere between 0.7 and 1.2, after far fewer steps than
//! exact ones would take.

use crate::convolution::{self, Activation, Geometry, pack};
use crate::isa::Isa;

/// Of the polynomial a x + b x^3 + c x^5 of each singular value.
const COEFFICIENTS: [f32; 3] = [3.4445, -4.7750, 2.0315];
/// Norms below this count as this.
const SMALLEST: f64 = 1e-7;

/// Replaces `matrix` `[rows, columns]` by the result of `steps` steps of the iteration. Bit-identical for any number of
/// threads.
///
/// # Panics
/// If the length of `matrix` is not that of its shape, or 0.
pub fn orthogonalize(isa: Isa, [rows, columns]: [usize; 2], steps: usize, matrix: &mut [f32]) {
    assert_eq!(matrix.len(), rows * columns, "length of matrix");
    assert!(!matrix.is_empty(), "no matrix");
    let norm = matrix.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
    let scale = (1.0 / norm.max(SMALLEST)) as f32;
    matrix.iter_mut().for_each(|x| *x *= scale);
    // The smaller square is computed with.
    if rows > columns {
        let mut turned = transposed(matrix, [rows, columns]);
        iterate(isa, [columns, rows], steps, &mut turned);
        matrix.copy_from_slice(&transposed(&turned, [columns, rows]));
    } else {
        iterate(isa, [rows, columns], steps, matrix);
    }
}

fn iterate(isa: Isa, [rows, columns]: [usize; 2], steps: usize, x: &mut [f32]) {
    let [a, b, c] = COEFFICIENTS;
    for _ in 0..steps {
        // X becomes a X + (b A + c A A) X with A = X X', which is symmetric.
        let square = times_transposed(isa, x, x, columns, None);
        let mut sum = times_transposed(isa, &square, &square, rows, None);
        sum.iter_mut()
            .zip(&square)
            .for_each(|(sum, square)| *sum = b * square + c * *sum);
        let turned = transposed(x, [rows, columns]);
        x.iter_mut().for_each(|x| *x *= a);
        let next = times_transposed(isa, &sum, &turned, rows, Some(x));
        x.copy_from_slice(&next);
    }
}

/// `left` times the transpose of `right`, whose rows both have `inner` numbers, plus `more`.
fn times_transposed(isa: Isa, left: &[f32], right: &[f32], inner: usize, more: Option<&[f32]>) -> Vec<f32> {
    let geometry = Geometry {
        batch: 1,
        height: 1,
        width: left.len() / inner,
        in_channels: inner,
        out_channels: right.len() / inner,
        kernel: [1; 2],
        stride: [1; 2],
        padding: [0; 4],
        groups: 1,
    };
    let packed = pack(isa, &geometry, right, None);
    convolution::forward_new(isa, &geometry, left, &packed, more, Activation::None)
}

fn transposed(matrix: &[f32], [rows, columns]: [usize; 2]) -> Vec<f32> {
    let mut turned = vec![0.0; matrix.len()];
    for (i, row) in matrix.chunks_exact(columns).enumerate() {
        for (j, value) in row.iter().enumerate() {
            turned[j * rows + i] = *value;
        }
    }
    turned
}
