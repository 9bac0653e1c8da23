//! What hostile images may take: each case in a process of its own, so that its peak of memory is its own.

mod support;

use std::io::Write;
use std::path::Path;

use image::ImageFormat;
use image::codecs::tiff::TiffEncoder;
use image::{ExtendedColorType, ImageEncoder, RgbImage};
use pelage_data::decode::{Limits, decode};
use pelage_data::preprocess::Preprocessing;
use pelage_data::source::list;
use rayon::prelude::*;
use support::{child, crc32, encoded, scene, write};

/// The most memory that this process has held, in MiB; 0 where that is not told.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}

/// Runs this program's `test` again with the folder as its argument; in that process, gives the folder.
fn alone(test: &str, prepare: impl FnOnce(&Path)) -> Option<std::path::PathBuf> {
    if let Some(folder) = std::env::var_os("PELAGE_BUDGET") {
        return Some(folder.into());
    }
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    let output = child(test, "PELAGE_BUDGET", folder.path())
        .stderr(std::process::Stdio::piped())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
    None
}

/// A PNG of zeros, written row by row.
fn zeros_png(width: u32, height: u32, color: png::ColorType, depth: png::BitDepth) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(color);
    encoder.set_depth(depth);
    encoder.set_compression(png::Compression::Fast);
    if color == png::ColorType::Indexed {
        encoder.set_palette(vec![0, 0, 0, 255, 255, 255]);
    }
    let mut writer = encoder.write_header().unwrap();
    let mut stream = writer.stream_writer().unwrap();
    let row = vec![0; (width as usize * color.samples() * depth as usize).div_ceil(8)];
    (0..height).for_each(|_| stream.write_all(&row).unwrap());
    stream.finish().unwrap();
    drop(writer);
    bytes
}

fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let checked = [&kind[..], data].concat();
    let length = (data.len() as u32).to_be_bytes();
    [&length[..], &checked, &crc32(&checked).to_be_bytes()].concat()
}

#[test]
fn images_far_wider_than_high_and_the_other_way_round() {
    let one = |folder: &Path, name: &str, width, height| {
        let bytes = zeros_png(width, height, png::ColorType::Indexed, png::BitDepth::One);
        write(folder.join(name), &bytes);
    };
    let Some(folder) = alone("images_far_wider_than_high_and_the_other_way_round", |folder| {
        one(folder, "wide", 90_000_000, 1);
        one(folder, "wide-rows", 20_000_000, 4);
        one(folder, "tall", 3, 30_000_000);
        one(folder, "less-tall", 3, 2_000_000);
    }) else {
        return;
    };
    for name in ["wide", "wide-rows", "tall", "less-tall"] {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        for size in [32, 150] {
            match Preprocessing::new(size).decode(&bytes) {
                Err(reason) => {
                    assert!(
                        reason.starts_with("too large: ") && reason.contains("the limit is 512 MiB"),
                        "{reason}"
                    );
                }
                Ok(_) => assert_eq!(name, "less-tall"),
            }
        }
    }
    // In memory already, too.
    let wide = RgbImage::new(20_000_000, 1);
    let reason = Preprocessing::new(150).resize(&wide).unwrap_err();
    assert!(reason.starts_with("too large: 20000000x1 pixels need"), "{reason}");
    assert!(peak() < 600, "{} MiB", peak());
}

#[test]
fn what_is_packed_beside_the_pixels() {
    let Some(folder) = alone("what_is_packed_beside_the_pixels", |folder| {
        // Half a gigabyte of zeros, packed, is what the data of such an image is.
        let zeros = zeros_png(1 << 16, 1 << 16, png::ColorType::Grayscale, png::BitDepth::One);
        let mut packed = Vec::new();
        let mut rest = &zeros[8..];
        while let [a, b, c, d, tail @ ..] = rest {
            let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
            if &tail[..4] == b"IDAT" {
                packed.extend_from_slice(&tail[4..4 + length]);
            }
            rest = &tail[4 + length + 4..];
        }
        let image = encoded(&scene(1, 20, 10), ImageFormat::Png);
        let header = 8 + 25;
        let chunks = [
            chunk(b"iCCP", &[&b"profile\0\0"[..], &packed].concat()),
            chunk(b"zTXt", &[&b"text\0\0"[..], &packed].concat()),
            chunk(b"iTXt", &[&b"text\0\x01\0\0\0"[..], &packed].concat()),
        ];
        write(
            folder.join("png"),
            &[&image[..header], &chunks.concat(), &image[header..]].concat(),
        );
        write(folder.join("plain"), &image);
    }) else {
        return;
    };
    let [bomb, plain] = ["png", "plain"].map(|name| std::fs::read(folder.join(name)).unwrap());
    let limits = Limits::default();
    assert!(decode(&bomb, &limits).unwrap() == decode(&plain, &limits).unwrap());
    assert!(peak() < 64, "{} MiB", peak());
}

