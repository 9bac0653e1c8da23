//! Normalization and warping against naive f64 loops, on every instruction set of this CPU.

use pelage_kernels::isa::Isa;
use pelage_kernels::pixels::{self, Border, Map, Normalization};
use proptest::prelude::*;

/// Tolerance for an interpolated value of 0 to 255.
const ROUNDING: f64 = 1e-3;

const NORMALIZATION: Normalization = Normalization {
    scale: [0.017, 0.0175, 0.0174],
    shift: [-2.1179, -2.0357, -1.8044],
};

fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 40) as u8
    };
    (0..len).map(|_| next()).collect()
}

/// The coordinate that `value` folds to on `count` points, step by step; `None` where the constant applies.
fn fold(mut value: f64, count: usize, border: Border) -> Option<f64> {
    let last = count as f64 - 1.0;
    match border {
        Border::Nearest => {}
        Border::Constant(_) if value < 0.0 || value > last => return None,
        Border::Constant(_) => {}
        Border::Reflect => {
            while value < -0.5 || value > last + 0.5 {
                value = if value < -0.5 {
                    -1.0 - value
                } else {
                    2.0 * last + 1.0 - value
                };
            }
        }
        Border::Wrap if last == 0.0 => value = 0.0,
        Border::Wrap => {
            while value < 0.0 {
                value += last;
            }
            while value > last {
                value -= last;
            }
        }
    }
    Some(value.clamp(0.0, last))
}

/// Whether rounding decides what `value` folds to.
fn undecided(value: f64, count: usize, border: Border) -> bool {
    let last = count as f64 - 1.0;
    match border {
        Border::Nearest | Border::Reflect => false,
        Border::Constant(_) => value.abs() < 1e-6 || (value - last).abs() < 1e-6,
        Border::Wrap if last == 0.0 => false,
        Border::Wrap => (value / last - (value / last).round()).abs() < 1e-6,
    }
}

fn finished(value: f64, brightness: Option<f32>, channel: usize) -> f64 {
    let value = match brightness {
        // The product is one of f32, as defined: 82 times 1.8292682 is 150 there, and 149.99999 in f64.
        Some(factor) => f64::from((value.floor() as f32 * factor).clamp(0.0, 255.0).floor()),
        None => value,
    };
    value * f64::from(NORMALIZATION.scale[channel]) + f64::from(NORMALIZATION.shift[channel])
}

fn check(height: usize, width: usize, map: Map, border: Border, brightness: Option<f32>, seed: u64) {
    check_to([height, width], [height, width], map, border, brightness, seed);
}

fn check_to([height, width]: [usize; 2], to: [usize; 2], map: Map, border: Border, brightness: Option<f32>, seed: u64) {
    let pixels = noise(seed, height * width * 3);
    let outputs: Vec<Vec<f32>> = Isa::available()
        .into_iter()
        .map(|isa| {
            let (sides, mut out) = ([height, width], vec![f32::NAN; to[0] * to[1] * 3]);
            let (finish, map) = (&NORMALIZATION, &map);
            pixels::warp(isa, &pixels, sides, map, border, brightness, finish, &mut out, to);
            out
        })
        .collect();
    for (row, column) in (0..to[0]).flat_map(|row| (0..to[1]).map(move |column| (row, column))) {
        let at: [f64; 2] =
            std::array::from_fn(|i| map.matrix[i][0] * row as f64 + map.matrix[i][1] * column as f64 + map.offset[i]);
        if undecided(at[0], height, border) || undecided(at[1], width, border) {
            continue;
        }
        let place = fold(at[0], height, border).zip(fold(at[1], width, border));
        for c in 0..3 {
            let pixel = |row: usize, column: usize| {
                f64::from(pixels[(row.min(height - 1) * width + column.min(width - 1)) * 3 + c])
            };
            let truth = match (place, border) {
                (None, Border::Constant(value)) => f64::from(value),
                (None, _) => unreachable!(),
                (Some((y, x)), _) => {
                    let (top, left) = (y as usize, x as usize);
                    let (down, right) = (y.fract(), x.fract());
                    (pixel(top, left) * (1.0 - right) + pixel(top, left + 1) * right) * (1.0 - down)
                        + (pixel(top + 1, left) * (1.0 - right) + pixel(top + 1, left + 1) * right) * down
                }
            };
            // Truncation amplifies small differences, but it is monotonic.
            let low = finished(truth - ROUNDING, brightness, c) - 1e-5;
            let high = finished(truth + ROUNDING, brightness, c) + 1e-5;
            for (isa, out) in Isa::available().iter().zip(&outputs) {
                let value = f64::from(out[(row * to[1] + column) * 3 + c]);
                assert!(
                    low <= value && value <= high,
                    "{} at ({row}, {column}, {c}): {value}, not {low} to {high}; {height}x{width} to {to:?}, {map:?}, \
                     {border:?}",
                    isa.name()
                );
            }
        }
    }
}

