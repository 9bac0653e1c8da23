//! Convolution against naive f64 loops, on every instruction set of this CPU.

use pelage_kernels::convolution::{self, Activation, Geometry, Link, Path};
use pelage_kernels::isa::Isa;
use proptest::prelude::*;

mod support;
use support::{activated, noise, products, usual_sum};

/// Largest difference relative to the largest value, or to the typical size of a sum of `terms` terms.
fn error(ours: &[f32], truth: &[f64], terms: usize) -> f64 {
    assert_eq!(ours.len(), truth.len());
    let scale = truth
        .iter()
        .fold(usual_sum(terms).max(1e-3), |m: f64, v| m.max(v.abs()));
    ours.iter().zip(truth).fold(0.0, |m: f64, (a, b)| {
        let difference = (f64::from(*a) - b).abs();
        if difference.is_nan() {
            f64::INFINITY
        } else {
            m.max(difference)
        }
    }) / scale
}

fn forward(isa: Isa, g: &Geometry, seed: u64, residual: bool, activation: Activation) -> Vec<f32> {
    let (x, w, b) = (
        noise(seed, g.input_len()),
        noise(seed + 1, g.weight_len()),
        noise(seed + 2, g.out_channels),
    );
    let residual = residual.then(|| noise(seed + 3, g.output_len()));
    let packed = convolution::pack(isa, g, &w, Some(&b));
    let mut output = vec![f32::NAN; g.output_len()];
    convolution::forward(isa, g, &x, &packed, residual.as_deref(), activation, &mut output);
    output
}

fn check_forward(g: &Geometry, seed: u64, residual: bool, activation: Activation) {
    let (x, w, b) = (
        noise(seed, g.input_len()),
        noise(seed + 1, g.weight_len()),
        noise(seed + 2, g.out_channels),
    );
    let mut truth: Vec<f64> = (0..g.output_len()).map(|i| f64::from(b[i % g.out_channels])).collect();
    products(g, |o, i, k| truth[o] += f64::from(x[i]) * f64::from(w[k]));
    if residual {
        let residual = noise(seed + 3, truth.len());
        truth
            .iter_mut()
            .zip(residual)
            .for_each(|(sum, add)| *sum += f64::from(add));
    }
    truth.iter_mut().for_each(|x| *x = activated(activation, *x));
    for isa in Isa::available() {
        let terms = g.multiply_adds() / g.output_len().max(1);
        let error = error(&forward(isa, g, seed, residual, activation), &truth, terms);
        assert!(
            error < 2e-5,
            "forward on {}: relative error {error:e} for {g:?}",
            isa.name()
        );
    }
}

/// Gradients of weights, bias and input.
fn backward(isa: Isa, g: &Geometry, seed: u64) -> [Vec<f32>; 3] {
    let (x, w, dy) = (
        noise(seed, g.input_len()),
        noise(seed + 1, g.weight_len()),
        noise(seed + 2, g.output_len()),
    );
    let mut grads = [w.len(), g.out_channels, x.len()].map(|len| vec![f32::NAN; len]);
    let [dw, db, dx] = grads.each_mut().map(|grad| Some(&mut grad[..]));
    convolution::backward(isa, g, &x, &w, &dy, dw, db, dx);
    grads
}

fn check_backward(g: &Geometry, seed: u64) {
    let (x, w, dy) = (
        noise(seed, g.input_len()),
        noise(seed + 1, g.weight_len()),
        noise(seed + 2, g.output_len()),
    );
    let mut truth = [w.len(), g.out_channels, x.len()].map(|len| vec![0.0f64; len]);
    let [dw, db, dx] = &mut truth;
    products(g, |o, i, k| {
        dw[k] += f64::from(dy[o]) * f64::from(x[i]);
        dx[i] += f64::from(dy[o]) * f64::from(w[k]);
    });
    dy.iter()
        .enumerate()
        .for_each(|(o, dy)| db[o % g.out_channels] += f64::from(*dy));
    for isa in Isa::available() {
        let ours = backward(isa, g, seed);
        for ((ours, truth), what) in ours.iter().zip(&truth).zip(["weights", "bias", "input"]) {
            let terms = match what {
                "bias" => g.output_len(),
                _ => g.multiply_adds(),
            };
            let error = error(ours, truth, terms / truth.len().max(1));
            assert!(
                error < 2e-5,
                "gradient of {what} on {}: relative error {error:e} for {g:?}",
                isa.name()
            );
        }
    }
}

