//! Decoding against Pillow's pixels (`fixtures/pillow/make.py`), and files that are broken in every way.

use std::path::{Path, PathBuf};

use image::RgbImage;
use pelage_data::decode::{Limits, decode};
use proptest::prelude::*;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pillow")
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).unwrap()
}

/// Every picture by name, and the pixels that should be seen.
fn fixtures() -> Vec<(String, Vec<u8>, RgbImage)> {
    let mut names: Vec<_> = std::fs::read_dir(folder())
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.retain(|name| name.ends_with(".rgb"));
    names.sort();
    assert!(names.len() >= 60, "only {} fixtures", names.len());
    let load = |name: String| {
        let raw = fixture(&name);
        let side = |at: usize| u32::from_le_bytes(raw[at..at + 4].try_into().unwrap());
        let picture = name.trim_end_matches(".rgb").to_string();
        let bytes = fixture(&picture);
        (
            picture,
            bytes,
            RgbImage::from_raw(side(0), side(4), raw[8..].to_vec()).unwrap(),
        )
    };
    names.into_iter().map(load).collect()
}

fn whole(bytes: &[u8]) -> RgbImage {
    decode(bytes, &Limits::default()).unwrap()
}

fn reason(bytes: &[u8]) -> String {
    decode(bytes, &Limits::default()).expect_err("accepted")
}

