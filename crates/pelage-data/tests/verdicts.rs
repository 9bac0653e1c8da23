//! JPEGs that lack rows, that have more in them than they should, or that are of a kind nobody can show.

mod support;

use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage, imageops};
use pelage_data::decode::{Damaged, Limits, decode, decode_at_least};
use support::scene;

fn jpeg(image: &RgbImage, quality: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, quality);
    encoder.encode_image(image).unwrap();
    bytes
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/fixtures/pillow/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// A picture with something in every corner.
fn picture(seed: u64, width: u32, height: u32) -> RgbImage {
    let mut image = scene(seed, width, height);
    for (x, y, pixel) in image.enumerate_pixels_mut() {
        let noise = ((x * 7 + y * 13 + x * y) % 23) as u8;
        pixel.0 = pixel.0.map(|value| value.saturating_add(noise));
    }
    image
}

/// Limits that take what is there of a damaged picture.
fn taking() -> Limits {
    Limits {
        damaged: Damaged::Take,
        ..Limits::default()
    }
}

/// What is said whole and at a part of its size, which must be one thing.
fn verdict(bytes: &[u8]) -> Result<(), String> {
    let whole = decode(bytes, &Limits::default()).map(drop);
    let reduced = decode_at_least(bytes, &Limits::default(), 40).map(drop);
    assert_eq!(whole, reduced);
    whole
}

fn percent_missing(bytes: &[u8]) -> u32 {
    let reason = verdict(bytes).expect_err("accepted");
    let number = reason
        .strip_prefix("damaged JPEG: ")
        .and_then(|rest| rest.strip_suffix(" % of rows missing"));
    number.unwrap_or_else(|| panic!("{reason}")).parse().unwrap()
}

fn scan_start(bytes: &[u8]) -> usize {
    let header = bytes.windows(2).position(|pair| pair == [0xFF, 0xDA]).unwrap();
    header + 2 + usize::from(u16::from_be_bytes([bytes[header + 2], bytes[header + 3]]))
}

#[test]
fn a_middle_of_zeros_is_missing() {
    for seed in 0..20 {
        for quality in [30, 75, 95] {
            let bytes = jpeg(&picture(seed, 480, 360), quality);
            verdict(&bytes).unwrap();
            let (start, third) = (scan_start(&bytes), bytes.len() / 3);
            let mut zeroed = bytes.clone();
            zeroed[third.max(start)..2 * third].fill(0);
            let missing = percent_missing(&zeroed);
            assert!(
                (15..=75).contains(&missing),
                "seed {seed}, quality {quality}: {missing} %"
            );
        }
    }
}

/// Two images that differ from some row on have the same data up to there.
#[test]
fn rows_behind_the_end_of_the_data_are_counted() {
    for (seed, rows) in [(1, 8), (2, 120), (3, 240), (4, 352)] {
        let image = picture(seed, 400, 400);
        let mut other = image.clone();
        let below = imageops::crop_imm(&picture(seed + 100, 400, 400), 0, rows, 400, 400 - rows).to_image();
        imageops::replace(&mut other, &below, 0, i64::from(rows));
        let (bytes, other) = (jpeg(&image, 80), jpeg(&other, 80));
        let same = bytes.iter().zip(&other).take_while(|(a, b)| a == b).count();
        let cut = [&bytes[..same], &[0xFF, 0xD9]].concat();
        let (missing, expected) = (percent_missing(&cut), (400 - rows) * 100 / 400);
        assert!(
            missing.abs_diff(expected) <= 1,
            "{rows} rows are there: {missing} % missing"
        );
    }
}

#[test]
fn the_middle_of_a_progressive_file_may_be_missing_too() {
    let bytes = fixture("progressive.jpg");
    verdict(&bytes).unwrap();
    // In the midst of its longest scan, as much as the file has.
    let scans: Vec<usize> = (0..bytes.len() - 1)
        .filter(|&at| bytes[at..at + 2] == [0xFF, 0xDA])
        .collect();
    let ends = scans[1..].iter().copied().chain([bytes.len()]);
    let longest = scans
        .iter()
        .copied()
        .zip(ends)
        .max_by_key(|(from, to)| to - from)
        .unwrap();
    let middle = longest.0 + 20;
    let zeroed = [&bytes[..middle], &[0; 1000], &bytes[middle..]].concat();
    let reason = verdict(&zeroed).expect_err("accepted");
    assert!(reason.contains("% of its data are zeros"), "{reason}");
}