fn geometries() -> impl Strategy<Value = Geometry> {
    let kinds = prop_oneof![
        4 => (1usize..=40, 1usize..=40, Just(1usize)),
        1 => (1usize..=8, 1usize..=8, 2usize..=5),
        // Depthwise: as many groups as channels.
        3 => (Just(1usize), Just(1usize), 2usize..=40),
        1 => (Just(1usize), 2usize..=3, 2usize..=9),
    ];
    let (sizes, stride) = ((1usize..=2, 1usize..=20, 1usize..=20), [1usize..=3, 1usize..=3]);
    let (kernel, padding) = (
        [1usize..=5, 1usize..=5],
        prop_oneof![Just([0; 4]), [0usize..=3, 0usize..=3, 0usize..=3, 0usize..=3]],
    );
    let square = prop_oneof![
        Just(None),
        prop_oneof![Just(1usize), Just(3), Just(5), Just(7)].prop_map(Some)
    ];
    (kinds, sizes, kernel, stride, padding, square).prop_map(|(kind, sizes, kernel, stride, padding, square)| {
        Geometry {
            batch: sizes.0,
            height: sizes.1,
            width: sizes.2,
            in_channels: kind.0 * kind.2,
            out_channels: kind.1 * kind.2,
            kernel: square.map_or(kernel, |size| [size, size]),
            stride,
            padding,
            groups: kind.2,
        }
    })
}

fn activations() -> impl Strategy<Value = Activation> {
    proptest::sample::select(&Activation::ALL[..])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn forward_equals_the_definition(
        g in geometries(), seed in 0u64..1000, residual in any::<bool>(), activation in activations(),
    ) {
        check_forward(&g, seed, residual, activation);
    }

    #[test]
    fn winograd_equals_the_definition(
        sizes in (1usize..=3, 1usize..=30, 1usize..=30), channels in (1usize..=4, 8usize..=70),
        padding in [0usize..=3, 0usize..=3, 0usize..=3, 0usize..=3], seed in 0u64..1000, residual in any::<bool>(),
        activation in activations(),
    ) {
        let g = Geometry {
            batch: sizes.0,
            height: sizes.1,
            width: sizes.2,
            padding,
            ..layer(1, [16 * channels.0, channels.1], 3, 1, 1)
        };
        for isa in Isa::available() {
            assert_eq!(convolution::path(isa, &g), Path::Winograd);
        }
        check_forward(&g, seed, residual, activation);
    }

    /// Enough tiles for the gradient of the weights by Winograd's filtering, on every instruction set, in one go or in
    /// several.
    #[test]
    fn gradients_of_many_tiles_equal_the_definition(
        sizes in (1usize..=3, 29usize..=34, 29usize..=34), channels in (1usize..=2, 1usize..=3),
        padding in [0usize..=2, 0usize..=2, 0usize..=2, 0usize..=2], seed in 0u64..1000,
    ) {
        let g = Geometry {
            batch: sizes.0,
            height: sizes.1,
            width: sizes.2,
            padding,
            ..layer(1, [32 * channels.0, 16 * channels.1], 3, 1, 1)
        };
        check_backward(&g, seed);
    }

    #[test]
    fn backward_equals_the_definition(g in geometries(), seed in 0u64..1000) {
        check_backward(&g, seed);
    }
}

/// Chains of links of random sizes, some with windows that span several bands.
fn chains() -> impl Strategy<Value = Vec<Geometry>> {
    let size = (1usize..=2, 1usize..=70, 1usize..=40, 1usize..=40);
    let link = (1usize..=4, 1usize..=2, 0usize..=2, 1usize..=40, any::<bool>());
    (size, prop::collection::vec(link, 1..4)).prop_map(|((batch, height, width, channels), links)| {
        let mut chain: Vec<Geometry> = Vec::new();
        for (kernel, stride, padding, out_channels, depthwise) in links {
            let before = chain.last().map_or([height, width, channels], |g| {
                [g.output_height(), g.output_width(), g.out_channels]
            });
            chain.push(Geometry {
                batch,
                height: before[0],
                width: before[1],
                in_channels: before[2],
                out_channels: if depthwise { before[2] } else { out_channels },
                // Not 3x3, which would take Winograd's path.
                kernel: [kernel, if depthwise { kernel } else { kernel.min(2) }],
                stride: [stride; 2],
                padding: [padding, padding, padding / 2, padding],
                groups: if depthwise { before[2] } else { 1 },
            });
        }
        chain
    })
}

