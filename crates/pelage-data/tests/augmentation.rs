//! Augmentation against what Keras does, as recorded by fixtures/keras/make.py, and its draws against their ranges.

use base64::prelude::{BASE64_STANDARD, Engine};
use pelage_data::augment::{Augmentation, Drawn, FillMode, Transform};
use pelage_kernels::pixels::{Border, Normalization};
use proptest::prelude::*;

#[derive(serde::Deserialize)]
struct Case {
    name: String,
    asked: Asked,
    width: usize,
    height: usize,
    pixels: String,
    result: String,
}

/// By Keras's names.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    fill_mode: FillMode,
    #[serde(default)]
    theta: f32,
    #[serde(default)]
    tx: f32,
    #[serde(default)]
    ty: f32,
    #[serde(default)]
    shear: f32,
    #[serde(default = "one")]
    zx: f32,
    #[serde(default = "one")]
    zy: f32,
    #[serde(default)]
    channel_shift_intensity: f32,
    brightness: Option<f32>,
    #[serde(default)]
    flip_horizontal: bool,
    #[serde(default)]
    flip_vertical: bool,
}

fn one() -> f32 {
    1.0
}

impl Case {
    fn ours(&self) -> Vec<f32> {
        let Asked {
            theta,
            tx,
            ty,
            shear,
            zx,
            zy,
            ..
        } = self.asked;
        let drawn = Drawn {
            transform: Transform {
                theta,
                tx,
                ty,
                shear,
                zx,
                zy,
            },
            channel_shift: self.asked.channel_shift_intensity,
            horizontal_flip: self.asked.flip_horizontal,
            vertical_flip: self.asked.flip_vertical,
            brightness: self.asked.brightness,
        };
        let border = match self.asked.fill_mode {
            FillMode::Nearest => Border::Nearest,
            FillMode::Constant => Border::Constant(37.5),
            FillMode::Reflect => Border::Reflect,
            FillMode::Wrap => Border::Wrap,
        };
        let pixels = BASE64_STANDARD.decode(&self.pixels).unwrap();
        let mut out = vec![f32::NAN; pixels.len()];
        let size = [self.height, self.width];
        drawn.apply(&pixels, size, border, &Normalization::NONE, &mut out, size);
        out
    }

    fn keras(&self) -> Vec<f32> {
        let bytes = BASE64_STANDARD.decode(&self.result).unwrap();
        bytes
            .as_chunks()
            .0
            .iter()
            .map(|four| f32::from_le_bytes(*four))
            .collect()
    }
}

#[test]
fn every_parameter_and_fill_mode_as_keras() {
    let cases = include_str!("fixtures/keras/augmentation.jsonl").lines();
    let (mut worst, mut count) = (0.0f32, 0);
    for case in cases.map(|line| serde_json::from_str::<Case>(line).unwrap()) {
        let (ours, keras) = (case.ours(), case.keras());
        assert_eq!(ours.len(), keras.len(), "{}", case.name);
        let differences = ours.iter().zip(&keras).map(|(a, b)| (a - b).abs());
        let (largest, far) = differences.fold((0.0f32, 0), |(largest, far), difference| {
            assert!(!difference.is_nan(), "{}", case.name);
            (largest.max(difference), far + usize::from(difference > 1e-3))
        });
        match case.asked.brightness {
            // Keras cuts to whole numbers, so rounding may, rarely, cost a whole one.
            Some(factor) => assert!(
                largest <= factor.ceil() && far * 100 <= ours.len(),
                "{}: {far} of {} values differ, by up to {largest}",
                case.name,
                ours.len()
            ),
            None => {
                assert!(largest < 1e-3, "{}: differs by {largest}", case.name);
                worst = worst.max(largest);
            }
        }
        count += 1;
    }
    println!("{count} cases, largest difference {worst} of 255");
    assert_eq!(count, 117);
}