/// Plain areas may be nothing but zeros in the data, and last rows may look alike.
#[test]
fn plain_images_are_whole() {
    for value in [0, 90, 255] {
        for side in [8, 33, 500, 2500] {
            verdict(&jpeg(&RgbImage::from_pixel(side, side, Rgb([value; 3])), 90)).unwrap();
        }
    }
    let mut framed = RgbImage::from_pixel(600, 600, Rgb([255; 3]));
    imageops::replace(&mut framed, &picture(3, 200, 200), 100, 100);
    verdict(&jpeg(&framed, 85)).unwrap();
    let slope = RgbImage::from_fn(2000, 64, |x, _| Rgb([(x / 8) as u8; 3]));
    verdict(&jpeg(&slope, 85)).unwrap();
}

#[test]
fn strays_between_segments_are_passed_over() {
    for name in [
        "baseline-420.jpg",
        "progressive.jpg",
        "gray.jpg",
        "cmyk.jpg",
        "orientation-6.jpg",
    ] {
        let bytes = fixture(name);
        let expected = decode(&bytes, &Limits::default()).unwrap();
        let mut at = 4 + usize::from(u16::from_be_bytes([bytes[4], bytes[5]]));
        while bytes[at + 1] != 0xDA {
            for stray in [&b"\0"[..], b"\0\0\0\0\0\0\0\0", b"some text", b"\xFF\0stuffed"] {
                let with = [&bytes[..at], stray, &bytes[at..]].concat();
                let decoded = decode(&with, &Limits::default()).unwrap_or_else(|e| panic!("{name} at {at}: {e}"));
                assert!(decoded == expected, "{name} at {at}");
            }
            at += 2 + usize::from(u16::from_be_bytes([bytes[at + 2], bytes[at + 3]]));
        }
    }
}

#[test]
fn kinds_of_jpeg_that_nobody_shows_are_named() {
    let of_kind = |process: u8| {
        let mut bytes = fixture("baseline-420.jpg");
        let at = bytes.windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap();
        bytes[at + 1] = process;
        verdict(&bytes).expect_err("accepted")
    };
    for (process, name) in [
        (0xC3, "lossless JPEG"),
        (0xF7, "JPEG-LS"),
        (0xC5, "hierarchical JPEG"),
        (0xC9, "JPEG with arithmetic coding"),
        (0xCF, "hierarchical JPEG with arithmetic coding"),
    ] {
        let reason = of_kind(process);
        assert!(
            reason.starts_with(&format!("{name}, which pelage cannot read; convert it")),
            "{reason}"
        );
    }
}

#[test]
fn formats_that_cannot_be_read_are_named_with_what_to_do() {
    let brand = |first: &[u8], others: &[u8]| {
        let length = (16 + others.len() as u32).to_be_bytes();
        [&length[..], b"ftyp", first, b"\0\0\0\0", others, b"\0\0\0\x20meta"].concat()
    };
    let named = [
        (brand(b"heic", b"mif1heic"), "HEIC"),
        (brand(b"hevc", b"msf1hevc"), "HEIC"),
        (brand(b"msf1", b"hevc"), "HEIC"),
        (brand(b"mif1", b"heic"), "HEIC"),
        (brand(b"avif", b"mif1"), "AVIF"),
        (brand(b"avis", b"avifmsf1"), "AVIF"),
        (brand(b"mif1", b"miafavif"), "AVIF"),
        (b"\xFF\x0A\xFA\x1F".to_vec(), "JPEG XL"),
        (b"\0\0\0\x0CJXL \r\n\x87\n\0\0\0\x14ftypjxl ".to_vec(), "JPEG XL"),
        (b"\0\0\0\x0CjP  \r\n\x87\n\0\0\0\x14ftypjp2 ".to_vec(), "JPEG 2000"),
        (b"\xFF\x4F\xFF\x51\0\x2F".to_vec(), "JPEG 2000"),
    ];
    for (bytes, name) in named {
        let reason = decode(&bytes, &Limits::default()).unwrap_err();
        assert!(
            reason.starts_with(&format!("{name}, which")) && reason.contains("magick IN."),
            "{name}: {reason}"
        );
    }
    for (bytes, remedy) in [
        (
            &b"\n<!DOCTYPE html><html>"[..],
            "a web page and not a picture; download",
        ),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"\x1F\x8B\x08\0", "a gzip archive, not a picture; unpack it"),
        (b"\0\0\0\x14ftypisom", "a video, which pelage cannot read"),
        (b"\0\0\0\x14ftyp????", "not a picture"),
    ] {
        let reason = decode(bytes, &Limits::default()).unwrap_err();
        assert!(reason.contains(remedy), "{reason}");
    }
}