#[test]
fn pixels_are_pillows() {
    let mut wrong = Vec::new();
    // The decoder behind `image` knows no palettes in TIFF; the refusal is clear, and it is all there is to check.
    let known = |(name, bytes, _): &(String, Vec<u8>, RgbImage)| {
        let unknown = name == "palette.tiff";
        if unknown {
            assert!(reason(bytes).contains("TIFF"), "{name}");
        }
        !unknown
    };
    for (name, bytes, expected) in fixtures().into_iter().filter(known) {
        let decoded = match decode(&bytes, &Limits::default()) {
            Ok(decoded) if decoded.dimensions() == expected.dimensions() => decoded,
            other => {
                wrong.push(format!(
                    "{name}: {:?}, not {:?}",
                    other.map(|d| d.dimensions()),
                    expected.dimensions()
                ));
                continue;
            }
        };
        let apart: Vec<u8> = decoded
            .as_raw()
            .iter()
            .zip(expected.as_raw())
            .map(|(a, b)| a.abs_diff(*b))
            .collect();
        let largest = apart.iter().copied().max().unwrap();
        let mean = apart.iter().map(|v| f64::from(*v)).sum::<f64>() / apart.len() as f64;
        // Decoders of these formats may round their transforms in their own ways.
        let lossy = name.ends_with(".jpg") || name.starts_with("lossy") || name == "jpeg.tiff";
        println!("{name}: largest {largest}, mean {mean:.3}");
        if largest > if lossy { 3 } else { 0 } {
            wrong.push(format!("{name}: largest {largest}, mean {mean:.3}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A cut file is refused, or nothing that makes the picture was cut off.
#[test]
fn truncated_at_every_length() {
    // All data of a picture of one pixel fits into the decoder's bit buffer, where a cut cannot be told from its end.
    let known = |(name, ..): &(String, Vec<u8>, RgbImage)| !["palette.tiff", "one-pixel.jpg"].contains(&name.as_str());
    for (name, bytes, _) in fixtures().into_iter().filter(known) {
        let picture = whole(&bytes);
        let mut refused = 0;
        for length in 0..bytes.len() {
            match decode(&bytes[..length], &Limits::default()) {
                Ok(decoded) => assert!(decoded == picture, "{name} cut to {length} of {} bytes", bytes.len()),
                Err(_) => refused += 1,
            }
        }
        assert!(
            refused * 3 > bytes.len(),
            "{name}: refused only {refused} of {} cuts",
            bytes.len()
        );
    }
}

#[test]
fn a_jpeg_may_lack_its_end_marker_but_no_data() {
    let bytes = fixture("baseline-420.jpg");
    let picture = whole(&bytes);
    assert!(whole(&bytes[..bytes.len() - 2]) == picture);
    assert!(whole(&bytes[..bytes.len() - 1]) == picture);
    assert!(reason(&bytes[..bytes.len() - 20]).contains("truncated"));
    // What a full disk or a broken download leaves: zeros up to the right length.
    for cut in [bytes.len() / 2, bytes.len() - 60, bytes.len() - 10] {
        let mut filled = bytes[..cut].to_vec();
        filled.resize(bytes.len() + 4096, 0);
        assert!(reason(&filled).contains("truncated"), "cut at {cut}");
    }
    // Of a progressive picture, finer scans may be missing.
    let progressive = fixture("progressive.jpg");
    assert!(reason(&progressive[..progressive.len() - 2]).contains("truncated"));
}

#[test]
fn a_jpeg_may_have_more_behind_it() {
    for name in ["baseline-420.jpg", "progressive.jpg", "gray.jpg", "cmyk.jpg"] {
        let bytes = fixture(name);
        let picture = whole(&bytes);
        for more in [&b"\0\0\0\0"[..], b"junk \xFF\xDA\xFF\xD9 junk", &fixture("gray.jpg")] {
            assert!(whole(&[&bytes, more].concat()) == picture, "{name}");
        }
    }
    // Before the end marker: padding that some writers leave.
    let bytes = fixture("baseline-420.jpg");
    let (data, end) = bytes.split_at(bytes.len() - 2);
    assert!(whole(&[data, &[0; 7], end].concat()) == whole(&bytes));
}

#[test]
fn a_thumbnail_does_not_stand_for_the_picture() {
    let (bytes, thumbnail) = (fixture("baseline-420.jpg"), fixture("gray.jpg"));
    let length = (thumbnail.len() as u16 + 8).to_be_bytes();
    let segment = [&[0xFF, 0xE1], &length[..], b"Exif\0\0", &thumbnail].concat();
    let with = [&bytes[..2], &segment, &bytes[2..]].concat();
    assert!(whole(&with) == whole(&bytes));
    for length in segment.len()..with.len() - 20 {
        assert!(decode(&with[..length], &Limits::default()).is_err(), "{length}");
    }
}

#[test]
fn data_lost_in_the_middle_of_a_jpeg() {
    for name in ["baseline-444.jpg", "progressive.jpg"] {
        let bytes = fixture(name);
        let scan = bytes.windows(2).rposition(|pair| pair == [0xFF, 0xDA]).unwrap() + 20;
        let lost = [&bytes[..scan], &bytes[bytes.len() - 2..]].concat();
        println!("{name}: {:?}", decode(&lost, &Limits::default()).map(|_| "accepted"));
    }
}

#[test]
fn what_is_no_picture_is_told() {
    assert_eq!(reason(b""), "empty file");
    assert!(reason(b"hello").contains("not a picture"));
    assert!(reason(&[0; 1000]).contains("not a picture"));
    assert!(reason(b"\0\0\0\x18ftypheic\0\0\0\0").contains("HEIC"));
    assert!(reason(b"\xFF\xD8\xFF\xE0").contains("JPEG"));
    assert!(reason(b"\x89PNG\r\n\x1a\n").contains("PNG"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever a damaged file holds, there is an answer and no panic, not even one that `decode` caught.
    #[test]
    fn damage_never_panics(which in 0usize..60, edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let name = {
            let mut names: Vec<_> = std::fs::read_dir(folder()).unwrap().map(|e| e.unwrap().path()).collect();
            names.retain(|path| path.extension().is_some_and(|e| e != "rgb" && e != "py"));
            names.sort();
            names.swap_remove(which)
        };
        let mut bytes = std::fs::read(&name).unwrap();
        for (at, value) in edits {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let small = Limits { max_pixels: 1_000_000, max_alloc_bytes: 16 << 20 };
        if let Err(reason) = decode(&bytes, &small) {
            prop_assert!(!reason.contains("decoding failed"), "{}: {reason}", name.display());
        }
    }

    #[test]
    fn garbage_never_panics(head in 0usize..6, tail in prop::collection::vec(any::<u8>(), 0..300)) {
        let magic: [&[u8]; 6] = [b"\xFF\xD8\xFF", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"II*\0", b"RIFF\0\0\0\0WEBP"];
        if let Err(reason) = decode(&[magic[head], &tail].concat(), &Limits::default()) {
            prop_assert!(!reason.contains("decoding failed"), "{reason}");
        }
    }
}
