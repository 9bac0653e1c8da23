//! Augmentation against what torchvision, timm and Pillow do, as recorded by fixtures/torchvision/make.py.

use base64::prelude::{BASE64_STANDARD, Engine};
use image::RgbImage;
use pelage_data::augment::crop::{self, Part};
use pelage_data::augment::operators::{Kind, Operator};
use pelage_data::augment::{erasing, policy};
use pelage_data::preprocess::Preprocessing;
use serde_json::Value;

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn bytes(value: &Value) -> Vec<u8> {
    BASE64_STANDARD.decode(value.as_str().unwrap()).unwrap()
}

fn number(value: &Value) -> usize {
    value.as_u64().unwrap() as usize
}

fn numbers(value: &Value) -> Vec<f64> {
    serde_json::from_value(value.clone()).unwrap()
}

/// By torchvision's name.
fn kind(value: &Value) -> Kind {
    let named = |kind: &Kind| format!("{kind:?}") == value.as_str().unwrap();
    Kind::ALL.into_iter().find(named).unwrap()
}

#[test]
fn operators_change_every_number_as_pillow_does() {
    let lines = lines(include_str!("fixtures/torchvision/operators.jsonl"));
    let (pictures, cases): (Vec<_>, Vec<_>) = lines.into_iter().partition(|line| line.get("pixels").is_some());
    assert!(cases.len() > 150);
    for case in cases {
        let picture = &pictures[number(&case["of"])];
        let size = ["height", "width"].map(|side| number(&picture[side]));
        let mut pixels = bytes(&picture["pixels"]);
        let magnitude = case["magnitude"].as_f64().unwrap() as f32;
        let kind = kind(&case["name"]);
        Operator { kind, magnitude }.apply(&mut pixels, size);
        assert_eq!(pixels, bytes(&case["result"]), "{kind:?} by {magnitude} of {size:?}");
    }
}

#[test]
fn magnitudes_are_torchvisions() {
    let lines = lines(include_str!("fixtures/torchvision/spaces.jsonl"));
    assert_eq!(lines.len(), 2 * Kind::ALL.len());
    for (i, line) in lines.iter().enumerate() {
        let kind = kind(&line["name"]);
        assert_eq!(kind, Kind::ALL[i % Kind::ALL.len()]);
        let ours = match line["policy"].as_str() {
            Some("trivial") => policy::trivial_magnitudes(kind),
            _ => policy::rand_magnitudes(kind, [96, 160]),
        };
        let truth = numbers(&line["magnitudes"]);
        for bin in 0..ours.len() {
            let truth = *truth.get(bin).unwrap_or(&truth[0]);
            assert!(
                (f64::from(ours[bin]) - truth).abs() < 1e-5,
                "{kind:?} {bin}: {} {truth}",
                ours[bin]
            );
            // Of these, only whole numbers count.
            if matches!(kind, Kind::TranslateX | Kind::TranslateY | Kind::Posterize) {
                assert_eq!(ours[bin].trunc(), truth.trunc() as f32, "{kind:?} {bin}");
            }
        }
    }
}

#[test]
fn crops_have_torchvisions_sides_and_pixels() {
    let lines = lines(include_str!("fixtures/torchvision/crops.jsonl"));
    let picture = bytes(&lines[0]["pixels"]);
    let size = numbers(&lines[0]["picture"]);
    let [rows, columns, side] = [0, 1, 2].map(|i| size[i] as usize);
    for line in &lines[1..] {
        if let Some(of) = line.get("of") {
            let (of, truth) = (numbers(of), numbers(&line["centre"]));
            let Part {
                top,
                left,
                height,
                width,
            } = crop::centre([of[0] as usize, of[1] as usize]);
            assert_eq!([top, left, height, width].map(|n| n as f64), truth[..]);
            continue;
        }
        let [share, position] = ["share", "position"].map(|name| line[name].as_f64().unwrap());
        let sides = crop::sides(share, position, [rows, columns]);
        let truth = line["sides"]
            .as_array()
            .map(|sides| [number(&sides[0]), number(&sides[1])]);
        assert_eq!(sides, truth, "{share} {position}");
        let Some([height, width]) = sides else { continue };
        let [top, left] = ["top", "left"].map(|name| number(&line[name]));
        let part = Part {
            top,
            left,
            height,
            width,
        }
        .of(&picture, columns);
        let image = RgbImage::from_raw(width as u32, height as u32, part).unwrap();
        let ours = Preprocessing::new(side as u32).resize(&image).unwrap();
        for (a, b) in ours.iter().zip(bytes(&line["result"])) {
            assert!(a.abs_diff(b) <= 1, "{share} {position}: {a} {b}");
        }
    }
}

#[test]
fn erased_rectangles_are_timms() {
    for line in lines(include_str!("fixtures/torchvision/erasures.jsonl")) {
        let draws = numbers(&line["draws"]);
        let ([rows, columns], mut values) = ([30, 40], vec![1.0; 30 * 40 * 3]);
        if let Some([height, width]) = erasing::sides(draws[0], draws[1], [rows, columns]) {
            let place = |most: usize| ((most + 1) as f64 * draws[2]) as usize;
            let (top, left) = (
                place(rows - height).min(rows - height),
                place(columns - width).min(columns - width),
            );
            erasing::clear(
                Part {
                    top,
                    left,
                    height,
                    width,
                },
                &mut values,
                columns,
            );
        }
        let erased: Vec<u8> = values.chunks(3).map(|pixel| u8::from(pixel == [0.0; 3])).collect();
        assert_eq!(erased, bytes(&line["erased"]), "{draws:?}");
    }
}
