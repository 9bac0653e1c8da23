//! Convolution and pooling of bytes against naive loops over whole numbers, to the bit, on every instruction set of this
//! CPU.

use pelage_kernels::convolution::Geometry;
use pelage_kernels::isa::Isa;
use pelage_kernels::pooling;
use pelage_kernels::quantized::{self, SLACK, Scheme, map_len, stride};
use proptest::prelude::*;

mod support;
use support::{noise, products};

fn bytes(seed: u64, len: usize) -> Vec<u8> {
    noise(seed, len)
        .iter()
        .map(|value| ((value + 0.5) * 256.0) as u8)
        .collect()
}

/// A map of `[pixels, channels]`, with rubbish where nothing is meant.
fn map(channels: usize, values: &[u8]) -> Vec<u8> {
    let mut map = vec![173; map_len(values.len() / channels, channels)];
    for (pixel, values) in map
        .chunks_exact_mut(stride(channels))
        .zip(values.chunks_exact(channels))
    {
        pixel[..channels].copy_from_slice(values);
    }
    map
}

fn values(channels: usize, map: &[u8]) -> Vec<u8> {
    let pixels = map[..map.len() - SLACK].chunks_exact(stride(channels));
    pixels.flat_map(|pixel| &pixel[..channels]).copied().collect()
}

struct Case {
    g: Geometry,
    scheme: Scheme,
    input: Vec<u8>,
    weights: Vec<i8>,
    bias: Vec<i32>,
    multipliers: Vec<f32>,
    residual: Option<Vec<u8>>,
}

impl Case {
    fn new(g: Geometry, seed: u64, has_residual: bool) -> Case {
        let window = g.kernel[0] * g.kernel[1] * g.in_channels / g.groups;
        // So that most bytes are neither the least nor the greatest.
        let usual = 1.0 / (window as f32).sqrt() / 128.0;
        let zeros = bytes(seed + 5, 3);
        Case {
            g,
            scheme: Scheme {
                input_zero: zeros[0],
                output_zero: zeros[1],
                limits: [[0, 255], [zeros[1], 255], [zeros[1], zeros[1] / 2 + 128]][seed as usize % 3],
                residual: has_residual.then_some((zeros[2], 0.37)),
            },
            input: bytes(seed, g.input_len()),
            weights: bytes(seed + 1, g.weight_len())
                .into_iter()
                .map(|byte| byte as i8)
                .collect(),
            bias: noise(seed + 2, g.out_channels)
                .iter()
                .map(|value| (value * 9000.0) as i32)
                .collect(),
            multipliers: noise(seed + 3, g.out_channels)
                .iter()
                .map(|value| (value + 0.6) * usual)
                .collect(),
            residual: has_residual.then(|| bytes(seed + 4, g.output_len())),
        }
    }

    fn computed(&self, isa: Isa, alone: bool) -> Vec<u8> {
        let packed = quantized::pack(isa, &self.g, &self.weights, &self.bias, &self.multipliers, self.scheme).unwrap();
        let input = map(self.g.in_channels, &self.input);
        let residual = self
            .residual
            .as_ref()
            .map(|residual| map(self.g.out_channels, residual));
        let output = quantized::forward(&self.g, &input, &packed, residual.as_deref(), alone);
        assert_eq!(
            output.len(),
            map_len(self.g.output_len() / self.g.out_channels, self.g.out_channels)
        );
        values(self.g.out_channels, &output)
    }

    fn truth(&self) -> Vec<u8> {
        let (g, scheme) = (&self.g, &self.scheme);
        let mut sums: Vec<i64> = (0..g.output_len())
            .map(|i| self.bias[i % g.out_channels].into())
            .collect();
        products(g, |o, i, k| {
            sums[o] += (i64::from(self.input[i]) - i64::from(scheme.input_zero)) * i64::from(self.weights[k]);
        });
        let byte = |(i, sum): (usize, i64)| {
            let mut value = sum as f32 * self.multipliers[i % g.out_channels];
            if let (Some(residual), Some((zero, factor))) = (&self.residual, scheme.residual) {
                value += (f32::from(residual[i]) - f32::from(zero)) * factor;
            }
            let whole = value.round_ties_even() as i64 + i64::from(scheme.output_zero);
            whole.clamp(scheme.limits[0].into(), scheme.limits[1].into()) as u8
        };
        sums.into_iter().enumerate().map(byte).collect()
    }

    fn check(&self) {
        let truth = self.truth();
        for isa in Isa::available() {
            for alone in [true, false] {
                assert_eq!(self.computed(isa, alone), truth, "{} {alone} {:?}", isa.name(), self.g);
            }
        }
    }
}