fn border() -> impl Strategy<Value = Border> {
    prop_oneof![
        Just(Border::Nearest),
        (0f32..255.0).prop_map(Border::Constant),
        Just(Border::Reflect),
        Just(Border::Wrap)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn warp_equals_the_definition(
        (height, width) in (1usize..40, 1usize..70),
        matrix in prop::array::uniform2(prop::array::uniform2(-2.5f64..2.5)),
        offset in prop::array::uniform2(-90f64..90.0),
        border in border(),
        brightness in prop::option::of(0f32..3.0),
        seed in 0u64..1000,
    ) {
        check(height, width, Map { matrix, offset }, border, brightness, seed);
    }

    #[test]
    fn warp_to_another_size_equals_the_definition(
        sides in (1usize..40, 1usize..70),
        to in (0usize..40, 0usize..70),
        matrix in prop::array::uniform2(prop::array::uniform2(-2.5f64..2.5)),
        offset in prop::array::uniform2(-90f64..90.0),
        border in border(),
        brightness in prop::option::of(0f32..3.0),
        seed in 0u64..1000,
    ) {
        check_to(sides.into(), to.into(), Map { matrix, offset }, border, brightness, seed);
    }

    #[test]
    fn normalize_equals_the_definition(pixels in 0usize..80, seed in 0u64..1000) {
        let pixels = noise(seed, pixels * 3);
        for isa in Isa::available() {
            let mut out = vec![f32::NAN; pixels.len()];
            pixels::normalize(isa, &pixels, &NORMALIZATION, &mut out);
            for (i, (value, pixel)) in out.iter().zip(&pixels).enumerate() {
                let truth = finished(f64::from(*pixel), None, i % 3);
                prop_assert!((f64::from(*value) - truth).abs() < 1e-6, "{} at {i}: {value}, not {truth}", isa.name());
            }
        }
    }
}

#[test]
fn small_changes_to_an_image_of_typical_size() {
    // Long runs inside the borders, in both directions, also with a coordinate that is constant along a row.
    for matrix in [
        [[1.0, 0.0], [0.0, 1.0]],
        [[0.9, 0.13], [0.0, 1.15]],
        [[1.1, 0.2], [0.1, -0.85]],
        [[-1.0, 0.0], [0.0, -1.0]],
        [[0.0, 1.0], [1.0, 0.0]],
    ] {
        let middle = [74.5, 75.5];
        let offset = std::array::from_fn(|i| middle[i] - matrix[i][0] * middle[0] - matrix[i][1] * middle[1] + 0.3);
        for border in [Border::Nearest, Border::Constant(99.5), Border::Reflect, Border::Wrap] {
            check(150, 152, Map { matrix, offset }, border, None, 3);
        }
    }
}

#[test]
fn finish_is_the_last_step_of_warp() {
    let pixels = noise(1, 5 * 7 * 3);
    for brightness in [None, Some(1.7)] {
        let mut warped = vec![0.0; pixels.len()];
        let (isa, map) = (Isa::best(), Map::IDENTITY);
        pixels::warp(
            isa,
            &pixels,
            [5, 7],
            &map,
            Border::Nearest,
            brightness,
            &NORMALIZATION,
            &mut warped,
            [5, 7],
        );
        let mut finished: Vec<f32> = pixels.iter().map(|&value| f32::from(value)).collect();
        pixels::finish(&mut finished, brightness, &NORMALIZATION);
        assert!(warped.iter().zip(&finished).all(|(a, b)| (a - b).abs() < 1e-6));
    }
}

#[test]
fn far_and_flat_maps() {
    for border in [Border::Nearest, Border::Constant(3.0), Border::Reflect, Border::Wrap] {
        for (matrix, offset) in [
            ([[0.0; 2]; 2], [2.25, 3.75]),
            ([[1.0, 0.0], [0.0, 1.0]], [1e5 + 0.25, -1e5 + 0.25]),
            ([[1000.25, -777.75], [-990.5, 1003.125]], [0.3, 0.3]),
        ] {
            check(9, 11, Map { matrix, offset }, border, None, 1);
        }
    }
}

#[test]
#[should_panic(expected = "is out of range")]
fn a_map_with_nan_is_rejected() {
    let map = Map {
        offset: [f64::NAN, 0.0],
        ..Map::IDENTITY
    };
    pixels::warp(
        Isa::best(),
        &[0; 3],
        [1, 1],
        &map,
        Border::Nearest,
        None,
        &NORMALIZATION,
        &mut [0.0; 3],
        [1, 1],
    );
}

#[test]
#[should_panic(expected = "no pixels to warp")]
fn an_empty_image_cannot_be_warped() {
    let (isa, map) = (Isa::best(), Map::IDENTITY);
    pixels::warp(
        isa,
        &[],
        [0, 4],
        &map,
        Border::Nearest,
        None,
        &NORMALIZATION,
        &mut [0.0; 3],
        [1, 1],
    );
}
