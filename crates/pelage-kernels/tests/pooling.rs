//! Pooling against plain f64 loops over the padded input.

use pelage_kernels::pooling::{self, Geometry};
use proptest::prelude::*;

fn noise(seed: u64, len: usize) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        // Few different values, so that windows hold equal ones.
        ((state >> 40) % 50) as f32 / 50.0 - 0.5
    };
    (0..len).map(|_| next()).collect()
}

/// For each output, the window's pixels that lie on the input, as (position in the window, index of the input), and the
/// number of pixels on the input or its border.
fn windows(g: &Geometry) -> Vec<(Vec<(u8, usize)>, usize)> {
    let mut all = Vec::new();
    for i in 0..g.output_len() {
        let (pixel, c) = (i / g.channels, i % g.channels);
        let (x, y) = (pixel % g.output_width(), pixel / g.output_width() % g.output_height());
        let n = pixel / g.output_width() / g.output_height();
        let (mut inside, mut with_border) = (Vec::new(), 0);
        for ky in 0..g.kernel[0] {
            for kx in 0..g.kernel[1] {
                let (py, px) = (y * g.stride[0] + ky, x * g.stride[1] + kx);
                let reach = [
                    g.height + g.padding[0] + g.padding[2],
                    g.width + g.padding[1] + g.padding[3],
                ];
                with_border += usize::from(py < reach[0] && px < reach[1]);
                let (iy, ix) = (py.wrapping_sub(g.padding[0]), px.wrapping_sub(g.padding[1]));
                if iy < g.height && ix < g.width {
                    let index = ((n * g.height + iy) * g.width + ix) * g.channels + c;
                    inside.push(((ky * g.kernel[1] + kx) as u8, index));
                }
            }
        }
        all.push((inside, with_border));
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
    (sizes, window, any::<bool>()).prop_map(|(sizes, (kernel, stride, padding), ceil)| Geometry {
        batch: sizes.0,
        height: sizes.1,
        width: sizes.2,
        channels: sizes.3,
        kernel,
        stride,
        padding: std::array::from_fn(|side| padding[side] % kernel[side % 2]),
        ceil,
    })
}

proptest! {
    #[test]
    fn equals_the_definition(g in geometries(), seed in 0u64..1000, include in any::<bool>()) {
        let (x, dy) = (noise(seed, g.input_len()), noise(seed + 1, g.output_len()));
        let (mut max, mut winners) = (vec![f32::NAN; dy.len()], vec![0; dy.len()]);
        pooling::max_forward(&g, &x, &mut max, &mut winners);
        let mut average = vec![f32::NAN; dy.len()];
        pooling::average_forward(&g, include, &x, &mut average);
        let (mut max_dx, mut average_dx) = (vec![f32::NAN; x.len()], vec![f32::NAN; x.len()]);
        pooling::max_backward(&g, &winners, &dy, &mut max_dx);
        pooling::average_backward(&g, include, &dy, &mut average_dx);

        let (mut averages, mut max_truth, mut average_truth) = (vec![], vec![0.0; x.len()], vec![0.0; x.len()]);
        for (i, (inside, with_border)) in windows(&g).iter().enumerate() {
            let first_best = inside.iter().fold(inside[0], |best, at| if x[at.1] > x[best.1] { *at } else { best });
            assert_eq!((max[i], winners[i]), (x[first_best.1], first_best.0));
            max_truth[first_best.1] += f64::from(dy[i]);
            let count = if include { *with_border } else { inside.len() } as f64;
            averages.push(inside.iter().map(|at| f64::from(x[at.1])).sum::<f64>() / count);
            inside.iter().for_each(|at| average_truth[at.1] += f64::from(dy[i]) / count);
        }
        close(&average, &averages);
        close(&max_dx, &max_truth);
        close(&average_dx, &average_truth);
    }
}

#[test]
fn sizes_as_in_pytorch() {
    let g = |size: usize, kernel: usize, stride: usize, padding: usize, ceil: bool| Geometry {
        batch: 1,
        height: size,
        width: size,
        channels: 1,
        kernel: [kernel; 2],
        stride: [stride; 2],
        padding: [padding; 4],
        ceil,
    };
    // torch.nn.MaxPool2d(kernel, stride, padding, ceil_mode=ceil) on these sizes.
    for (geometry, output) in [
        (g(112, 3, 2, 1, false), 56),
        (g(112, 3, 2, 0, true), 56),
        (g(112, 3, 2, 0, false), 55),
        (g(75, 2, 2, 0, false), 37),
        (g(75, 2, 2, 0, true), 38),
        (g(5, 2, 2, 1, true), 3),
        (g(2, 3, 3, 1, true), 1),
    ] {
        assert_eq!(
            (geometry.output_height(), geometry.output_width()),
            (output, output),
            "{geometry:?}"
        );
    }
}

#[test]
fn a_not_a_number_wins() {
    let g = Geometry {
        batch: 1,
        height: 2,
        width: 2,
        channels: 1,
        kernel: [2; 2],
        stride: [2; 2],
        padding: [0; 4],
        ceil: false,
    };
    let (mut output, mut winners) = ([0.0], [9]);
    pooling::max_forward(&g, &[1.0, f32::NAN, 3.0, f32::NAN], &mut output, &mut winners);
    assert!(output[0].is_nan() && winners == [1]);
    pooling::max_forward(&g, &[f32::NEG_INFINITY; 4], &mut output, &mut winners);
    assert_eq!((output, winners), ([f32::NEG_INFINITY], [0]));
}

#[test]
fn global_average() {
    let (n, pixels, c) = (3, 49, 37);
    let (x, dy) = (noise(1, n * pixels * c), noise(2, n * c));
    let (mut y, mut dx) = (vec![0.0; n * c], vec![0.0; x.len()]);
    pooling::global_average_forward(pixels, c, &x, &mut y);
    pooling::global_average_backward(pixels, c, &dy, &mut dx);
    let (mut sums, mut grads) = (vec![0.0; n * c], vec![]);
    for (i, x) in x.iter().enumerate() {
        let at = i / (pixels * c) * c + i % c;
        sums[at] += f64::from(*x) / pixels as f64;
        grads.push(f64::from(dy[at]) / pixels as f64);
    }
    close(&y, &sums);
    close(&dx, &grads);
}
