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
        let largest = ours.iter().zip(&pillow).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        let allowed = if filter == ResizeFilter::Nearest { 0 } else { 1 };
        println!("{}: {largest}", case.name);
        assert!(largest <= allowed, "{}: differs by {largest} of 255", case.name);
        count += 1;
    }
    assert_eq!(count, 16);
}