#[test]
fn flips_move_pixels_and_change_none() {
    let pixels: Vec<u8> = (0..2 * 3 * 3).collect();
    let flipped = |horizontal_flip, vertical_flip| {
        let mut out = vec![0.0; pixels.len()];
        let drawn = Drawn {
            horizontal_flip,
            vertical_flip,
            ..Drawn::default()
        };
        drawn.apply(&pixels, [2, 3], Border::Nearest, &Normalization::NONE, &mut out, [2, 3]);
        out.as_chunks::<3>()
            .0
            .iter()
            .map(|pixel| pixel[0] as u8 / 3)
            .collect::<Vec<_>>()
    };
    assert_eq!(flipped(false, false), [0, 1, 2, 3, 4, 5]);
    assert_eq!(flipped(true, false), [2, 1, 0, 5, 4, 3]);
    assert_eq!(flipped(false, true), [3, 4, 5, 0, 1, 2]);
    assert_eq!(flipped(true, true), [5, 4, 3, 2, 1, 0]);
}

#[test]
fn shifts_move_along_their_own_axis() {
    let mut pixels = vec![0; 8 * 8 * 3];
    pixels[(4 * 8 + 4) * 3] = 255;
    let moved = |tx, ty| {
        let mut out = vec![0.0; pixels.len()];
        let drawn = Drawn {
            transform: Transform {
                tx,
                ty,
                ..Transform::default()
            },
            ..Drawn::default()
        };
        drawn.apply(
            &pixels,
            [8, 8],
            Border::Constant(0.0),
            &Normalization::NONE,
            &mut out,
            [8, 8],
        );
        let at = out.iter().position(|value| *value == 255.0).unwrap() / 3;
        (at / 8, at % 8)
    };
    assert_eq!(moved(0.0, 0.0), (4, 4));
    assert_eq!(moved(2.0, 0.0), (4, 2));
    assert_eq!(moved(0.0, 3.0), (1, 4));
}

/// Ten thousand draws of one number.
fn draws(augmentation: &Augmentation, width: usize, height: usize, of: impl Fn(Drawn) -> f32) -> Vec<f64> {
    (0..10_000)
        .map(|seed| f64::from(of(augmentation.draw(width, height, seed))))
        .collect()
}

/// Checks that `values` lie, evenly, between `low` and `high`.
fn assert_uniform(what: &str, values: &[f64], low: f64, high: f64) {
    let mut counts = [0; 10];
    for value in values {
        assert!(
            (low - 1e-6..=high + 1e-6).contains(value),
            "{what}: {value} not in {low} to {high}"
        );
        counts[(((value - low) / (high - low) * 10.0) as usize).min(9)] += 1;
    }
    // A tenth each, within five standard deviations.
    assert!(
        counts.iter().all(|count| (850..=1150).contains(count)),
        "{what}: {counts:?}"
    );
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let sum = |x: &[f64], y: &[f64], mx: f64, my: f64| x.iter().zip(y).map(|(x, y)| (x - mx) * (y - my)).sum::<f64>();
    sum(a, b, mean_a, mean_b) / (sum(a, a, mean_a, mean_a) * sum(b, b, mean_b, mean_b)).sqrt()
}

#[test]
fn draws_are_uniform_over_their_ranges_and_independent() {
    let augmentation = Augmentation {
        rotation_range: 40.0,
        width_shift_range: 0.25,
        height_shift_range: 7.0,
        shear_range: 11.46,
        zoom_range: 0.2,
        channel_shift_range: 30.0,
        brightness_range: Some([0.5, 1.5]),
        horizontal_flip: true,
        vertical_flip: true,
        ..Augmentation::default()
    };
    let numbers: [(&str, fn(Drawn) -> f32, f64, f64); 8] = [
        ("rotation", |drawn| drawn.transform.theta, -40.0, 40.0),
        // A share of the width of 200 pixels; and pixels.
        ("width shift", |drawn| drawn.transform.tx, -50.0, 50.0),
        ("height shift", |drawn| drawn.transform.ty, -7.0, 7.0),
        ("shear", |drawn| drawn.transform.shear, -11.46, 11.46),
        ("zoom x", |drawn| drawn.transform.zx, 0.8, 1.2),
        ("zoom y", |drawn| drawn.transform.zy, 0.8, 1.2),
        ("channel shift", |drawn| drawn.channel_shift, -30.0, 30.0),
        ("brightness", |drawn| drawn.brightness.unwrap(), 0.5, 1.5),
    ];
    let mut all = Vec::new();
    for (what, of, low, high) in numbers {
        let values = draws(&augmentation, 200, 100, of);
        assert_uniform(what, &values, low, high);
        all.push((what, values));
    }
    let flips: [(&str, fn(Drawn) -> f32); 2] = [
        ("horizontal flip", |drawn| f32::from(u8::from(drawn.horizontal_flip))),
        ("vertical flip", |drawn| f32::from(u8::from(drawn.vertical_flip))),
    ];
    for (what, of) in flips {
        let values = draws(&augmentation, 200, 100, of);
        let share = values.iter().sum::<f64>() / values.len() as f64;
        assert!((share - 0.5).abs() < 0.025, "{what}: {share}");
        all.push((what, values));
    }
    for (i, (a, values_a)) in all.iter().enumerate() {
        for (b, values_b) in &all[..i] {
            let correlation = correlation(values_a, values_b);
            assert!(correlation.abs() < 0.05, "{a} and {b}: {correlation}");
        }
    }
}

