//! Convolution and pooling of bf16 against naive f64 loops over the same values, in portable code and, where this CPU
//! has them, by the instructions made for it.

use pelage_kernels::bf16::{self, Instructions, Link, stride};
use pelage_kernels::convolution::{Activation, Geometry};
use pelage_kernels::isa::Isa;
use pelage_kernels::pooling;
use proptest::prelude::*;

mod support;
use support::{activated, noise, products, usual_sum};

/// What is tested; says so where the CPU's own instructions are not there.
fn available() -> Vec<Instructions> {
    let own = Instructions::of(Isa::available()[0]);
    if own.is_none() {
        eprintln!("skipped: this CPU has no AVX512-BF16; only the portable arithmetic is tested");
    }
    own.into_iter().chain([Instructions::portable()]).collect()
}

fn wide(value: u16) -> f32 {
    f32::from_bits(u32::from(value) << 16)
}

/// The nearest value of bf16 by comparing both neighbours; infinity is as far as the number after the largest would be.
fn nearest(number: f32) -> u16 {
    let below = (number.to_bits() >> 16) as u16;
    if wide(below) == number {
        return below;
    }
    let place = |value: u16| match wide(value) {
        infinite if infinite.is_infinite() => 2f64.powi(128).copysign(infinite.into()),
        finite => finite.into(),
    };
    let [a, b] = [below, below + 1].map(|value| (place(value) - f64::from(number)).abs());
    match a.total_cmp(&b) {
        std::cmp::Ordering::Less => below,
        std::cmp::Ordering::Greater => below + 1,
        std::cmp::Ordering::Equal => below + (below & 1),
    }
}

/// A map of `[pixels, channels]`.
fn map(channels: usize, values: &[f32]) -> Vec<u16> {
    bf16::narrow(Isa::best(), channels, values)
}

fn rounded(values: Vec<f32>) -> Vec<f32> {
    values.into_iter().map(|value| wide(nearest(value))).collect()
}

struct Case {
    g: Geometry,
    activation: Activation,
    input: Vec<f32>,
    weights: Vec<f32>,
    bias: Vec<f32>,
    residual: Option<Vec<f32>>,
}

impl Case {
    fn new(g: Geometry, seed: u64, has_residual: bool) -> Case {
        Case {
            g,
            activation: Activation::ALL[seed as usize % Activation::ALL.len()],
            input: rounded(noise(seed, g.input_len())),
            weights: rounded(noise(seed + 1, g.weight_len())),
            bias: noise(seed + 2, g.out_channels),
            residual: has_residual.then(|| rounded(noise(seed + 4, g.output_len()))),
        }
    }

    fn computed(&self, instructions: Instructions, alone: bool) -> Vec<f32> {
        let packed = bf16::pack(instructions, &self.g, &self.weights, Some(&self.bias));
        let input = map(self.g.in_channels, &self.input);
        let residual = self
            .residual
            .as_ref()
            .map(|residual| map(self.g.out_channels, residual));
        let output = bf16::forward(&self.g, &input, &packed, residual.as_deref(), self.activation, alone);
        let each = stride(self.g.out_channels);
        for pixel in output.chunks(each) {
            assert!(
                pixel[self.g.out_channels..].iter().all(|&value| value == 0),
                "beyond the channels"
            );
        }
        bf16::widen(Isa::best(), self.g.out_channels, &output)
    }

    fn truth(&self) -> Vec<f64> {
        let mut sums: Vec<f64> = (0..self.g.output_len())
            .map(|i| self.bias[i % self.g.out_channels].into())
            .collect();
        products(&self.g, |o, i, k| {
            sums[o] += f64::from(self.input[i]) * f64::from(self.weights[k])
        });
        if let Some(residual) = &self.residual {
            sums.iter_mut()
                .zip(residual)
                .for_each(|(sum, added)| *sum += f64::from(*added));
        }
        sums.into_iter().map(|x| activated(self.activation, x)).collect()
    }

    /// Each value within half a step of bf16 (2^-8 of it) and what sums in f32 lose, 2^-22 of a usual sum for each
    /// addition.
    fn check(&self) {
        let (truth, g) = (self.truth(), &self.g);
        let window = g.kernel[0] * g.kernel[1] * g.in_channels / g.groups;
        let lost = usual_sum(window).max(1.0) * window as f64 / f64::from(1 << 22) + 1e-6;
        for instructions in available() {
            let computed = self.computed(instructions, true);
            assert_eq!(computed, self.computed(instructions, false), "{g:?}");
            for (i, (ours, truth)) in computed.iter().zip(&truth).enumerate() {
                let near = (f64::from(*ours) - truth).abs() <= truth.abs() / 256.0 + lost;
                assert!(
                    near,
                    "{instructions:?} {g:?} {:?} at {i}: {ours}, not {truth}",
                    self.activation
                );
            }
        }
    }
}

