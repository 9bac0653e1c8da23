//! Pooling against naive f64 loops over the padded input.

use pelage_kernels::pooling::{self, Geometry};
use proptest::prelude::*;

fn noise(seed: u64, len: usize) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        // Few distinct values, so that windows have ties.
        ((state >> 40) % 50) as f32 / 50.0 - 0.5
    };
    (0..len).map(|_| next()).collect()
}

/// For each output, the window's pixels that are within the input, as (position in the window, index in the input).
fn windows(g: &Geometry) -> Vec<Vec<(u8, usize)>> {
    let mut all = Vec::new();
    for i in 0..g.output_len() {
        let (pixel, c) = (i / g.channels, i % g.channels);
        let (x, y) = (pixel % g.output_width(), pixel / g.output_width() % g.output_height());
        let n = pixel / g.output_width() / g.output_height();
        let mut inside = Vec::new();
        for ky in 0..g.kernel[0] {
            for kx in 0..g.kernel[1] {
                let (py, px) = (y * g.stride[0] + ky, x * g.stride[1] + kx);
                let (iy, ix) = (py.wrapping_sub(g.padding[0]), px.wrapping_sub(g.padding[1]));
                if iy < g.height && ix < g.width {
                    let index = ((n * g.height + iy) * g.width + ix) * g.channels + c;
                    inside.push(((ky * g.kernel[1] + kx) as u8, index));
                }
            }
        }
        all.push(inside);
    }
    all
}

fn close(ours: &[f32], truth: &[f64]) {
    assert_eq!(ours.len(), truth.len());
    for (a, b) in ours.iter().zip(truth) {
        assert!((f64::from(*a) - b).abs() < 1e-5, "{a} instead of {b}");
    }
}

fn geometries() -> impl Strategy<Value = Geometry> {
    let sizes = (1usize..4, 4usize..20, 4usize..20, 1usize..20);
    let window = (
        [1usize..=4, 1usize..=4],
        [1usize..=4, 1usize..=4],
        [0usize..4, 0usize..4, 0usize..4, 0usize..4],
    );
    (sizes, window).prop_map(|(sizes, (kernel, stride, padding))| Geometry {
        batch: sizes.0,
        height: sizes.1,
        width: sizes.2,
        channels: sizes.3,
        kernel,
        stride,
        padding: std::array::from_fn(|side| padding[side] % kernel[side % 2]),
    })
}

proptest! {
    #[test]
    fn maximum_equals_the_definition(g in geometries(), seed in 0u64..1000) {
        let (x, dy) = (noise(seed, g.input_len()), noise(seed + 1, g.output_len()));
        let (mut max, mut winners) = (vec![f32::NAN; dy.len()], vec![0; dy.len()]);
        pooling::max_forward(&g, &x, &mut max, &mut winners);
        let mut dx = vec![f32::NAN; x.len()];
        pooling::max_backward(&g, &winners, &dy, &mut dx);

        let mut truth = vec![0.0; x.len()];
        for (i, inside) in windows(&g).iter().enumerate() {
            let first_best = inside.iter().fold(inside[0], |best, at| if x[at.1] > x[best.1] { *at } else { best });
            assert_eq!((max[i], winners[i]), (x[first_best.1], first_best.0));
            truth[first_best.1] += f64::from(dy[i]);
        }
        close(&dx, &truth);
    }

    #[test]
    fn global_average_equals_the_definition(
        n in 0usize..4, pixels in 1usize..300, c in 1usize..40, seed in 0u64..1000,
    ) {
        let (x, dy) = (noise(seed, n * pixels * c), noise(seed + 1, n * c));
        let (mut sums, mut grads) = (vec![0.0; n * c], vec![]);
        for (i, x) in x.iter().enumerate() {
            let at = i / (pixels * c) * c + i % c;
            sums[at] += f64::from(*x) / pixels as f64;
            grads.push(f64::from(dy[at]) / pixels as f64);
        }
        close(&pooling::global_average_forward(pixels, c, &x), &sums);
        close(&pooling::global_average_backward(pixels, c, &dy), &grads);
    }
}

#[test]
fn sizes_as_in_pytorch() {
    // torch.nn.MaxPool2d(kernel, stride, padding) on these sizes.
    for (size, kernel, stride, padding, output) in [(112, 3, 2, 1, 56), (112, 3, 2, 0, 55), (75, 2, 2, 0, 37)] {
        let geometry = Geometry {
            batch: 1,
            height: size,
            width: size,
            channels: 1,
            kernel: [kernel; 2],
            stride: [stride; 2],
            padding: [padding; 4],
        };
        assert_eq!(
            [geometry.output_height(), geometry.output_width()],
            [output; 2],
            "{geometry:?}"
        );
    }
}

#[test]
fn nan_wins() {
    let g = Geometry {
        batch: 1,
        height: 2,
        width: 2,
        channels: 1,
        kernel: [2; 2],
        stride: [2; 2],
        padding: [0; 4],
    };
    let (mut output, mut winners) = ([0.0], [9]);
    pooling::max_forward(&g, &[1.0, f32::NAN, 3.0, f32::NAN], &mut output, &mut winners);
    assert!(output[0].is_nan() && winners == [1]);
    pooling::max_forward(&g, &[f32::NEG_INFINITY; 4], &mut output, &mut winners);
    assert_eq!((output, winners), ([f32::NEG_INFINITY], [0]));
}