/// What is there of a damaged file is what the whole one shows there.
#[test]
fn a_damaged_picture_is_taken_where_that_is_asked_for() {
    let take = taking();
    for (seed, quality) in [(1, 60), (2, 80), (3, 95)] {
        let bytes = jpeg(&picture(seed, 320, 240), quality);
        let whole = decode(&bytes, &Limits::default()).unwrap();
        let mut zeroed = bytes.clone();
        let half = scan_start(&bytes) + (bytes.len() - scan_start(&bytes)) / 2;
        zeroed[half..bytes.len() - 2].fill(0);
        let cut = bytes[..half].to_vec();
        for damaged in [zeroed, cut] {
            decode(&damaged, &Limits::default()).expect_err("accepted");
            for at_least in [40, u32::MAX] {
                let taken = decode_at_least(&damaged, &take, at_least).unwrap().image;
                assert_eq!(taken.dimensions(), (320, 240));
                let top = |image: &RgbImage| imageops::crop_imm(image, 0, 0, 320, 64).to_image();
                assert!(top(&taken) == top(&whole), "seed {seed}");
            }
        }
        // A whole one is as it was.
        assert!(decode(&bytes, &take).unwrap() == whole);
    }
    for nothing in [&b"no picture"[..], b"", &[0xFF, 0xD8, 0xFF, 0xD9]] {
        decode(nothing, &take).expect_err("accepted");
    }
    assert!(Damaged::taken() >= 6);
}

/// What is there of a picture that the camera was turned for is shown upright, as the whole one is.
#[test]
fn a_damaged_picture_that_is_taken_stands_upright() {
    let take = taking();
    let plain = jpeg(&picture(4, 320, 240), 80);
    // Orientation 6: turned by a quarter to the right to stand upright.
    let tiff = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let data = [b"Exif\0\0".as_slice(), tiff].concat();
    let length = (data.len() as u16 + 2).to_be_bytes();
    let turned = [&plain[..2], &[0xFF, 0xE1], &length, &data, &plain[2..]].concat();
    let whole = decode(&turned, &Limits::default()).unwrap();
    assert_eq!(whole.dimensions(), (240, 320));
    let half = scan_start(&turned) + (turned.len() - scan_start(&turned)) / 2;
    for at_least in [40, u32::MAX] {
        let taken = decode_at_least(&turned[..half], &take, at_least).unwrap().image;
        // What comes first in the file stands at the right.
        let first = |image: &RgbImage| imageops::crop_imm(image, 240 - 64, 0, 64, 320).to_image();
        assert!(first(&taken) == first(&whole));
        assert!(taken != whole);
    }
}

/// A file that ends where its picture would begin has nothing to show.
#[test]
fn nothing_of_a_picture_is_no_picture() {
    let take = taking();
    let bytes = jpeg(&picture(5, 320, 240), 80);
    for more in [0, 1, 2] {
        let reason = decode(&bytes[..scan_start(&bytes) + more], &take).expect_err("accepted");
        assert!(reason.contains("truncated JPEG"), "{reason}");
    }
}