fn geometry(side: [usize; 2], channels: [usize; 2], kernel: usize, stride: usize, padding: usize) -> Geometry {
    Geometry {
        batch: 2,
        height: side[0],
        width: side[1],
        in_channels: channels[0],
        out_channels: channels[1],
        kernel: [kernel; 2],
        stride: [stride; 2],
        padding: [padding; 4],
        groups: 1,
    }
}

fn depthwise(side: [usize; 2], channels: usize, kernel: usize, stride: usize, padding: usize) -> Geometry {
    Geometry {
        groups: channels,
        ..geometry(side, [channels; 2], kernel, stride, padding)
    }
}

#[test]
fn every_width_of_tiles_and_every_activation_is_right() {
    for seed in 0..6 {
        for channels in [1, 2, 3, 15, 16, 17, 24, 32, 33, 48, 64, 70, 144] {
            Case::new(geometry([4, 5], [7, channels], 1, 1, 0), seed, seed % 2 == 1).check();
            Case::new(depthwise([6, 5], channels, 3, 1, 1), seed, seed % 2 == 0).check();
        }
        Case::new(geometry([9, 8], [3, 32], 3, 2, 1), seed, false).check();
        Case::new(geometry([14, 14], [64, 64], 3, 1, 1), seed, true).check();
        for (kernel, stride, padding) in [(3, 2, 1), (5, 1, 2), (5, 2, 2), (7, 1, 3), (2, 2, 0), (4, 3, 5)] {
            Case::new(depthwise([11, 9], 40, kernel, stride, padding), seed, seed % 2 == 1).check();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn any_convolution_equals_its_definition(
        side in [1usize..=9, 1usize..=9],
        channels in [1usize..=40, 1usize..=80],
        kernel in 1usize..=5,
        stride in 1usize..=3,
        padding in 0usize..=3,
        seed in 0u64..1000,
        has_residual: bool,
        is_depthwise: bool,
    ) {
        let g = match is_depthwise {
            true => depthwise(side, channels[1], kernel, stride, padding),
            false => geometry(side, channels, kernel, stride, padding),
        };
        Case::new(g, seed, has_residual).check();
    }
}

#[test]
fn both_arithmetics_give_the_same_bits_where_no_curve_is_rounded() {
    let Some(own) = Instructions::of(Isa::available()[0]) else {
        return eprintln!("skipped: this CPU has no AVX512-BF16");
    };
    for seed in 0..12 {
        for g in [geometry([5, 6], [31, 50], 3, 1, 1), depthwise([7, 6], 50, 3, 1, 1)] {
            let case = Case {
                activation: Activation::Relu6,
                ..Case::new(g, seed, seed % 2 == 0)
            };
            assert_eq!(
                case.computed(own, true),
                case.computed(Instructions::portable(), true),
                "{g:?}"
            );
        }
    }
}

#[test]
fn an_answer_depends_neither_on_its_batch_nor_on_the_threads() {
    for g in [
        geometry([7, 7], [64, 96], 1, 1, 0),
        geometry([7, 6], [32, 40], 3, 1, 1),
        depthwise([9, 9], 72, 3, 2, 1),
    ] {
        let g = Geometry { batch: 5, ..g };
        let case = Case::new(g, 2, false);
        let instructions = available()[0];
        let all = case.computed(instructions, false);
        for threads in [1, 2, 3, 5] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            assert_eq!(
                pool.install(|| case.computed(instructions, false)),
                all,
                "{threads} {g:?}"
            );
        }
        let one = Case {
            g: Geometry { batch: 1, ..g },
            input: case.input[3 * g.input_len() / 5..4 * g.input_len() / 5].to_vec(),
            residual: None,
            ..case
        };
        let each = g.output_len() / 5;
        assert_eq!(one.computed(instructions, true), all[3 * each..4 * each], "{g:?}");
    }
}

#[test]
fn a_chain_has_the_bits_of_its_links() {
    for (middle, last) in [(48, 24), (96, 33), (15, 7)] {
        let side = [23, 17];
        let expand = geometry(side, [16, middle], 1, 1, 0);
        let along = depthwise(side, middle, 3, 2, 1);
        let [h, w] = [along.output_height(), along.output_width()];
        let project = geometry([h, w], [middle, last], 1, 1, 0);
        let instructions = available()[0];
        let packed: Vec<_> = [expand, along, project]
            .iter()
            .zip(0..)
            .map(|(g, seed)| {
                bf16::pack(
                    instructions,
                    g,
                    &noise(seed, g.weight_len()),
                    Some(&noise(9, g.out_channels)),
                )
            })
            .collect();
        let input = map(16, &noise(4, expand.input_len()));
        let residual = map(last, &noise(5, project.output_len()));
        let links: Vec<Link> = [
            (expand, Activation::Relu6),
            (along, Activation::Relu6),
            (project, Activation::None),
        ]
        .into_iter()
        .zip(&packed)
        .map(|((geometry, activation), packed)| Link {
            geometry,
            packed,
            activation,
        })
        .collect();
        let mut truth = input.clone();
        for (i, link) in links.iter().enumerate() {
            let added = (i == 2).then_some(&residual[..]);
            truth = bf16::forward(&link.geometry, &truth, link.packed, added, link.activation, true);
        }
        assert_eq!(
            bf16::forward_chain(&links, &input, Some(&residual)),
            truth,
            "{middle} {last}"
        );
    }
}

#[test]
fn numbers_are_rounded_to_the_nearest_and_nan_stays() {
    let mut numbers = noise(3, 999);
    numbers.extend([
        0.0,
        -0.0,
        1.0,
        1.003_906_3,
        1.011_718_8,
        -1.003_906_3,
        f32::MAX,
        f32::MIN_POSITIVE,
    ]);
    numbers.extend([f32::INFINITY, f32::NEG_INFINITY, 3.4e38, -3.4e38]);
    for channels in [1, 2, 11] {
        let whole = numbers.len() / channels * channels;
        for isa in Isa::available() {
            let map = bf16::narrow(isa, channels, &numbers[..whole]);
            let back = bf16::widen(isa, channels, &map);
            for (number, value) in numbers.iter().zip(&back) {
                let truth = match number.is_finite() {
                    true => wide(nearest(*number)),
                    false => *number,
                };
                assert_eq!(value.to_bits(), truth.to_bits(), "{number}");
            }
        }
    }
    let nan = f32::from_bits(0x7f80_0001);
    for isa in Isa::available() {
        assert!(bf16::widen(isa, 1, &bf16::narrow(isa, 1, &[nan]))[0].is_nan());
    }
    // Through a convolution too, in every channel of its pixel and in no other.
    for instructions in available() {
        let g = geometry([1, 3], [4, 20], 1, 1, 0);
        let mut case = Case::new(g, 1, false);
        case.input[5] = f32::NAN;
        let output = case.computed(instructions, true);
        for (pixel, values) in output.chunks(20).enumerate() {
            assert!(values.iter().all(|value| value.is_nan() == (pixel == 1)), "{pixel}");
        }
    }
}

#[test]
fn means_and_maxima_are_those_of_the_numbers() {
    for isa in Isa::available() {
        for channels in [1, 3, 20] {
            let values = rounded(noise(8, 2 * 35 * channels));
            let means = bf16::averages(isa, 35, channels, &map(channels, &values));
            for (i, mean) in means.iter().enumerate() {
                let (image, channel) = (i / channels, i % channels);
                let pixels = values[image * 35 * channels..][..35 * channels].iter();
                let sum: f64 = pixels
                    .skip(channel)
                    .step_by(channels)
                    .map(|&value| f64::from(value))
                    .sum();
                assert!((f64::from(*mean) - sum / 35.0).abs() < 1e-6, "{mean} {}", sum / 35.0);
            }
            let g = pooling::Geometry {
                batch: 2,
                height: 7,
                width: 5,
                channels,
                kernel: [3, 3],
                stride: [2, 2],
                padding: [1; 4],
            };
            let pooled = bf16::widen(isa, channels, &bf16::max_pool(isa, &g, &map(channels, &values)));
            let (mut truth, mut winners) = (vec![0.0; g.output_len()], vec![0; g.output_len()]);
            pooling::max_forward(&g, &values, &mut truth, &mut winners);
            assert_eq!(pooled, truth);
        }
    }
}