fn geometry(side: [usize; 2], channels: [usize; 2], kernel: usize, stride: usize, padding: usize) -> Geometry {
    Geometry {
        batch: 1,
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

#[test]
fn layers_of_networks() {
    for (i, (side, channels, kernel, stride)) in [
        ([33, 31], [3, 32], 3, 2),
        ([30, 30], [3, 64], 7, 2),
        ([14, 15], [16, 96], 1, 1),
        ([7, 7], [96, 24], 1, 1),
        ([9, 8], [64, 128], 1, 2),
        ([9, 8], [40, 80], 3, 1),
        ([1, 1], [300, 10], 1, 1),
    ]
    .into_iter()
    .enumerate()
    {
        for residual in [false, true] {
            Case::new(geometry(side, channels, kernel, stride, kernel / 2), i as u64, residual).check();
        }
    }
    for (i, (channels, kernel, stride)) in [(32, 3, 1), (144, 3, 2), (240, 5, 1), (96, 5, 2), (20, 7, 1), (7, 3, 1)]
        .into_iter()
        .enumerate()
    {
        let geometry = Geometry {
            groups: channels,
            ..geometry([13, 11], [channels; 2], kernel, stride, kernel / 2)
        };
        Case::new(geometry, i as u64, i % 2 == 0).check();
    }
}

#[test]
fn sums_do_not_saturate() {
    // The greatest products of either sign, in pairs and fours.
    for (weight, byte) in [(127, 255), (-128, 255), (-128, 0), (127, 0)] {
        for depthwise in [false, true] {
            let g = Geometry {
                groups: if depthwise { 64 } else { 1 },
                ..geometry([3, 3], [64, 64], 3, 1, 1)
            };
            let case = Case {
                input: vec![byte; g.input_len()],
                weights: vec![weight; g.weight_len()],
                multipliers: vec![if depthwise { 4e-4 } else { 6e-6 }; 64],
                ..Case::new(g, 3, false)
            };
            case.check();
        }
    }
}

#[test]
fn numbers_that_no_sum_holds_are_refused() {
    let case = Case::new(geometry([4, 4], [8, 8], 3, 1, 1), 0, true);
    let pack = |bias: i32, multiplier: f32, factor: f32, limits: [u8; 2]| {
        let scheme = Scheme {
            residual: Some((0, factor)),
            limits,
            ..case.scheme
        };
        quantized::pack(
            Isa::best(),
            &case.g,
            &case.weights,
            &[bias; 8],
            &[multiplier; 8],
            scheme,
        )
        .map(drop)
    };
    assert_eq!(pack(0, 1e-3, 1.0, [0, 255]), Ok(()));
    for (bias, multiplier, factor, limits) in [
        (i32::MAX, 1e-3, 1.0, [0, 255]),
        (i32::MIN, 1e-3, 1.0, [0, 255]),
        (0, f32::NAN, 1.0, [0, 255]),
        (0, -1.0, 1.0, [0, 255]),
        (0, 1e30, 1.0, [0, 255]),
        (0, 1e-3, f32::INFINITY, [0, 255]),
        (0, 1e-3, f32::NAN, [0, 255]),
        (0, 1e-3, 1e12, [0, 255]),
        (0, 1e-3, 1.0, [2, 1]),
    ] {
        assert!(
            pack(bias, multiplier, factor, limits).is_err(),
            "{bias} {multiplier} {factor}"
        );
    }
}

#[test]
fn numbers_become_the_nearest_bytes_and_come_back() {
    let given = [
        0.0,
        0.24,
        0.25,
        0.26,
        -0.75,
        1e9,
        -1e9,
        f32::INFINITY,
        f32::NEG_INFINITY,
        100.0,
        -60.1,
        f32::NAN,
    ];
    // Steps of a half, of which 0.25 and -0.75 are in the middle between two.
    let wanted = [128, 128, 128, 129, 126, 255, 0, 255, 0, 255, 8, 0];
    for isa in Isa::available() {
        for channels in [1, 3, 4, 12] {
            let map = quantized::quantize(isa, channels, &given, 0.5, 128);
            assert_eq!(map.len(), map_len(given.len() / channels, channels));
            assert_eq!(values(channels, &map), wanted, "{}", isa.name());
            let back = quantized::dequantize(channels, &map, 0.5, 128);
            let truth: Vec<f32> = wanted.iter().map(|&byte| (f32::from(byte) - 128.0) * 0.5).collect();
            assert_eq!(back, truth);
        }
    }
}

#[test]
fn means_are_those_of_the_numbers() {
    for channels in [5, 8] {
        let given = bytes(1, 49 * channels);
        let means = quantized::averages(channels, &map(channels, &given), 0.03, 17);
        for (channel, mean) in means.iter().enumerate() {
            let sum: f64 = given
                .iter()
                .skip(channel)
                .step_by(channels)
                .map(|&byte| (f64::from(byte) - 17.0) * 0.03)
                .sum();
            assert!((f64::from(*mean) - sum / 49.0).abs() < 1e-6);
        }
    }
}

#[test]
fn the_greatest_byte_is_that_of_the_greatest_number() {
    for (kernel, stride, padding, channels) in [(2, 2, 0, 8), (3, 2, 1, 6)] {
        let g = pooling::Geometry {
            batch: 2,
            height: 9,
            width: 7,
            channels,
            kernel: [kernel; 2],
            stride: [stride; 2],
            padding: [padding; 4],
        };
        let given = bytes(2, g.input_len());
        let numbers: Vec<f32> = given.iter().map(|&byte| byte.into()).collect();
        let (mut truth, mut winners) = (vec![0.0; g.output_len()], vec![0; g.output_len()]);
        pooling::max_forward(&g, &numbers, &mut truth, &mut winners);
        let found = values(channels, &quantized::max_pool(&g, &map(channels, &given)));
        assert_eq!(found.iter().map(|&byte| f32::from(byte)).collect::<Vec<_>>(), truth);
    }
}

proptest! {
    #[test]
    fn any_shape(
        (batch, height, width) in (1..3usize, 1..12usize, 1..12usize),
        (ci, co) in (1..70usize, 1..150usize),
        (kernel, stride, depthwise) in ([1..6usize, 1..6], [1..4usize, 1..4], any::<bool>()),
        padding in [0..3usize, 0..3, 0..3, 0..3],
        (seed, residual) in (0..1000u64, any::<bool>()),
    ) {
        let g = Geometry {
            batch, height, width, kernel, stride, padding,
            in_channels: if depthwise { co } else { ci },
            out_channels: co,
            groups: if depthwise { co } else { 1 },
        };
        Case::new(g, seed, residual).check();
    }
}