#[test]
fn samples_of_many_bits() {
    let mut bytes = std::io::Cursor::new(Vec::new());
    TiffEncoder::new(&mut bytes)
        .write_image(&[0; 16 * 16 * 16], 16, 16, ExtendedColorType::Rgba32F)
        .unwrap();
    let mut bytes = bytes.into_inner();
    let directory = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize + 2;
    for tag in [256u16, 257, 278] {
        let entry = bytes[directory..]
            .chunks(12)
            .position(|entry| entry[..2] == tag.to_le_bytes());
        let at = directory + 12 * entry.unwrap();
        bytes[at + 2..at + 4].copy_from_slice(&4u16.to_le_bytes());
        bytes[at + 8..at + 12].copy_from_slice(&7517u32.to_le_bytes());
    }
    let reason = decode(&bytes, &Limits::default()).unwrap_err();
    assert!(reason.starts_with("too large: 7517x7517 pixels need 1"), "{reason}");
    assert!(reason.ends_with("the limit is 512 MiB"), "{reason}");
}

#[test]
fn scans_over_and_over() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pillow/progressive.jpg");
    let mut bytes = std::fs::read(path).unwrap();
    let frame = bytes.windows(2).position(|pair| pair == [0xFF, 0xC2]).unwrap();
    for at in [frame + 5, frame + 7] {
        bytes[at..at + 2].copy_from_slice(&8000u16.to_be_bytes());
    }
    let scan = bytes.windows(2).rposition(|pair| pair == [0xFF, 0xDA]).unwrap();
    let (before, end) = bytes.split_at(bytes.len() - 2);
    let many = [before, &before[scan..].repeat(80), end].concat();
    let reason = decode(&many, &Limits::default()).unwrap_err();
    assert!(
        reason.starts_with("too large: ") && reason.contains("scans of 8000x8000 pixels"),
        "{reason}"
    );
    // Few scans, but all coefficients of a large image at once.
    let few = Limits {
        max_alloc_bytes: 200 << 20,
        ..Limits::default()
    };
    let reason = decode(&bytes, &few).unwrap_err();
    assert!(reason.starts_with("too large: 8000x8000 pixels need"), "{reason}");
}

#[test]
fn threads_share_what_images_may_take() {
    let Some(folder) = alone("threads_share_what_images_may_take", |folder| {
        write(
            folder.join("large"),
            &zeros_png(7000, 7000, png::ColorType::Rgb, png::BitDepth::Eight),
        );
    }) else {
        return;
    };
    let bytes = std::fs::read(folder.join("large")).unwrap();
    let limits = Limits {
        max_alloc_bytes: 160 << 20,
        ..Limits::default()
    };
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| (0..2).for_each(|_| assert_eq!(decode(&bytes, &limits).unwrap().width(), 7000)));
        }
    });
    // 140 MiB each, of which a thread drops the last one after it has given the memory back.
    assert!(peak() < 450, "{} MiB", peak());
}

#[test]
fn members_of_zips_that_are_no_pictures_are_not_read() {
    let Some(folder) = alone("members_of_zips_that_are_no_pictures_are_not_read", |folder| {
        let mut writer = zip::ZipWriter::new(std::fs::File::create(folder.join("all.zip")).unwrap());
        let options = zip::write::SimpleFileOptions::default();
        for (name, mebibytes) in [("a.jpg", 300), ("b.jpg", 600)] {
            writer.start_file(name, options).unwrap();
            (0..mebibytes).for_each(|_| writer.write_all(&[0; 1 << 20]).unwrap());
        }
        writer.finish().unwrap();
    }) else {
        return;
    };
    let entries = list(&folder.join("all.zip")).unwrap();
    let reasons: Vec<_> = entries
        .iter()
        .map(|entry| entry.location.read().unwrap_err().to_string())
        .collect();
    assert!(reasons[0].contains("a.jpg: not a picture"), "{reasons:?}");
    assert!(
        reasons[1].contains("too large: a file of 600 MiB, the limit is 512 MiB"),
        "{reasons:?}"
    );
    assert!(peak() < 64, "{} MiB", peak());
}

