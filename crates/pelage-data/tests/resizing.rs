//! Resizing against Pillow, which Keras resizes with, as recorded by fixtures/keras/make.py.

use std::path::Path;

use base64::prelude::{BASE64_STANDARD, Engine};
use image::RgbImage;
use pelage_data::decode::{Limits, decode, decode_at_least};
use pelage_data::preprocess::{Fit, Preprocessing, ResizeFilter};
use proptest::prelude::*;

#[derive(serde::Deserialize)]
struct Case {
    name: String,
    asked: Asked,
    width: u32,
    height: u32,
    pixels: String,
    result: String,
}

#[derive(serde::Deserialize)]
struct Asked {
    filter: ResizeFilter,
    width: u32,
    height: u32,
}

#[test]
fn every_filter_as_pillow() {
    let cases = include_str!("fixtures/keras/resizing.jsonl").lines();
    let mut count = 0;
    for case in cases.map(|line| serde_json::from_str::<Case>(line).unwrap()) {
        let Asked { filter, width, height } = case.asked;
        let image = RgbImage::from_raw(case.width, case.height, BASE64_STANDARD.decode(&case.pixels).unwrap());
        let ours = Preprocessing {
            width,
            height,
            filter,
            ..Preprocessing::new(1)
        }
        .resize(&image.unwrap())
        .unwrap();
        let pillow = BASE64_STANDARD.decode(&case.result).unwrap();
        assert_eq!(ours.len(), pillow.len());
        let differences: Vec<u8> = ours.iter().zip(&pillow).map(|(a, b)| a.abs_diff(*b)).collect();
        let largest = differences.iter().copied().max().unwrap();
        let far = differences.iter().filter(|difference| **difference > 1).count();
        println!("{}: up to {largest}, {far} of {} by more than 1", case.name, ours.len());
        let (allowed, allowed_far) = match filter {
            ResizeFilter::Nearest => (0, 0),
            ResizeFilter::Bilinear => (1, 0),
            // These two overshoot next to sharp edges and are cut to 8 bits after the first pass, which is the vertical
            // one here and the horizontal one there.
            ResizeFilter::Bicubic | ResizeFilter::Lanczos3 => (16, ours.len() / 20),
        };
        assert!(
            largest <= allowed && far <= allowed_far,
            "{}: {largest}, {far}",
            case.name
        );
        count += 1;
    }
    assert_eq!(count, 16);
}

/// Decoded at a half, a quarter and an eighth, against Pillow's way by the whole image (`fixtures/reduced/make.py`).
#[test]
fn a_large_jpeg_is_decoded_reduced_and_looks_the_same() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reduced");
    for name in ["420.jpg", "444.jpg", "progressive.jpg", "gray.jpg", "turned.jpg"] {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        for (size, side) in [(58, 2), (28, 4), (14, 8)] {
            let reduced = decode_at_least(&bytes, &Limits::default(), 2 * size).unwrap().image;
            let sides = if name == "turned.jpg" {
                (250, 349)
            } else {
                (349u32, 250u32)
            };
            assert_eq!(
                reduced.dimensions(),
                (sides.0.div_ceil(side), sides.1.div_ceil(side)),
                "{name}"
            );

            let ours = Preprocessing::new(size).decode(&bytes).unwrap();
            let pillow = std::fs::read(folder.join(format!("{name}.{size}.rgb"))).unwrap();
            assert_eq!(ours.len(), pillow.len());
            let (mean, largest) = apart(&ours, &pillow);
            // At an eighth, the chroma of 4:2:0 has been halved twice.
            let (allowed, allowed_largest) = if side == 8 { (2.5, 12.0) } else { (1.2, 8.0) };
            assert!(
                mean < allowed && largest <= allowed_largest,
                "{name} at 1/{side}: mean {mean:.2}, largest {largest}"
            );
        }
    }
}

/// A side that is no multiple of a block ends, or once turned begins, in the middle of a reduced pixel.
#[test]
fn a_reduced_image_is_not_shifted_whichever_way_it_is_turned() {
    let bytes = include_bytes!("fixtures/reduced/turned.jpg");
    let tag = bytes
        .windows(4)
        .position(|four| four == [0x12, 0x01, 3, 0] || four == [0x01, 0x12, 0, 3])
        .unwrap();
    let value = (tag + 8..tag + 10).find(|&at| bytes[at] == 6).unwrap();
    for orientation in 1..=8 {
        let mut turned = bytes.to_vec();
        turned[value] = orientation;
        for fit in [Fit::Squash, Fit::Crop] {
            let small = Preprocessing {
                height: 24,
                fit,
                ..Preprocessing::new(28)
            };
            let whole = decode(&turned, &Limits::default()).unwrap();
            let (mean, largest) = apart(&small.decode(&turned).unwrap(), &small.resize(&whole).unwrap());
            assert!(
                mean < 1.2 && largest <= 8.0,
                "{orientation} {fit:?}: mean {mean:.2}, largest {largest}"
            );
        }
    }
}

/// The mean and the largest difference.
fn apart(ours: &[u8], theirs: &[u8]) -> (f64, f64) {
    let apart: Vec<f64> = ours
        .iter()
        .zip(theirs)
        .map(|(a, b)| f64::from(a.abs_diff(*b)))
        .collect();
    (
        apart.iter().sum::<f64>() / apart.len() as f64,
        apart.iter().copied().fold(0.0, f64::max),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the sizes, all of the result comes from the image, and nothing else does.
    #[test]
    fn of_one_color_comes_one_color(
        from in (1u32..400, 1u32..400), width in 1u32..64, height in 1u32..64, crop: bool,
    ) {
        let fit = if crop { Fit::Crop } else { Fit::Squash };
        let preprocessing = Preprocessing { width, height, fit, ..Preprocessing::new(1) };
        let image = RgbImage::from_pixel(from.0, from.1, image::Rgb([200, 100, 50]));
        let resized = preprocessing.resize(&image).unwrap();
        prop_assert!(resized.chunks_exact(3).all(|pixel| pixel == [200, 100, 50]), "{fit:?}");
    }
}