#[test]
fn nothing_is_drawn_where_nothing_is_asked() {
    assert!(Augmentation::default().is_none());
    assert!(!Augmentation::article().is_none());
    for seed in 0..100 {
        assert_eq!(Augmentation::default().draw(20, 20, seed), Drawn::default());
    }
}

#[test]
fn ranges_that_make_no_sense_are_refused_by_name() {
    assert!(Augmentation::article().validate().is_ok());
    let set: [(&str, fn(&mut Augmentation, f32)); 7] = [
        ("rotation_range", |augmentation, value| {
            augmentation.rotation_range = value
        }),
        ("width_shift_range", |augmentation, value| {
            augmentation.width_shift_range = value
        }),
        ("height_shift_range", |augmentation, value| {
            augmentation.height_shift_range = value
        }),
        ("shear_range", |augmentation, value| augmentation.shear_range = value),
        ("zoom_range", |augmentation, value| augmentation.zoom_range = value),
        ("channel_shift_range", |augmentation, value| {
            augmentation.channel_shift_range = value
        }),
        ("fill_value", |augmentation, value| augmentation.fill_value = value),
    ];
    for (name, set) in set {
        for value in [f32::NAN, -0.1, f32::INFINITY, 1e6] {
            let mut augmentation = Augmentation::default();
            set(&mut augmentation, value);
            let message = augmentation.validate().unwrap_err().to_string();
            assert!(message.contains(name), "{name} {value}: {message}");
        }
        let mut augmentation = Augmentation::default();
        set(&mut augmentation, 0.5);
        assert!(augmentation.validate().is_ok(), "{name}");
    }
    for range in [
        [1.2, 0.8],
        [-0.5, 1.0],
        [f32::NAN, 1.0],
        [0.5, f32::NAN],
        [0.5, f32::INFINITY],
    ] {
        let augmentation = Augmentation {
            brightness_range: Some(range),
            ..Augmentation::default()
        };
        assert!(
            augmentation
                .validate()
                .unwrap_err()
                .to_string()
                .contains("brightness_range"),
            "{range:?}"
        );
    }
}

fn accepted() -> impl Strategy<Value = Augmentation> {
    let ranges = (
        0f32..=360.0,
        0f32..=1e4,
        0f32..=1.0,
        0f32..=89.0,
        0f32..=0.99,
        0f32..=255.0,
        0f32..=255.0,
    );
    let fill_mode = prop::sample::select(vec![
        FillMode::Nearest,
        FillMode::Constant,
        FillMode::Reflect,
        FillMode::Wrap,
    ]);
    (ranges, prop::option::of((0f32..2.0, 0f32..2.0)), fill_mode).prop_map(|(ranges, brightness, fill_mode)| {
        let (rotation_range, width_shift_range, height_shift_range, shear_range, zoom_range, channel, fill) = ranges;
        Augmentation {
            rotation_range,
            width_shift_range,
            height_shift_range,
            shear_range,
            zoom_range,
            channel_shift_range: channel,
            brightness_range: brightness.map(|(low, more)| [low, low + more]),
            horizontal_flip: true,
            vertical_flip: true,
            fill_mode,
            fill_value: fill,
            ..Augmentation::default()
        }
    })
}

fn augmented(augmentation: &Augmentation, width: usize, height: usize, seed: u64) -> Vec<f32> {
    let pixels: Vec<u8> = (0..width * height * 3).map(|i| (i * 31 % 251) as u8).collect();
    let mut out = vec![f32::NAN; pixels.len()];
    let size = [height, width];
    let drawn = augmentation.draw(width, height, seed);
    drawn.apply(
        &pixels,
        size,
        augmentation.border(),
        &Normalization::NONE,
        &mut out,
        size,
    );
    out
}

