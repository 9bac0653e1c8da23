//! Decoding against Pillow's pixels (`fixtures/pillow/make.py`), and files that are broken in every way.

mod support;

use std::path::{Path, PathBuf};

use image::ImageFormat;
use image::RgbImage;
use pelage_data::decode::{Limits, decode, decode_at_least};
use proptest::prelude::*;
use support::{crc32, encoded, scene};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pillow")
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).unwrap()
}

/// Every image by name, and the pixels that should be seen.
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
        let image = name.trim_end_matches(".rgb").to_string();
        let bytes = fixture(&image);
        (
            image,
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
    for (name, bytes, expected) in fixtures() {
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
        if largest > if lossy { 3 } else { 0 } {
            wrong.push(format!("{name}: largest {largest}, mean {mean:.3}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A cut file is refused, or nothing that makes the image was cut off.
#[test]
fn truncated_at_every_length() {
    for (name, bytes, _) in fixtures() {
        let image = whole(&bytes);
        let mut refused = 0;
        for length in 0..bytes.len() {
            match decode(&bytes[..length], &Limits::default()) {
                Ok(decoded) => assert!(decoded == image, "{name} cut to {length} of {} bytes", bytes.len()),
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
    let image = whole(&bytes);
    assert!(whole(&bytes[..bytes.len() - 2]) == image);
    assert!(whole(&bytes[..bytes.len() - 1]) == image);
    assert!(reason(&bytes[..bytes.len() - 20]).contains("truncated"));
    // What a full disk or a broken download leaves: zeros up to the right length.
    for cut in [bytes.len() / 2, bytes.len() - 60, bytes.len() - 10] {
        let mut filled = bytes[..cut].to_vec();
        filled.resize(bytes.len() + 4096, 0);
        assert!(reason(&filled).contains("truncated"), "cut at {cut}");
    }
    // Of a progressive image, finer scans may be missing.
    let progressive = fixture("progressive.jpg");
    assert!(reason(&progressive[..progressive.len() - 2]).contains("truncated"));
}

#[test]
fn a_jpeg_may_have_more_behind_it() {
    for name in ["baseline-420.jpg", "progressive.jpg", "gray.jpg", "cmyk.jpg"] {
        let bytes = fixture(name);
        let image = whole(&bytes);
        for more in [&b"\0\0\0\0"[..], b"junk \xFF\xDA\xFF\xD9 junk", &fixture("gray.jpg")] {
            assert!(whole(&[&bytes, more].concat()) == image, "{name}");
        }
    }
    // Before the end marker: padding that some writers leave.
    let bytes = fixture("baseline-420.jpg");
    let (data, end) = bytes.split_at(bytes.len() - 2);
    assert!(whole(&[data, &[0; 7], end].concat()) == whole(&bytes));
}

#[test]
fn a_thumbnail_does_not_stand_for_the_image() {
    let (bytes, thumbnail) = (fixture("baseline-420.jpg"), fixture("gray.jpg"));
    let length = (thumbnail.len() as u16 + 8).to_be_bytes();
    let segment = [&[0xFF, 0xE1], &length[..], b"Exif\0\0", &thumbnail].concat();
    let with = [&bytes[..2], &segment, &bytes[2..]].concat();
    assert!(whole(&with) == whole(&bytes));
    for length in segment.len()..with.len() - 20 {
        assert!(decode(&with[..length], &Limits::default()).is_err(), "{length}");
    }
}

/// Offset of the value of `tag` in the first directory of a little-endian TIFF.
fn tiff_value(bytes: &[u8], tag: u16) -> usize {
    let start = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize + 2;
    let entry = bytes[start..]
        .chunks(12)
        .position(|entry| entry[..2] == tag.to_le_bytes())
        .unwrap();
    start + 12 * entry + 8
}

#[test]
fn a_tiff_whose_palette_is_short_or_odd_is_refused_in_words() {
    let edited = |tag: u16, from_value: usize, with: &[u8]| {
        let mut bytes = fixture("palette.tiff");
        let at = tiff_value(&bytes, tag) - from_value;
        bytes[at..at + with.len()].copy_from_slice(with);
        reason(&bytes)
    };
    // The count of the color map; sixteen bits to an index; no color map at all.
    assert!(edited(320, 4, &9u32.to_le_bytes()).contains("a palette of 9 numbers for 8 bits"));
    assert!(edited(258, 0, &16u16.to_le_bytes()).contains("pelage cannot read"));
    assert!(edited(320, 8, &999u16.to_le_bytes()).contains("damaged TIFF"));
}

/// Headers that promise more than there is, each a few bytes long.
fn bombs(side: u32) -> Vec<(&'static str, Vec<u8>)> {
    let edited = |name: &str, at: usize, value: &[u8]| {
        let mut bytes = fixture(name);
        bytes[at..at + value.len()].copy_from_slice(value);
        bytes
    };
    let short = |side: u32| u16::try_from(side).unwrap_or(u16::MAX);
    let mut png = edited("rgb.png", 16, &[side.to_be_bytes(), side.to_be_bytes()].concat());
    let crc = crc32(&png[12..29]).to_be_bytes();
    png[29..33].copy_from_slice(&crc);
    let jpeg = |name: &str| {
        let at = fixture(name)
            .windows(2)
            .position(|pair| pair[0] == 0xFF && matches!(pair[1], 0xC0 | 0xC2))
            .unwrap();
        edited(
            name,
            at + 5,
            &[short(side).to_be_bytes(), short(side).to_be_bytes()].concat(),
        )
    };
    let tiff = |name: &str| {
        let mut bytes = fixture(name);
        // Width, height and rows of a strip, as 4-byte numbers.
        for tag in [256, 257, 278] {
            let at = tiff_value(&bytes, tag);
            bytes[at - 6..at - 4].copy_from_slice(&4u16.to_le_bytes());
            bytes[at..at + 4].copy_from_slice(&side.to_le_bytes());
        }
        bytes
    };
    let gif = edited(
        "plain.gif",
        6,
        &[short(side).to_le_bytes(), short(side).to_le_bytes()].concat(),
    );
    let bmp = edited("rgb.bmp", 18, &[side.to_le_bytes(), side.to_le_bytes()].concat());
    let webp = side.min(16383) - 1;
    let webp = edited("lossless.webp", 21, &(webp | webp << 14).to_le_bytes());
    vec![
        ("PNG", png),
        ("JPEG", jpeg("baseline-420.jpg")),
        ("progressive JPEG", jpeg("progressive.jpg")),
        ("TIFF", tiff("rgb-tiff_lzw.tiff")),
        ("TIFF with a palette", tiff("palette.tiff")),
        ("GIF", gif),
        ("BMP", bmp),
        ("WebP", webp),
    ]
}

/// The most memory that this process has held, in KiB.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))?
        .split_whitespace()
        .nth(1)?
        .parse()
        .ok()
}

/// In a child process, so that its peak of memory is its own.
#[test]
fn decompression_bombs() {
    if std::env::var_os("PELAGE_BOMBS").is_none() {
        let test = std::env::current_exe().unwrap();
        let child = std::process::Command::new(test)
            .args(["decompression_bombs", "--exact", "--nocapture"])
            .env("PELAGE_BOMBS", "1")
            .output()
            .unwrap();
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
        return;
    }
    for (name, bytes) in bombs(60_000) {
        let reason = reason(&bytes);
        assert!(reason.contains("too large"), "{name}: {reason}");
    }
    if let Some(peak) = peak_memory() {
        assert!(peak < 64 << 10, "over the limit of pixels: {peak} KiB");
    }
    let limits = Limits {
        max_alloc_bytes: 64 << 20,
        ..Limits::default()
    };
    for side in [4_000, 9_900] {
        for (name, bytes) in bombs(side) {
            match decode(&bytes, &limits) {
                // Of a JPEG it is seen before that next to nothing of it is there.
                Err(reason) => assert!(
                    side == 4_000 || reason.contains("too large") || name == "JPEG" && reason.contains("100 % of rows"),
                    "{name}: {reason}"
                ),
                Ok(_) => panic!("{name}"),
            }
        }
    }
    match peak_memory() {
        Some(peak) => assert!(peak < 128 << 10, "at the limit of pixels: {peak} KiB"),
        None => println!("peak memory is not told here: not checked"),
    }
}

/// The reduced one of an image whose decoders disagree on colors, and of one with more scans than an image has, is the
/// whole one.
#[test]
fn what_is_odd_is_not_reduced() {
    let reduced = |bytes: &[u8]| decode_at_least(bytes, &Limits::default(), 3).map(|decoded| decoded.image);
    assert!(reduced(&fixture("baseline-444.jpg")).unwrap().width() < 37);

    // RGB by its Adobe marker, with the numbers of components that say YCbCr.
    let mut rgb = fixture("rgb.jpg");
    let whole_before = whole(&rgb);
    let ids: Vec<usize> = (0..rgb.len() - 4)
        .filter(|&at| matches!(rgb[at..], [b'R', _, b'G', ..] | [b'R', _, _, b'G', ..]))
        .collect();
    assert_eq!(ids.len(), 2, "the components in the frame's and in the scan's header");
    for at in ids {
        for (id, letter) in [(1, b'R'), (2, b'G'), (3, b'B')] {
            let place = rgb[at..at + 8].iter().position(|byte| *byte == letter).unwrap();
            rgb[at + place] = id;
        }
    }
    assert!(whole(&rgb) == whole_before);
    assert!(reduced(&rgb).unwrap() == whole_before);
    for name in ["cmyk.jpg", "ycck.jpg", "cmyk-progressive.jpg"] {
        assert!(reduced(&fixture(name)).unwrap() == whole(&fixture(name)), "{name}");
    }

    // A header of a scan over and over; zune-jpeg has its limits, and time is not spent on them otherwise.
    for name in ["baseline-420.jpg", "progressive.jpg"] {
        let bytes = fixture(name);
        let scan = bytes.windows(2).position(|two| two == [0xFF, 0xDA]).unwrap();
        let header = &bytes[scan..scan + 2 + usize::from(u16::from_be_bytes([bytes[scan + 2], bytes[scan + 3]]))];
        let end = bytes.len() - 2;
        let many = [&bytes[..end], &header.repeat(101), &bytes[end..]].concat();
        match (decode(&many, &Limits::default()), reduced(&many)) {
            (Ok(whole), Ok(reduced)) => assert!(whole == reduced, "{name}"),
            (whole, reduced) => assert_eq!(whole.err(), reduced.err(), "{name}"),
        }
    }
}

#[test]
fn what_is_no_image_is_told() {
    assert_eq!(reason(b""), "empty file");
    assert!(reason(b"hello").contains("not a picture"));
    assert!(reason(&[0; 1000]).contains("not a picture"));
    assert!(reason(b"\0\0\0\x18ftypheic\0\0\0\0").contains("HEIC"));
    assert!(reason(b"\xFF\xD8\xFF\xE0").contains("JPEG"));
    assert!(reason(b"\x89PNG\r\n\x1a\n").contains("PNG"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a damaged file holds, there is an answer and no panic, not even one that `decode` caught.
    #[test]
    fn damage_never_panics(which in 0usize..70, edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let name = {
            let folders = [folder(), folder().with_file_name("reduced")];
            let mut names: Vec<_> = folders.iter().flat_map(|one| std::fs::read_dir(one).unwrap()).map(|e| e.unwrap().path()).collect();
            names.retain(|path| path.extension().is_some_and(|e| e != "rgb" && e != "py"));
            names.sort();
            names.swap_remove(which)
        };
        let mut bytes = std::fs::read(&name).unwrap();
        for (at, value) in edits {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let small = Limits { max_pixels: 1_000_000, max_alloc_bytes: 16 << 20, ..Limits::default() };
        // Of the larger ones at a half, which another part of the decoder works on.
        let at_least = if bytes.len() > 3000 { 100 } else { 3 };
        for reason in [decode(&bytes, &small).err(), decode_at_least(&bytes, &small, at_least).err()].iter().flatten() {
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

/// The stream of zlib that holds `data` as it is.
fn stored(data: &[u8]) -> Vec<u8> {
    let mut stream = vec![0x78, 0x01];
    let mut blocks = data.chunks(0xFFFF).peekable();
    while let Some(block) = blocks.next() {
        let length = block.len() as u16;
        stream.push(u8::from(blocks.peek().is_none()));
        stream.extend(length.to_le_bytes());
        stream.extend((!length).to_le_bytes());
        stream.extend_from_slice(block);
    }
    let [a, b] = data.iter().fold([1u32, 0], |[a, b], &byte| {
        let a = (a + u32::from(byte)) % 65521;
        [a, (a + b) % 65521]
    });
    stream.extend((b << 16 | a).to_be_bytes());
    stream
}

/// A PNG of bytes that look random, of any kind that there is.
fn any_png(width: usize, height: usize, color: u8, depth: usize, interlaced: bool, transparency: bool) -> Vec<u8> {
    let samples = [1, 0, 3, 1, 2, 0, 4][usize::from(color)];
    let passes: &[[usize; 4]] = match interlaced {
        false => &[[0, 0, 1, 1]],
        true => &[
            [0, 0, 8, 8],
            [4, 0, 8, 8],
            [0, 4, 4, 8],
            [2, 0, 4, 4],
            [0, 2, 2, 4],
            [1, 0, 2, 2],
            [0, 1, 1, 2],
        ],
    };
    let (mut rows, mut state) = (Vec::new(), 1u32);
    for [left, top, across, down] in passes {
        let columns = width.saturating_sub(*left).div_ceil(*across);
        let lines = height.saturating_sub(*top).div_ceil(*down);
        for _ in 0..if columns > 0 { lines } else { 0 } {
            rows.push(0);
            rows.extend((0..(columns * samples * depth).div_ceil(8)).map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            }));
        }
    }
    let chunk = |kind: &[u8; 4], data: &[u8]| {
        let checked = [&kind[..], data].concat();
        let length = (data.len() as u32).to_be_bytes();
        [&length[..], &checked, &crc32(&checked).to_be_bytes()].concat()
    };
    let sides = [width, height].map(|side| (side as u32).to_be_bytes()).concat();
    let header = [&sides[..], &[depth as u8, color, 0, 0, u8::from(interlaced)]].concat();
    let palette: Vec<u8> = (0..3 << depth.min(8)).map(|i| (i * 7) as u8).collect();
    let clear: &[u8] = match color {
        0 => &[0, 1],
        2 => &[0, 1, 0, 2, 0, 3],
        _ => &[0, 200, 100],
    };
    let clear = if depth == 1 && color == 3 { &clear[..2] } else { clear };
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    png.extend(chunk(b"IHDR", &header));
    if color == 3 {
        png.extend(chunk(b"PLTE", &palette));
    }
    if transparency {
        png.extend(chunk(b"tRNS", clear));
    }
    png.extend(chunk(b"IDAT", &stored(&rows)));
    png.extend(chunk(b"IEND", b""));
    png
}

/// Read row by row, a PNG has the pixels that `image` gives it, which reads it whole.
#[test]
fn every_kind_of_png_is_as_another_reader_has_it() {
    let kinds: &[(u8, &[usize])] = &[
        (0, &[1, 2, 4, 8, 16]),
        (2, &[8, 16]),
        (3, &[1, 2, 4, 8]),
        (4, &[8, 16]),
        (6, &[8, 16]),
    ];
    for (color, depths) in kinds {
        for depth in *depths {
            for (interlaced, transparency) in [(false, false), (true, false), (false, true), (true, true)] {
                if transparency && *color > 3 {
                    continue;
                }
                for (width, height) in [(1, 1), (3, 2), (5, 9), (19, 13)] {
                    let bytes = any_png(width, height, *color, *depth, interlaced, transparency);
                    let whole = image::load_from_memory(&bytes).unwrap();
                    let mut expected = whole.to_rgb8();
                    if whole.color().has_alpha() {
                        for (to, from) in expected.pixels_mut().zip(whole.to_rgba8().pixels()) {
                            let alpha = u32::from(from[3]);
                            to.0 = [0, 1, 2]
                                .map(|c| ((u32::from(from[c]) * alpha + 255 * (255 - alpha) + 127) / 255) as u8);
                        }
                    }
                    let ours = decode(&bytes, &Limits::default()).unwrap();
                    let kind = (color, depth, interlaced, transparency, width, height);
                    assert!(ours == expected, "{kind:?}");
                }
            }
        }
    }
}

/// What no decoder needs may be as long as it likes: the same pixels, turned the same way.
#[test]
fn long_segments_beside_a_jpeg_change_nothing() {
    let image = encoded(&scene(3, 90, 60), ImageFormat::Jpeg);
    // One entry, the orientation: the first row is the right side.
    let tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    let exif = [&[0xFF, 0xE1, 0, 2 + 6 + 26][..], b"Exif\0\0", tiff].concat();
    let turned = [&image[..2], &exif, &image[2..]].concat();
    let expected = decode(&turned, &Limits::default()).unwrap();
    assert_eq!(expected.dimensions(), (60, 90));
    for marker in [0xE1, 0xE2, 0xED, 0xFE] {
        let long = [&[0xFF, marker, 0xFF, 0xFF][..], &[9; 0xFFFD]].concat().repeat(6);
        let before = [&image[..2], &long, &exif, &image[2..]].concat();
        let behind = [&image[..2], &exif, &long, &image[2..], &[1; 400_000]].concat();
        for bytes in [before, behind] {
            assert!(decode(&bytes, &Limits::default()).unwrap() == expected, "{marker:x}");
        }
    }
}
