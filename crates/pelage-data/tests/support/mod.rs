//! Small images and trees for the tests.
#![allow(dead_code)] // each test uses a part

pub(crate) mod exif;
pub(crate) mod organizing;

use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use std::path::Path;
use std::time::SystemTime;

use image::{DynamicImage, ImageFormat, RgbImage};

/// An image of smooth patches, another one for each seed, at any size.
pub(crate) fn scene(seed: u64, width: u32, height: u32) -> RgbImage {
    let mut state = seed
        .wrapping_mul(0x9E37_79B9_7F4A_7C15)
        .wrapping_add(0x1234_5678_9ABC_DEF1);
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    (0..20).for_each(|_| _ = random());
    let patches: Vec<[f64; 6]> = (0..24)
        .map(|_| [random(), random(), 0.06 + 0.12 * random(), random(), random(), random()])
        .collect();
    RgbImage::from_fn(width, height, |x, y| {
        let (x, y) = (
            (f64::from(x) + 0.5) / f64::from(width),
            (f64::from(y) + 0.5) / f64::from(height),
        );
        let mut color = [128.0; 3];
        for [cx, cy, size, r, g, b] in &patches {
            let weight = (-((x - cx).powi(2) + (y - cy).powi(2)) / (size * size)).exp();
            color
                .iter_mut()
                .zip([r, g, b])
                .for_each(|(to, c)| *to += weight * (c - 0.5) * 250.0);
        }
        image::Rgb(color.map(|v| v.clamp(0.0, 255.0) as u8))
    })
}

pub(crate) fn encoded(image: &RgbImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::ImageRgb8(image.clone())
        .write_to(&mut bytes, format)
        .unwrap();
    bytes.into_inner()
}

/// A small PNG, another one for each seed.
pub(crate) fn png(seed: u64) -> Vec<u8> {
    encoded(&scene(seed, 12, 9), ImageFormat::Png)
}

pub(crate) fn write(path: impl AsRef<Path>, bytes: &[u8]) {
    let path = path.as_ref();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// `count` images each of `cat` and `dog`, in class folders.
pub(crate) fn class_folders(root: &Path, count: u64) {
    for i in 0..count {
        write(root.join(format!("cat/{i}.png")), &png(i));
        write(root.join(format!("dog/{i}.png")), &png(10_000 + i));
    }
}

pub(crate) fn zip(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        writer
            .start_file(*name, zip::write::SimpleFileOptions::default())
            .unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// Every file and folder below: its time of change, and the hash of its content.
pub(crate) fn state_of(root: &Path) -> BTreeMap<String, (SystemTime, String)> {
    let mut state = BTreeMap::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let modified = folder.metadata().unwrap().modified().unwrap();
        state.insert(folder.display().to_string(), (modified, String::new()));
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let hash = blake3::hash(&std::fs::read(&path).unwrap_or_default()).to_string();
            state.insert(
                path.display().to_string(),
                (path.symlink_metadata().unwrap().modified().unwrap(), hash),
            );
        }
    }
    state
}

/// Paths of all files below, relative, in order, with the hash of each.
pub(crate) fn files(root: &Path) -> BTreeMap<String, String> {
    let prefix = format!("{}/", root.display());
    let state = state_of(root).into_iter().filter(|(_, (_, hash))| !hash.is_empty());
    state
        .map(|(path, (_, hash))| (path.trim_start_matches(&prefix).to_string(), hash))
        .collect()
}

/// A file system of `size` bytes, where this process may mount one.
pub(crate) struct SmallDisk(pub(crate) tempfile::TempDir);

impl SmallDisk {
    pub(crate) fn new(size: &str) -> Option<SmallDisk> {
        let folder = tempfile::tempdir().unwrap();
        let done = mount(&["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"], folder.path());
        if !done {
            println!("skipped: a small file system for a full disk can only be mounted by root");
        }
        done.then_some(SmallDisk(folder))
    }

    pub(crate) fn enlarge(&self, size: &str) {
        assert!(mount(&["-o", &format!("remount,size={size}")], self.0.path()));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(self.0.path()).status();
    }
}

fn mount(arguments: &[&str], folder: &Path) -> bool {
    let mut command = std::process::Command::new("mount");
    command.args(arguments).arg(folder).stderr(std::process::Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// This test program again, to run `test` alone with `name` set to `value`.
pub(crate) fn child(test: &str, name: &str, value: &Path) -> std::process::Command {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture"]).env(name, value);
    command
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    command
}

/// The checksum of PNG's chunks.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 }
        })
    })
}
