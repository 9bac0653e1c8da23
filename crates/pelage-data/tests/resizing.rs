//! Resizing against Pillow, which Keras resizes with, as recorded by fixtures/keras/make.py.

use base64::prelude::{BASE64_STANDARD, Engine};
use image::RgbImage;
use pelage_data::preprocess::{Preprocessing, ResizeFilter};

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
        let picture = RgbImage::from_raw(case.width, case.height, BASE64_STANDARD.decode(&case.pixels).unwrap());
        let ours = Preprocessing {
            width,
            height,
            filter,
            ..Preprocessing::new(1)
        }
        .resize(&picture.unwrap());
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
