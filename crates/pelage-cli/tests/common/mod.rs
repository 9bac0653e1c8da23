//! Small images, and the binary under test.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The binary, with a cache of its own so that tests are independent.
pub(crate) fn pelage(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pelage"));
    command.current_dir(folder).env("PELAGE_CACHE", folder.join("cache"));
    SETTINGS.iter().for_each(|name| _ = command.env_remove(name));
    command
}

/// What somebody who runs the tests may have set for pelage.
pub(crate) const SETTINGS: [&str; 6] = [
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "COLUMNS",
    "NO_COLOR",
    "PELAGE_CACHE_LIMIT",
    "PELAGE_ISA",
];

pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Output {
    pelage(folder).args(arguments).output().unwrap()
}

/// Runs and expects success; returns stdout.
pub(crate) fn succeed(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Runs and expects `code`; returns stderr.
pub(crate) fn fail(folder: &Path, arguments: &[&str], code: i32) -> String {
    let output = run(folder, arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    stderr
}

/// An image of `side` pixels: stripes, upright for class 0 and level for class 1, with noise from `seed`.
pub(crate) fn stripes(class: usize, seed: u64, side: u32) -> image::RgbImage {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ class as u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u32
    };
    let (phase, period) = (next() % 7, 4 + next() % 4);
    image::RgbImage::from_fn(side, side, |x, y| {
        let along = if class == 0 { x } else { y };
        let stripe = if (along + phase) / (period / 2) % 2 == 0 {
            170
        } else {
            70
        };
        image::Rgb(std::array::from_fn(|_| (stripe + next() % 60) as u8))
    })
}

/// The folder `data`: `DATA/{train,validation}/{level,upright}` with these numbers of images per class.
pub(crate) fn data(folder: &Path, train: u64, validation: u64) -> PathBuf {
    let data = folder.join("data");
    for (set, first, count) in [("train", 0, train), ("validation", 10_000, validation)] {
        for (class, name) in ["upright", "level"].iter().enumerate() {
            let class_folder = data.join(set).join(name);
            std::fs::create_dir_all(&class_folder).unwrap();
            for i in 0..count {
                stripes(class, first + i, 24)
                    .save(class_folder.join(format!("{i}.png")))
                    .unwrap();
            }
        }
    }
    data
}

/// Trains a head on a frozen network with random weights, on images of 32 pixels: small enough for a test.
pub(crate) fn frozen<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let fixed = "train data --backbone resnet18 --weights random --image-size 32";
    fixed.split(' ').chain(more.iter().copied()).collect()
}

/// The same folder, and `run`: a model that one epoch on it made.
pub(crate) fn trained(folder: &Path, train: u64, validation: u64) {
    data(folder, train, validation);
    let small = ["--epochs", "1", "--image-size", "24", "--batch-size", "8"];
    succeed(folder, &[&["train", "data", "--out", "run"], &small[..]].concat());
}

/// The values of a model file or checkpoint, without its metadata (which holds times).
pub(crate) fn tensors(path: &Path) -> Vec<u8> {
    let bytes = std::fs::read(path).unwrap();
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    bytes[8 + header..].to_vec()
}