/// Compares a chain with [`convolution::forward`] of each link, bit for bit.
fn check_chain(chain: &[Geometry], seed: u64, residual: bool, activation: Activation, threads: usize) {
    let input = noise(seed, chain[0].input_len());
    let residual = residual.then(|| noise(seed + 1, chain[chain.len() - 1].output_len()));
    for isa in Isa::available() {
        let packed: Vec<_> = chain
            .iter()
            .enumerate()
            .map(|(i, g)| convolution::pack(isa, g, &noise(seed + i as u64, g.weight_len()), None))
            .collect();
        let mut truth = input.clone();
        for (i, (g, packed)) in chain.iter().zip(&packed).enumerate() {
            let residual = residual.as_deref().filter(|_| i + 1 == chain.len());
            truth = convolution::forward_new(isa, g, &truth, packed, residual, activation);
        }
        let links = chain.iter().zip(&packed);
        let links: Vec<_> = links
            .map(|(&geometry, packed)| Link {
                geometry,
                packed,
                activation,
            })
            .collect();
        let mut output = vec![f32::NAN; truth.len()];
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| convolution::forward_chain(isa, &links, &input, residual.as_deref(), &mut output));
        assert!(output == truth, "{} for {chain:?}", isa.name());
    }
}

/// A band of the last output within the padding needs no row of the previous link, which in turn needs none of the
/// first.
#[test]
fn bands_in_the_padding_need_no_rows() {
    let link = |height, channels: [usize; 2], stride| Geometry {
        batch: 1,
        height,
        width: 3,
        in_channels: channels[0],
        out_channels: channels[1],
        kernel: [1; 2],
        stride: [stride; 2],
        padding: [1, 1, 0, 1],
        groups: 1,
    };
    check_chain(
        &[link(1, [1, 33], 2), link(1, [33, 1], 1)],
        0,
        false,
        Activation::None,
        2,
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn a_chain_equals_its_links_one_by_one(
        chain in chains(), seed in 0u64..1000, residual in any::<bool>(), activation in activations(),
        threads in 1usize..4,
    ) {
        check_chain(&chain, seed, residual, activation, threads);
    }
}

fn layer(side: usize, channels: [usize; 2], kernel: usize, stride: usize, groups: usize) -> Geometry {
    Geometry {
        batch: 1,
        height: side,
        width: side,
        in_channels: channels[0],
        out_channels: channels[1],
        kernel: [kernel; 2],
        stride: [stride; 2],
        padding: [kernel / 2; 4],
        groups,
    }
}

#[test]
fn windows_larger_than_a_cache_piece() {
    for g in [
        layer(9, [130, 70], 3, 1, 1),
        layer(7, [300, 40], 3, 1, 1),
        layer(5, [1030, 24], 1, 1, 1),
        layer(13, [192, 160], 3, 1, 1),
    ] {
        check_forward(&g, 3, true, Activation::Relu);
    }
}

#[test]
fn weights_that_several_threads_pack() {
    for g in [
        layer(6, [520, 80], 1, 1, 1),
        layer(7, [130, 70], 3, 2, 1),
        layer(5, [150, 130], 3, 2, 2),
    ] {
        check_forward(&g, 5, true, Activation::None);
    }
}

#[test]
fn blocks_of_rows_and_pixels() {
    for g in [
        layer(70, [48, 8], 3, 1, 1),
        layer(75, [24, 16], 1, 2, 1),
        layer(90, [33, 33], 3, 2, 33),
    ] {
        check_forward(&Geometry { batch: 2, ..g }, 4, false, Activation::None);
        check_backward(&Geometry { batch: 2, ..g }, 4);
    }
}

#[test]
fn each_geometry_takes_its_path() {
    for isa in Isa::available() {
        let path =
            |channels, kernel, stride, groups| convolution::path(isa, &layer(7, channels, kernel, stride, groups));
        assert_eq!(path([8, 16], 1, 1, 1), Path::Direct);
        assert_eq!(path([8, 16], 1, 2, 1), Path::Direct);
        assert_eq!(path([16, 16], 3, 1, 1), Path::Winograd);
        assert_eq!(path([16, 16], 3, 2, 1), Path::Copied);
        assert_eq!(path([9, 16], 3, 1, 1), Path::Copied);
        assert_eq!(path([16, 4], 3, 1, 1), Path::Copied);
        assert_eq!(path([1, 1], 3, 1, 1), Path::Copied);
        assert_eq!(path([8, 16], 1, 1, 4), Path::Copied);
        assert_eq!(path([8, 16], 3, 1, 8), Path::Copied);
        assert_eq!(path([8, 8], 3, 1, 8), Path::Depthwise);
    }
}

#[test]
fn bit_identical_on_any_number_of_threads() {
    for g in [
        layer(30, [20, 37], 3, 1, 1),
        layer(31, [32, 37], 3, 1, 1),
        layer(37, [64, 48], 3, 1, 1),
        layer(30, [20, 37], 1, 1, 1),
        layer(30, [37, 37], 5, 2, 37),
    ] {
        let runs = [1, 2, 5].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| forward(Isa::best(), &g, 1, false, Activation::Silu))
        });
        assert!(runs[0] == runs[1] && runs[0] == runs[2], "{g:?}");
        let runs = [1, 2, 5].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| backward(Isa::best(), &Geometry { batch: 3, ..g }, 1))
        });
        assert!(runs[0] == runs[1] && runs[0] == runs[2], "{g:?}");
    }
}

