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
        let apart: Vec<u8> = ours.iter().zip(&pillow).map(|(a, b)| a.abs_diff(*b)).collect();
        let largest = apart.iter().copied().max().unwrap();
        let mean = apart.iter().map(|v| f64::from(*v)).sum::<f64>() / apart.len() as f64;
        // The two pass over rows and columns in their own order and cut to 0 to 255 in between, which shows where a filter
        // overshoots: on noise, that is often.
        let (allowed, allowed_mean) = match filter {
            ResizeFilter::Nearest => (0, 0.0),
            ResizeFilter::Bilinear => (1, 0.5),
            ResizeFilter::Bicubic | ResizeFilter::Lanczos3 => (16, 1.0),
        };
        println!("{}: largest {largest}, mean {mean:.3}", case.name);
        assert!(
            largest <= allowed && mean <= allowed_mean,
            "{}: differs by {largest} of 255, {mean:.3} in the mean",
            case.name
        );
        count += 1;
    }
    assert_eq!(count, 16);
}