proptest! {
    #[test]
    fn any_accepted_range_gives_values_of_an_image(
        augmentation in accepted(), width in 1usize..40, height in 1usize..40, seed: u64,
    ) {
        prop_assert!(augmentation.validate().is_ok());
        for value in augmented(&augmentation, width, height, seed) {
            prop_assert!((-1e-3..=255.001).contains(&value), "{value}");
        }
    }

    #[test]
    fn long_and_large_images(augmentation in accepted(), seed: u64) {
        for (width, height) in [(1, 5000), (5000, 1), (2, 3000), (400, 300)] {
            let values = augmented(&augmentation, width, height, seed);
            prop_assert!(values.iter().all(|value| (-1e-3..=255.001).contains(value)));
        }
    }
}

/// A slope is the same at any size, and bilinear interpolation is exact for it: what is drawn must show of a larger
/// image what it shows of a small one, but for bytes being whole and for what lies beyond the border.
#[test]
fn larger_images_show_the_same() {
    let slope = |[rows, columns]: [usize; 2]| -> Vec<u8> {
        let value = |i: usize, side: usize| (i as f64 + 0.5) / side as f64;
        let pixel = |i: usize| {
            let (y, x) = (value(i / columns, rows), value(i % columns, columns));
            [y * 200.0 + 20.0, x * 200.0 + 20.0, (y + x) * 100.0 + 20.0]
        };
        (0..rows * columns)
            .flat_map(pixel)
            .map(|value| value.round() as u8)
            .collect()
    };
    let to = [30, 40];
    let transform = Transform {
        theta: 20.0,
        tx: 3.0,
        ty: -2.0,
        shear: 8.0,
        zx: 0.6,
        zy: 0.5,
    };
    for (transform, horizontal_flip, vertical_flip) in [
        (Transform::default(), false, false),
        (Transform::default(), true, false),
        (transform, false, true),
        (transform, true, false),
    ] {
        let drawn = Drawn {
            transform,
            horizontal_flip,
            vertical_flip,
            ..Drawn::default()
        };
        let shown = |from: [usize; 2]| {
            let mut out = vec![f32::NAN; to[0] * to[1] * 3];
            drawn.apply(&slope(from), from, Border::Nearest, &Normalization::NONE, &mut out, to);
            out
        };
        let truth = shown(to);
        for from in [[60, 80], [45, 70], [31, 40], [30, 41]] {
            for (i, (value, truth)) in shown(from).iter().zip(&truth).enumerate() {
                assert!(
                    (value - truth).abs() <= 1.5,
                    "{i} of {from:?}: {value}, not {truth}; {drawn:?}"
                );
            }
        }
    }
}

/// Nothing drawn: each pixel is read at its middle in the larger image, in f64.
#[test]
fn a_larger_image_is_resampled_by_the_definition() {
    let (from, to) = ([17, 23], [10, 9]);
    let pixels: Vec<u8> = (0..from[0] * from[1] * 3).map(|i| (i * 7919 % 251) as u8).collect();
    let mut out = vec![f32::NAN; to[0] * to[1] * 3];
    Drawn::default().apply(&pixels, from, Border::Reflect, &Normalization::NONE, &mut out, to);
    for (row, column, c) in (0..to[0]).flat_map(|r| (0..to[1]).flat_map(move |x| (0..3).map(move |c| (r, x, c)))) {
        let middle = |i: usize, axis: usize| (i as f64 + 0.5) * from[axis] as f64 / to[axis] as f64 - 0.5;
        let (y, x) = (middle(row, 0), middle(column, 1));
        let pixel = |y: f64, x: f64| f64::from(pixels[(y as usize * from[1] + x as usize) * 3 + c]);
        let across = |y: f64| pixel(y, x.floor()) * (1.0 - x.fract()) + pixel(y, x.floor() + 1.0) * x.fract();
        let truth = across(y.floor()) * (1.0 - y.fract()) + across(y.floor() + 1.0) * y.fract();
        let value = f64::from(out[(row * to[1] + column) * 3 + c]);
        assert!(
            (value - truth).abs() < 1e-3,
            "({row}, {column}, {c}): {value}, not {truth}"
        );
    }
}