/// In proportion to the pixels, in a process of its own since the default is the process's.
#[test]
fn the_default_can_be_raised() {
    if alone("the_default_can_be_raised", |_| ()).is_none() {
        return;
    }
    assert_eq!(Limits::default().max_alloc_bytes, 512 << 20);
    Limits::raise(400_000_000);
    let limits = Limits::default();
    assert_eq!((limits.max_pixels, limits.max_alloc_bytes), (400_000_000, 2048 << 20));
    Limits::raise(1_000_000);
    let limits = Limits::default();
    assert_eq!((limits.max_pixels, limits.max_alloc_bytes), (1_000_000, 512 << 20));
    let reason = decode(&encoded(&scene(1, 2000, 1000), ImageFormat::Png), &limits).unwrap_err();
    assert!(
        reason.starts_with("too large: 2000x1000 pixels are 2 megapixels, the limit is 1"),
        "{reason}"
    );
}

/// The rows of a wide file are brought to eight bits one by one.
#[test]
fn samples_of_sixteen_bits() {
    let Some(folder) = alone("samples_of_sixteen_bits", |folder| {
        let (gray, rgba) = (png::ColorType::Grayscale, png::ColorType::Rgba);
        write(
            folder.join("gray"),
            &zeros_png(9000, 9000, gray, png::BitDepth::Sixteen),
        );
        write(
            folder.join("rgba"),
            &zeros_png(5000, 5000, rgba, png::BitDepth::Sixteen),
        );
    }) else {
        return;
    };
    for name in ["gray", "rgba"] {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        Preprocessing::new(32).decode(&bytes).unwrap();
    }
    // The larger one is 232 MiB of RGB.
    assert!(peak() < 270, "{} MiB", peak());
}

/// A progressive JPEG, which takes more memory than its pixels.
fn progressive(width: u16, height: u16) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pillow/progressive.jpg");
    let mut bytes = std::fs::read(path).unwrap();
    let frame = bytes.windows(2).position(|pair| pair == [0xFF, 0xC2]).unwrap();
    bytes[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
    bytes[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
    bytes
}

/// Bytes behind the image, and in segments before it that no decoder needs, are in memory, and count while a thread
/// waits with them for what decoding takes.
#[test]
fn files_with_much_beside_the_image_on_many_threads() {
    let Some(folder) = alone("files_with_much_beside_the_image_on_many_threads", |folder| {
        let image = encoded(&scene(1, 1500, 1500), ImageFormat::Jpeg);
        let segment = [&[0xFF, 0xE2, 0xFF, 0xFF][..], &[7; 0xFFFD]].concat();
        write(
            folder.join("before.jpg"),
            &[&image[..2], &segment.repeat(1200), &image[2..]].concat(),
        );
        write(folder.join("behind.jpg"), &[&image[..], &vec![0; 150 << 20]].concat());
    }) else {
        return;
    };
    let entries = list(&folder).unwrap();
    let plain = encoded(&scene(1, 1500, 1500), ImageFormat::Jpeg);
    let seen = Preprocessing::new(150);
    let expected = seen.decode(&plain).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for entry in &entries {
                    let read = entry.location.read_with(|bytes| seen.decode(&bytes));
                    assert!(read.unwrap().unwrap() == expected);
                }
            });
        }
    });
    assert!(peak() < 600, "{} MiB", peak());
}

/// Threads of a pool and threads beside it decode images that the decoder of reduced JPEGs shares among threads, and
/// that find room for one at a time: nobody waits for work that waits for memory.
#[test]
fn who_decodes_never_waits_for_who_wants_memory() {
    let bytes = progressive(1600, 1600);
    let limits = Limits {
        max_alloc_bytes: 32 << 20,
        ..Limits::default()
    };
    let seen = Preprocessing::new(100);
    // How much of it is there matters not.
    let decode = || {
        let decoded = seen.decode_within(&bytes, &limits).map(drop);
        let refused = decoded.err().filter(|reason| reason.starts_with("too large"));
        assert_eq!(refused, None);
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| (0..40).for_each(|_| decode()));
            scope.spawn(|| (0..40).into_par_iter().for_each(|_| decode()));
        }
        pool.install(|| (0..200).into_par_iter().for_each(|_| decode()));
    });
}