#[test]
fn nan_propagates() {
    for isa in Isa::available() {
        for activation in [Activation::None, Activation::Relu, Activation::Relu6, Activation::Silu] {
            for g in [layer(4, [1, 20], 1, 1, 1), layer(3, [20, 20], 3, 1, 20)] {
                let packed = convolution::pack(isa, &g, &vec![1.0; g.weight_len()], None);
                let mut output = vec![0.0; g.output_len()];
                let input = vec![f32::NAN; g.input_len()];
                convolution::forward(isa, &g, &input, &packed, None, activation, &mut output);
                assert!(output.iter().all(|v| v.is_nan()), "{activation:?} on {}", isa.name());
            }
        }
    }
}

#[test]
fn silu_over_its_whole_range() {
    let x: Vec<f32> = (-40_000..40_000).map(|i| i as f32 / 400.0).collect();
    for isa in Isa::available() {
        let mut y = x.clone();
        convolution::activate(isa, Activation::Silu, &mut y);
        for (x, y) in x.iter().zip(&y) {
            let truth = activated(Activation::Silu, f64::from(*x));
            let error = (f64::from(*y) - truth).abs() / truth.abs().max(1e-30);
            assert!(
                error < 1e-6 || truth.abs() < 1e-35,
                "{}: silu({x}) = {y}, not {truth}",
                isa.name()
            );
        }
    }
}

/// What is lost far below zero is small beside the input, not beside the output.
#[test]
fn gelu_and_hard_swish_over_their_whole_range() {
    let x: Vec<f32> = (-40_000..40_000).map(|i| i as f32 / 400.0).collect();
    let curves = [Activation::Gelu, Activation::HardSwish];
    for (isa, activation) in Isa::available()
        .into_iter()
        .flat_map(|isa| curves.map(|curve| (isa, curve)))
    {
        let mut y = x.clone();
        convolution::activate(isa, activation, &mut y);
        for (x, y) in x.iter().zip(&y) {
            let error = (f64::from(*y) - activated(activation, f64::from(*x))).abs();
            assert!(
                error <= 2.5e-7 * f64::from(x.abs()),
                "{}: {activation:?} of {x} is {y}, off by {error}",
                isa.name()
            );
        }
    }
}

#[test]
fn gradients_of_activations_equal_finite_differences() {
    let x = noise(1, 10_000).iter().map(|x| x * 20.0).collect::<Vec<f32>>();
    for activation in Activation::ALL {
        let mut grad = vec![2.0; x.len()];
        convolution::activation_backward(Isa::best(), activation, &x, &mut grad);
        for (x, grad) in x.iter().map(|x| f64::from(*x)).zip(grad) {
            let slope = (activated(activation, x + 1e-5) - activated(activation, x - 1e-5)) / 2e-5;
            let corner = [-3.0, 0.0, 3.0, 6.0].iter().any(|corner| (x - corner).abs() < 1e-4);
            assert!(
                corner || (f64::from(grad) - 2.0 * slope).abs() < 1e-4,
                "{activation:?} at {x}: {grad}"
            );
        }
    }
}
